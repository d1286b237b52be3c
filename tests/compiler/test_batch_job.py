"""A program compiled on a card has the bytes of one compiled on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_card import PlainCard

import xbar
from xbar.compiler import batch_job
from xbar.errors import SpecError, ToolError, XbarWarning

RNG = np.random.default_rng(5)
WEIGHTS = {"a": RNG.standard_normal((40, 50)), "b": RNG.standard_normal((7, 90))}
WEIGHTS["a"][RNG.random((40, 50)) < 0.3] = 0.0


def hardware(**bank: Any) -> xbar.Hardware:
    tile = xbar.Tile(word_lines=24, bit_lines=18)
    return xbar.Hardware(bank=xbar.Bank(resistors=6, **bank), tile=tile)


def contents(folder: Path) -> dict[str, bytes]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def same_bytes(tmp_path: Path, design: xbar.Hardware, **options: Any) -> None:
    given = {"seed": 3, "options": xbar.Options(**options)}
    xbar.compile(WEIGHTS, design, output=tmp_path / "cuda.xbar", device="cuda", **given)
    xbar.compile(WEIGHTS, design, output=tmp_path / "cpu.xbar", **given)
    there, here = contents(tmp_path / "cuda.xbar"), contents(tmp_path / "cpu.xbar")
    assert len(there) > 3
    assert there == here


@pytest.mark.parametrize(
    ("bank", "options"),
    [
        ({}, {}),
        ({"on_off_ratio": 50.0, "stuck_open": 0.02, "stuck_closed": 0.01}, {}),
        ({}, {"mapping": "reference", "scale_per": "tile"}),
        ({}, {"scale_per": "layer", "pack": "any"}),
    ],
)
def test_programs_have_the_same_bytes(
    plain_card: PlainCard,
    tmp_path: Path,
    bank: dict[str, Any],
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("BATCH_RESISTORS", "WHOLE_RESISTORS"):
        monkeypatch.setattr(batch_job, name, 4 * 24 * 18 * 6)  # four tiles a batch
    same_bytes(tmp_path, hardware(**bank), **options)
    assert "draw_lognormal" in plain_card.launches
    assert {"narrow", "exact"} & set(plain_card.launches)
    assert plain_card.held == 0


def test_resistors_that_a_card_does_not_draw_come_from_the_cpu(
    plain_card: PlainCard, tmp_path: Path
) -> None:
    with pytest.warns(XbarWarning, match="of resistors from the CPU: a card draws resistors"):
        same_bytes(tmp_path, hardware(series=500.0))
    assert set(plain_card.launches) == {"narrow", "wide"}


@pytest.mark.parametrize(
    ("design", "options", "why"),
    [
        (hardware(), {"wire_aware": True}, "wire-aware programming"),
        (hardware(), {"programming": "nominal"}, "no subsets are chosen"),
        (
            xbar.Hardware(bank=xbar.Bank(resistors=2), variation=xbar.Variation(read_noise=0.01)),
            {},
            "read noise counts",
        ),
        (xbar.Hardware(bank=xbar.Bank(resistors=11)), {}, "2 to 20 elements, not K = 22"),
    ],
)
def test_what_stays_on_the_cpu_is_told(
    plain_card: PlainCard, design: xbar.Hardware, options: dict[str, Any], why: str
) -> None:
    weights = {"w": WEIGHTS["a"][:4, :5]}
    given = {"seed": 1, "options": xbar.Options(**options)}
    with pytest.warns(XbarWarning, match=f"compiled on the CPU: .*{why}"):
        there = xbar.compile(weights, design, device="cuda", **given)
    here = xbar.compile(weights, design, device="auto", **given)
    for a, b in zip(there.tiles, here.tiles, strict=True):
        assert np.array_equal(a.packed, b.packed)
    assert plain_card.launches == []


def test_a_killed_run_is_resumed_on_the_card(plain_card: PlainCard, tmp_path: Path) -> None:
    design, given = hardware(), {"seed": 3, "device": "cuda"}

    def stop(done: int, total: int) -> None:
        assert total > 6
        if done == 6:
            raise KeyboardInterrupt

    output = tmp_path / "part.xbar"
    with pytest.raises(KeyboardInterrupt):
        xbar.compile(WEIGHTS, design, output=output, progress=stop, **given)
    plain_card.launches.clear()
    xbar.compile(WEIGHTS, design, output=output, **given)
    assert "draw_lognormal" in plain_card.launches
    xbar.compile(WEIGHTS, design, seed=3, output=tmp_path / "whole.xbar")
    assert contents(output) == contents(tmp_path / "whole.xbar")


def test_no_card_is_an_error_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("xbar.device.choice.first_card", lambda: (None, "there is none"))
    with pytest.raises(ToolError, match="there is none"):
        xbar.compile(WEIGHTS, hardware(), seed=0, output=tmp_path / "p.xbar", device="cuda")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SpecError, match="device must be one of"):
        xbar.compile(WEIGHTS, hardware(), seed=0, device="tpu")
    with pytest.raises(SpecError, match="device must be left out with a scheduler"):
        xbar.compile(WEIGHTS, hardware(), seed=0, device="cuda", scheduler="tcp://127.0.0.1:1")
