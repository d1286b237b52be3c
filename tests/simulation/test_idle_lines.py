"""Lines that float while the blocks of other lines are read, against nodal analysis and ngspice."""

from __future__ import annotations

import numpy as np
import pytest
from topologies import SEPARATE, WEIGHTS, design, gated_design, line, nodal

import xbar
from xbar.errors import SpecError

RNG = np.random.default_rng(8)
FLOATING = {"word_wire": 4.0, "bit_wire": 3.0, "source": 40.0, "load": 60.0, "idle": "float"}
LAYERS = {"one": WEIGHTS, "two": RNG.normal(size=(6, 12))}


def packed(layout="cell", **tile):
    """Two layers on one tile, with lines in common."""
    hardware = design(layout, **(FLOATING | tile))
    options = xbar.Options(pack="any")
    program = xbar.compile(LAYERS, hardware, options=options, seed=3)
    assert max(len(tile.blocks) for tile in program.tiles) > 1
    return program


def floating_columns(tile, number):
    """(C,) siemens of a block's second row, by dense equations without the idle lines' ends."""
    cells, block = tile.conductance, tile.blocks[number].block
    ohms, used = tile.chip.hardware.tile, set()
    for column in block.columns:
        used |= {2 * column, 2 * column + 1}
    drawn = []
    for i in range(cells.shape[0]):
        end = (f"d{i}", ohms.source) if i in block.word_lines else None
        drawn += line(f"w{i}", cells.shape[1], ohms.word_wire, end, None)
    for j in range(cells.shape[1]):
        end = (f"s{j}", ohms.load) if j in used else None
        drawn += line(f"b{j}", cells.shape[0], ohms.bit_wire, None, end)
        drawn += [((f"w{i}", j), (f"b{j}", i), 1 / cells[i, j]) for i in range(cells.shape[0])]
    row = block.word_lines[1]
    held = {f"d{i}": float(i == row) for i in block.word_lines} | {f"s{j}": 0.0 for j in used}
    each = {j: nodal(drawn, held, f"s{j}") for j in used}
    return np.array([each[2 * c] - each[2 * c + 1] for c in block.columns])


def test_idle_lines_that_float_are_the_nodal_solution_without_their_ends():
    program = packed()
    tile = next(tile for tile in program.tiles if len(tile.blocks) > 1)
    for number, found in enumerate(tile.difference("nodal")):
        expected = floating_columns(tile, number)
        assert np.abs(found[1] - expected).max() < 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("topology", ["input-source", "interleaved-input-source"])
def test_programs_are_read_while_the_lines_of_other_blocks_float(topology):
    program = packed(topology=topology)
    grounded = packed(topology=topology, idle="ground")
    inputs = {name: RNG.uniform(-1, 1, (3, each.shape[1])) for name, each in LAYERS.items()}
    read = program.run(inputs, readout="nodal")
    for name, matrix in program.matrices("nodal").items():
        assert np.abs(read[name] - inputs[name] @ matrix.T).max() < 1e-12
    others = grounded.run(inputs, readout="nodal")
    assert max(np.abs(read[name] - others[name]).max() for name in read) > 1e-5
    result = xbar.simulate(program, inputs, readout="nodal", budget=True)
    alone = {part.part: part.error_alone for part in result.budget.parts}
    assert 0 < alone["idle"] < alone["wires"]
    assert result.budget.error_without_all < 1e-12


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
def test_ngspice_confirms_tiles_whose_idle_lines_float(ngspice, layout):
    program = packed(layout)
    assert xbar.verify(program).passed
    bank = program.hardware.bank.model_copy(update={"nonlinearity": xbar.Nonlinearity(sinh=0.3)})
    hardware = program.hardware.model_copy(update={"bank": bank})
    bent = xbar.compile(LAYERS, hardware, options=xbar.Options(pack="any"), seed=3)
    assert xbar.verify(bent, readout="nonlinear").passed


def test_idle_lines_of_ideal_wires_make_no_difference():
    wires = dict.fromkeys(("word_wire", "bit_wire", "source", "load"), 0.0)
    program = packed(**wires)
    inputs = {name: np.ones((1, each.shape[1])) for name, each in LAYERS.items()}
    ideal, nodal_ = (program.run(inputs, readout=each) for each in ("ideal", "nodal"))
    assert all(np.array_equal(ideal[name], nodal_[name]) for name in LAYERS)
    with pytest.raises(SpecError, match="switch their cells off"):
        gated_design(SEPARATE | {"idle": "float"})
