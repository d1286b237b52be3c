"""What a card makes of programmed tiles is what the CPU makes of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from plain_card import PlainCard

import xbar
from xbar.compiler.program import Program
from xbar.simulation import on_device

WIRES = {"word_wire": 3.0, "bit_wire": 2.0, "source": 50.0, "load": 20.0}
RNG = np.random.default_rng(5)
WEIGHTS = {"w": RNG.standard_normal((9, 21)), "v": RNG.laplace(size=(3, 30))}
INPUTS = {name: RNG.standard_normal((4, w.shape[1])) for name, w in WEIGHTS.items()}


def program(
    bank: dict[str, Any] | None = None, tile: dict[str, Any] | None = None, **given: Any
) -> Program:
    sizes = {"word_lines": 11, "bit_lines": 8, **WIRES, **(tile or {})}
    parts = {name: given.pop(name) for name in ("adc", "variation") if name in given}
    design = xbar.Hardware(
        bank=xbar.Bank(**({"resistors": 3} | (bank or {}))), tile=xbar.Tile(**sizes), **parts
    )
    return xbar.compile(WEIGHTS, design, seed=6, options=xbar.Options(**given))


def check_equal(made: Program, readout: Any) -> None:
    there = made.run(INPUTS, readout, device="cuda")
    here = made.run(INPUTS, readout)
    for name, y in here.items():
        assert np.abs(there[name] - y).max() <= 1e-10 * np.abs(y).max()


@pytest.mark.filterwarnings("ignore:readout .ideal. is without the wires")
@pytest.mark.parametrize("readout", ["ideal", "nodal"])
@pytest.mark.parametrize(
    ("bank", "tile", "options"),
    [
        ({}, {}, {}),
        ({"resistors": 9, "spread": "normal", "sigma": 0.1}, {"bit_lines": 9}, {}),
        ({"resistors": 1}, {"word_lines": 40, "bit_lines": 34}, {"pack": "any"}),
        ({}, {"word_wire": 300.0}, {"wire_aware": True}),
    ],
)
def test_products_are_those_of_the_cpu(
    plain_card: PlainCard, readout: Any, bank: Any, tile: Any, options: Any
) -> None:
    made = program(bank, tile, **options)
    check_equal(made, readout)
    assert {"cells", "differences"} <= set(plain_card.launches)
    assert ("leaves" in plain_card.launches) == (readout == "nodal")
    assert plain_card.held == 0


def test_wires_change_the_products_by_more_than_the_two_devices_differ() -> None:
    made = program()
    ideal, nodal = made.run(INPUTS)["w"], made.run(INPUTS, "nodal")["w"]
    assert np.abs(ideal - nodal).max() > 1e-4 * np.abs(ideal).max()


def test_converters_read_tile_by_tile(plain_card: PlainCard) -> None:
    check_equal(program(adc={"bits": 6}), "nodal")
    assert "differences" in plain_card.launches


def test_tiles_are_read_in_pieces_where_memory_is_short(
    plain_card: PlainCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_equal(program(), "nodal")
    layers = plain_card.launches.count("differences")
    monkeypatch.setattr(on_device, "_PART_CELLS", 2 * 11 * 8)
    plain_card.most, plain_card.claims_free = 60_000, 1 << 40
    check_equal(program(), "nodal")  # anew: a program keeps what was read
    assert plain_card.launches.count("differences") > 2 * layers
    plain_card.most = 1000
    with pytest.warns(xbar.XbarWarning, match="read on the CPU: the card has too little"):
        check_equal(program(), "nodal")
    assert plain_card.held == 0


@pytest.mark.parametrize(
    ("given", "readout", "why"),
    [
        ({"bank": {"on_off_ratio": 30.0}}, "ideal", "faults and leakage"),
        ({"bank": {"stuck_open": 0.01}}, "ideal", "faults and leakage"),
        ({"bank": {"layout": "columns"}}, "nodal", "at one crossing"),
        ({"mapping": "reference"}, "nodal", "differential pairs"),
        ({"tile": {"bit_wire": 0.0}}, "nodal", r"ideal wires \(0 ohm\)"),
        ({"tile": {"drive": "both"}}, "nodal", "at another end"),
        ({"variation": {"read_noise": 0.01}}, "nodal", "each resistor"),
        ({"bank": {"nonlinearity": {"sinh": 1.0}}}, "nonlinear", "cells that bend"),
    ],
)
def test_what_a_card_does_not_read_is_read_by_the_cpu_and_told(
    plain_card: PlainCard, given: dict[str, Any], readout: Any, why: str
) -> None:
    made = program(**given)
    with pytest.warns(xbar.XbarWarning, match=f"read on the CPU: .*{why}"):
        check_equal(made, readout)
    assert "differences" not in plain_card.launches
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.reader(readout, device="auto")(INPUTS)


def test_a_simulation_of_several_chips(plain_card: PlainCard) -> None:
    made = program()
    there, here = (
        xbar.simulate(made, INPUTS, readout="nodal", trials=2, seed=3, device=device)
        for device in ("cuda", "cpu")
    )
    for a, b in zip(there.layers, here.layers, strict=True):
        assert a.snr_db == pytest.approx(b.snr_db, abs=1e-9)
    # a layer of each of two chips
    assert plain_card.launches.count("differences") == 4


def test_a_missing_card_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xbar.device.choice.first_card", lambda: (None, "there is none"))
    made = program()
    for ask in (
        lambda: made.reader(device="cuda"),
        lambda: made.run(INPUTS, device="cuda"),
        lambda: xbar.simulate(made, INPUTS, device="cuda"),
    ):
        with pytest.raises(xbar.errors.ToolError, match="needs an NVIDIA card: there is none"):
            ask()
    assert np.array_equal(made.run(INPUTS, device="auto")["w"], made.run(INPUTS)["w"])
