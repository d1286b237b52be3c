"""`xbar compile --device`: the same program, or one line and exit code 3."""

from __future__ import annotations

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
