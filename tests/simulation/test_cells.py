"""Tiles solved in batches conduct what each tile by itself does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xbar
from xbar.simulation import cells, stage
from xbar.simulation.cells import SolvedTiles, solve

RNG = np.random.default_rng(11)
WEIGHTS = {"w": RNG.standard_normal((9, 21)), "v": RNG.laplace(size=(3, 30))}
INPUTS = {name: RNG.standard_normal((5, w.shape[1])) for name, w in WEIGHTS.items()}
CASES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({}, {}, {}),
    ({"layout": "columns"}, {"load": 30.0}, {}),
    ({"layout": "rows"}, {"source": 30.0}, {"pack": "any"}),
    ({"stuck_open": 0.02, "on_off_ratio": 1e3}, {"drive": "both", "sense": "top"}, {}),
    ({}, {"word_lines": 40, "bit_lines": 34}, {"pack": "any", "mapping": "reference"}),
    ({}, {"word_wire": 40.0}, {"wire_aware": True}),
    ({}, {}, {"programming": "write-verify"}),
]


def program(
    bank: dict[str, Any], tile: dict[str, Any], options: dict[str, Any], **parts: Any
) -> xbar.Program:
    sizes = {"word_lines": 12, "bit_lines": 9, "word_wire": 3.0, "bit_wire": 2.0, **tile}
    design = xbar.Hardware(
        bank=xbar.Bank(**{"resistors": 3, **bank}), tile=xbar.Tile(**sizes), **parts
    )
    return xbar.compile(WEIGHTS, design, seed=6, options=xbar.Options(**options))


@pytest.mark.filterwarnings("ignore:readout .ideal. is without the wires")
@pytest.mark.parametrize("readout", ["ideal", "nodal"])
@pytest.mark.parametrize(("bank", "tile", "options"), CASES)
def test_a_layer_is_read_with_the_matrix_of_its_tiles(
    readout: Any, bank: Any, tile: Any, options: Any
) -> None:
    made = program(bank, tile, options)
    found = made.run(INPUTS, readout)
    for name, matrix in made.matrices(readout).items():
        exact = INPUTS[name] @ matrix.T
        np.testing.assert_allclose(found[name], exact, rtol=0, atol=1e-12 * np.abs(exact).max())


@pytest.mark.parametrize("resistors", [1, 7, 8, 9, 24])
def test_sound_resistors_are_added_up_in_numpys_order(resistors: int) -> None:
    made = program({"resistors": resistors}, {}, {"programming": "nominal"})
    for found in solve(made.hardware, list(made.tiles), wires=False, power=False):
        np.testing.assert_array_equal(found.conductance, found.tile.branch.sum(axis=-1))
        assert found.conductance.any()


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
@pytest.mark.parametrize(("bank", "tile", "options"), CASES)
def test_resistors_have_the_squares_of_their_tiles(
    readout: Any, bank: Any, tile: Any, options: Any
) -> None:
    made = program(bank, tile, options)
    wires = readout == "nodal"
    for name in WEIGHTS:
        for found, number in SolvedTiles().each(made, name, wires=wires, power=True):
            own, shared = made.tiles[found.tile.index].noise_parts(readout)[number]
            np.testing.assert_allclose(found.noise_parts(readout)[number][0], own, rtol=1e-12)
            if shared is not None:
                there = found.noise_parts(readout)[number][1]
                assert there is not None
                np.testing.assert_allclose(there, shared, rtol=1e-12)


def test_no_tile_of_a_large_program_is_kept_and_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noisy = {"adc": xbar.Converter(bits=7), "variation": xbar.Variation(read_noise=0.02)}
    kept = program({}, {}, {}, **noisy).run(INPUTS, "nodal", seed=4)
    monkeypatch.setattr(cells, "KEPT", 0)
    made = program({}, {}, {}, **noisy)
    let_go = made.run(INPUTS, "nodal", seed=4)
    for name, y in kept.items():
        np.testing.assert_array_equal(let_go[name], y)
    for tile in made.tiles:
        assert not {"conductance", "_crossbar"} & set(vars(tile))


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
def test_stages_of_few_columns_read_what_one_of_many_does(
    readout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    converters = {"adc": xbar.Converter(bits=6), "dac": xbar.Converter(bits=5)}
    together = program({}, {}, {}, **converters).run(INPUTS, readout)
    monkeypatch.setattr(stage, "COLUMNS", 5)
    apart = program({}, {}, {}, **converters).run(INPUTS, readout)
    for name, y in together.items():
        np.testing.assert_allclose(apart[name], y, rtol=0, atol=1e-13 * np.abs(y).max())


def test_float32_is_within_1e_5_of_float64() -> None:
    made = program({}, {}, {})
    double = made.run(INPUTS, "nodal")
    single = made.run(INPUTS, "nodal", precision="float32")
    for name, y in double.items():
        missed = np.abs(single[name] - y).max()
        assert 0 < missed <= 1e-5 * np.abs(y).max()


def test_an_unknown_precision_is_refused() -> None:
    half: Any = "float16"
    with pytest.raises(xbar.SpecError, match="precision must be"):
        program({}, {}, {}).reader(precision=half)
