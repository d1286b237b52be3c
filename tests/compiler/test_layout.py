"""The same weights in three layouts: ideal wires see no difference, the physical array does."""

import numpy as np
import pytest

import xbar
from xbar.compiler.layout import to_array, to_cells, to_columns, to_lines
from xbar.errors import SpecError

WEIGHTS = np.random.default_rng(0).standard_normal((3, 5))
X = np.random.default_rng(1).standard_normal((20, 5))
LINES = {"cell": (5, 6), "columns": (5, 24), "rows": (20, 6)}


def design(layout, **tile):
    word_lines, bit_lines = LINES[layout]
    return xbar.Hardware(
        bank=xbar.Bank(resistors=4, layout=layout, on_off_ratio=50, nominal=10e3),
        tile=xbar.Tile(word_lines=word_lines, bit_lines=bit_lines, **tile),
    )


def program(layout, **tile):
    return xbar.compile({"fc": WEIGHTS}, design(layout, **tile), seed=2)


@pytest.mark.parametrize("layout", LINES)
def test_cells_array_and_lines_are_consistent_by_kirchhoffs_law(layout):
    rng = np.random.default_rng(3)
    branch, volts = rng.random((4, 6, 3)), rng.random((7, 4))
    current = to_lines(volts, layout, 3) @ to_array(branch, layout)
    expected = np.einsum("nw,wbk->nb", volts, branch)
    np.testing.assert_allclose(to_columns(current, layout, 3), expected, rtol=1e-13)
    np.testing.assert_allclose(
        to_cells(to_array(branch, layout), layout, 3), branch.sum(axis=-1), rtol=1e-13
    )


def test_with_ideal_wires_every_layout_realises_the_same_matrix():
    expected = program("cell").matrices()["fc"]
    for layout in LINES:
        got = program(layout)
        np.testing.assert_array_equal(got.matrices()["fc"], expected)
        np.testing.assert_allclose(got.matrices("nodal")["fc"], expected, rtol=1e-9)


@pytest.mark.parametrize("layout", LINES)
def test_the_nodal_read_is_the_physical_arrays_own_solution(layout):
    got = program(layout, word_wire=20.0, bit_wire=15.0, source=30.0, load=40.0)
    (tile,) = got.tiles
    assert tile.crossbar().conductance.shape == LINES[layout]
    solution = tile.crossbar().solve(tile.voltage(X))
    line = tile.columns(solution.current)
    y = (line[:, 0::2] - line[:, 1::2]) / tile.blocks[0].scale
    np.testing.assert_allclose(got.run({"fc": X}, readout="nodal")["fc"], y, rtol=1e-8)
    assert np.abs(y - got.run({"fc": X})["fc"]).max() > 1e-3


def test_wires_tell_the_layouts_apart():
    wires = {"word_wire": 20.0, "bit_wire": 20.0}
    realised = [program(layout, **wires).matrices("nodal")["fc"] for layout in LINES]
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        assert np.abs(realised[a] - realised[b]).max() > 1e-3


@pytest.mark.parametrize("layout", LINES)
def test_ngspice_confirms_every_layout(ngspice, layout):
    got = program(layout, word_wire=20.0, bit_wire=15.0, source=30.0, load=40.0)
    for detail in ("cell", "resistor", "bank"):
        assert xbar.verify(got, detail=detail).passed


@pytest.mark.parametrize("layout", LINES)
def test_a_program_of_every_layout_comes_back(tmp_path, layout):
    got = program(layout, word_wire=20.0)
    got.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    np.testing.assert_array_equal(loaded.matrices("nodal")["fc"], got.matrices("nodal")["fc"])


def test_read_noise_is_that_of_the_resistors_in_every_layout():
    for layout in LINES:
        (tile,) = program(layout).tiles
        expected = (tile.branch**2).sum(axis=-1)
        np.testing.assert_allclose(
            tile.noise_power("ideal")[0], expected[:, 0::2] + expected[:, 1::2], rtol=1e-12
        )


def test_a_tile_with_fewer_lines_than_a_bank_is_refused():
    with pytest.raises(SpecError, match=r"tile\.bit_lines must be at least 4.*'columns', not 3"):
        xbar.Hardware(bank=xbar.Bank(resistors=4, layout="columns"), tile=xbar.Tile(bit_lines=3))
    with pytest.raises(SpecError, match=r"tile\.word_lines must be at least 4.*'rows', not 2"):
        xbar.Hardware(bank=xbar.Bank(resistors=4, layout="rows"), tile=xbar.Tile(word_lines=2))
    narrow = design("columns").model_copy(update={"tile": xbar.Tile(bit_lines=7)})
    with pytest.raises(SpecError, match=r"tile\.bit_lines must be at least 8, the lines"):
        xbar.compile({"fc": WEIGHTS}, narrow, seed=0)
