"""`--device` of compile and simulate: the same result, or one line and exit code 3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plain_card import PlainCard

CHIP = """
[bank]
resistors = 6
[tile]
word_lines = 16
bit_lines = 16
word_wire = 2.0
bit_wire = 2.0
"""


@pytest.fixture
def command(trained: Any, tmp_path: Path) -> list[Any]:
    (tmp_path / "chip.toml").write_text(CHIP)
    return ["compile", trained.path, "--hardware", tmp_path / "chip.toml", "--seed", 1]


def test_a_card_gives_the_same_bytes(
    plain_card: PlainCard, call: Any, command: list[Any], tmp_path: Path
) -> None:
    for device in ("cuda", "auto", "cpu"):
        assert call(*command, "--device", device, "-o", tmp_path / f"{device}.xbar")[0] == 0
    whole = [(tmp_path / f"{name}.xbar" / "manifest.json") for name in ("cuda", "auto", "cpu")]
    assert len({path.read_bytes() for path in whole}) == 1
    assert plain_card.launches.count("draw_lognormal") == 2


def test_a_missing_card_is_one_line_and_exit_code_3(
    call: Any, command: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xbar.device.choice.first_card", lambda: (None, "there is none"))
    code, _, said = call(*command, "--device", "cuda", "-o", tmp_path / "p.xbar")
    assert code == 3
    assert "device 'cuda' needs an NVIDIA card: there is none" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "p.xbar").exists()


@pytest.fixture
def reading(call: Any, command: list[Any], trained: Any, tmp_path: Path) -> list[Any]:
    """A command that simulates a program."""
    assert call(*command, "-o", tmp_path / "p.xbar")[0] == 0
    found = ["simulate", tmp_path / "p.xbar", "--data", trained.data]
    return [*found, "--readout", "nodal", "--json"]


def test_a_simulation_finds_the_same_on_a_card(
    plain_card: PlainCard, call: Any, reading: list[Any]
) -> None:
    there, here = (json.loads(call(*reading, "--device", device)[1]) for device in ("cuda", "cpu"))
    assert "differences" in plain_card.launches
    assert there["accuracy"] == here["accuracy"]
    for a, b in zip(there["layers"], here["layers"], strict=True):
        assert a["snr_db"] == pytest.approx(b["snr_db"], abs=1e-8)


def test_a_simulation_without_a_card_ends_with_exit_code_3(
    call: Any, reading: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xbar.device.choice.first_card", lambda: (None, "there is none"))
    code, out, said = call(*reading, "--device", "cuda")
    assert (code, out) == (3, "")
    assert "device 'cuda' needs an NVIDIA card: there is none" in said
    assert said.count("\n") == 1
