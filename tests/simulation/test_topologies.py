"""The published topologies of an array, each against nodal analysis of its own drawing."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.effects.nonlinearity import line_currents
from xbar.errors import SpecError, XbarWarning
from xbar.simulation.blocks import BlockCells
from xbar.simulation.cost import cost

RNG = np.random.default_rng(5)
WEIGHTS = RNG.normal(size=(5, 7))
INPUTS = RNG.uniform(-1, 1, (4, 7))
WIRES = {"bit_wire": 3.0, "source": 40.0, "load": 25.0}
INTERLEAVED = {"topology": "interleaved-input-source", "word_wire": 2.0, **WIRES}


def nodal(resistors, held, read):
    """Amperes into a node at 0 V, of resistors (node, node, ohms) with some nodes held at volts.

    Dense Kirchhoff equations; nodes are any names.
    """
    names = sorted({n for a, b, _ in resistors for n in (a, b)} - set(held), key=str)
    place = {name: k for k, name in enumerate(names)}
    matrix, right = np.zeros((len(names), len(names))), np.zeros(len(names))
    for a, b, ohms in resistors:
        for here, there in ((a, b), (b, a)):
            if here in place:
                matrix[place[here], place[here]] += 1 / ohms
                if there in place:
                    matrix[place[here], place[there]] -= 1 / ohms
                else:
                    right[place[here]] += held[there] / ohms
    volts = dict(zip(names, np.linalg.solve(matrix, right), strict=True)) | held
    return sum(
        (volts[a if b == read else b] - volts[read]) / ohms
        for a, b, ohms in resistors
        if read in (a, b)
    )


def line(name, count, ohms, first, last):
    """A line of nodes (name, 0 ...), with (node, ohms) at its ends or None."""
    found = [((name, k), (name, k + 1), ohms) for k in range(count - 1)]
    for place, end in ((0, first), (count - 1, last)):
        if end:
            found.append((end[0], (name, place), ohms + end[1]))
    return found


def interleaved_currents(plus, minus, volts, tile):
    """(C,) amperes: pairs of word lines with opposite voltages, cells of a pair at one place."""
    rows, columns = plus.shape
    held, drawn = {}, []
    for i in range(rows):
        for sign, side in ((1.0, "+"), (-1.0, "-")):
            driver = f"d{side}{i}"
            held[driver] = sign * volts[i]
            end = (driver, tile.source)
            left = end if tile.drive != "right" else None
            right = end if tile.drive != "left" else None
            drawn += line(f"w{side}{i}", columns, tile.word_wire, left, right)
    for j in range(columns):
        held[f"s{j}"] = 0.0
        end = (f"s{j}", tile.load)
        top = end if tile.sense != "bottom" else None
        bottom = end if tile.sense != "top" else None
        drawn += line(f"b{j}", rows, tile.bit_wire, top, bottom)
        for i in range(rows):
            for side, cells in (("+", plus), ("-", minus)):
                if cells[i, j]:
                    drawn.append(((f"w{side}{i}", j), (f"b{j}", i), 1 / cells[i, j]))
    return np.array([nodal(drawn, held, f"s{j}") for j in range(columns)])


def design(layout="cell", more=None, **tile):
    lines = {"word_lines": 28, "bit_lines": 24}
    bank = xbar.Bank(
        resistors=2, nominal=20e3, sigma=0.2, spread="normal", on_off_ratio=200, layout=layout
    )
    return xbar.Hardware(bank=bank, tile=xbar.Tile(**lines, **tile), **more or {})


def crossings(tile):
    """(R, C, K) or so of plus and minus cells of an interleaved tile, as they lie in its array."""
    branch = tile.branch
    plus, minus = branch[:, 0::2], branch[:, 1::2]
    layout = tile.chip.hardware.bank.layout
    if layout == "cell":
        return plus.sum(-1), minus.sum(-1)
    if layout == "columns":
        return tuple(side.reshape(len(side), -1) for side in (plus, minus))
    return tuple(side.swapaxes(1, 2).reshape(-1, side.shape[1]) for side in (plus, minus))


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize(
    "ends", [{}, {"drive": "both"}, {"sense": "both"}, {"drive": "right", "sense": "top"}], ids=str
)
def test_interleaved_pairs_are_the_nodal_solution_of_their_drawing(layout, ends):
    program = xbar.compile({"fc": WEIGHTS}, design(layout, **INTERLEAVED, **ends), seed=3)
    tile = program.tiles[0]
    resistors = 2
    volts = RNG.uniform(-0.2, 0.2, tile.chip.hardware.cells[0])
    expected = interleaved_currents(
        *crossings(tile),
        np.repeat(volts, resistors) if layout == "rows" else volts,
        tile.chip.hardware.tile,
    )
    if layout == "columns":
        expected = expected.reshape(-1, resistors).sum(axis=1)
    found = tile.columns(tile.crossbar().read(tile.lines(volts[None])))[0]
    scale = np.abs(expected).max()
    assert np.abs(found[0::2] - found[1::2] - expected).max() < 1e-9 * scale
    matrix = tile.cells("nodal")
    assert np.abs(volts @ (matrix[:, 0::2] - matrix[:, 1::2]) - expected).max() < 1e-9 * scale


def test_interleaved_programs_read_what_their_tiles_conduct():
    program = xbar.compile({"fc": WEIGHTS}, design(**INTERLEAVED), seed=3)
    assert program.hardware.cells == (14, 48)
    ideal, nodal_ = (program.run({"fc": INPUTS}, readout=each)["fc"] for each in ("ideal", "nodal"))
    assert np.abs(ideal - INPUTS @ program.matrices()["fc"].T).max() < 1e-12
    assert np.abs(nodal_ - INPUTS @ program.matrices("nodal")["fc"].T).max() < 1e-12
    assert np.abs(ideal - nodal_).max() > 1e-4


def test_currents_that_cancel_along_the_bit_line_raise_it_less():
    weights, rise = np.random.default_rng(6).normal(size=(16, 64)), {}
    for name, lines in (("input-source", (64, 32)), ("interleaved-input-source", (128, 16))):
        tile = xbar.Tile(word_lines=lines[0], bit_lines=lines[1], bit_wire=20.0, topology=name)
        program = xbar.compile({"fc": weights}, design().model_copy(update={"tile": tile}), seed=1)
        array = program.tiles[0]
        solved = array.crossbar().solve(array.lines(np.full((1, 64), 0.2)))
        rise[name] = np.abs(solved.bit_voltage).max()
    assert rise["interleaved-input-source"] < 0.5 * rise["input-source"]


def test_wire_aware_programming_mends_interleaved_arrays():
    hardware = design(**INTERLEAVED)
    finer = hardware.bank.model_copy(update={"resistors": 7})
    hardware = hardware.model_copy(update={"bank": finer})
    plain, aware = (
        xbar.compile({"fc": WEIGHTS}, hardware, wire_aware=each, seed=2) for each in (False, True)
    )
    errors = [np.linalg.norm(each.matrices("nodal")["fc"] - WEIGHTS) for each in (plain, aware)]
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
def test_ngspice_confirms_interleaved_tiles(ngspice, layout, detail):
    program = xbar.compile({"fc": WEIGHTS}, design(layout, **INTERLEAVED), seed=3)
    assert xbar.verify(program, detail=detail).passed


def test_ngspice_confirms_interleaved_cells_that_bend(ngspice):
    hardware = design(**INTERLEAVED)
    bank = hardware.bank.model_copy(update={"nonlinearity": xbar.Nonlinearity(sinh=0.3)})
    program = xbar.compile({"fc": WEIGHTS}, hardware.model_copy(update={"bank": bank}), seed=3)
    assert xbar.verify(program, readout="nonlinear").passed
    tile = program.tiles[0]
    volts = tile.lines(np.full((1, 14), 0.2))
    bent = line_currents(tile.crossbar(), tile.law(), volts)
    assert np.abs(bent - tile.crossbar().read(volts)).max() > 1e-3 * np.abs(bent).max()


def test_interleaved_arrays_need_pairs():
    with pytest.raises(SpecError, match="share a bit line"):
        xbar.compile(
            {"fc": WEIGHTS}, design(**INTERLEAVED), options=xbar.Options(mapping="reference")
        )


def test_wires_of_other_topologies_are_refused():
    with pytest.raises(SpecError, match="no source lines"):
        xbar.Tile(source_wire=1.0)
    with pytest.raises(SpecError, match="carry no current"):
        xbar.Tile(word_wire=1.0, topology="separate-source")


SEPARATE = {"topology": "separate-source", "source_wire": 2.0, **WIRES}
PAIRED = SEPARATE | {"topology": "interleaved-separate-source"}
BITS = xbar.Converter(bits=5, bit_serial=1, code="twos-complement")
SELECTOR = xbar.Selector(
    voltage=(0.02, 0.05, 0.1, 0.15, 0.4), current=(1e-8, 3e-7, 4e-6, 3e-5, 4e-4)
)


def gated_design(tile, layout="cell", **more):
    return design(layout, {"dac": BITS, **more}, **tile)


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize("tile", [SEPARATE, PAIRED], ids=["separate", "paired"])
def test_gated_programs_read_each_bit_through_their_lines(layout, tile):
    """The sum over the DAC's steps of currents by the general solver, made by hand."""
    program = xbar.compile({"fc": WEIGHTS}, gated_design(tile, layout), seed=3)
    volts = program.hardware.read_voltage
    found = {each: program.run({"fc": INPUTS}, readout=each)["fc"] for each in ("ideal", "nodal")}
    by_hand = {each: np.zeros_like(found[each]) for each in found}
    for n, vector in enumerate(INPUTS):
        peak = np.abs(vector).max()
        codes = np.round(vector / peak * 15).astype(int)
        for bit in range(5):
            weight = (2**bit if bit < 4 else -16) / 15 * peak / volts
            on = (codes >> bit) & 1
            for each in program.tiles:
                for number, placed in enumerate(each.blocks):
                    lines = each.voltage(volts * on[placed.block.inputs][None], number)
                    array = each.array()
                    ideal = array.with_ideal_lines().solve(lines).current
                    for kind, amperes in (("ideal", ideal), ("nodal", array.solve(lines).current)):
                        pair = each.mapping.currents(each.columns(amperes), placed.block)[0]
                        by_hand[kind][n, placed.block.outputs] += weight * pair / placed.scale
    for kind, expected in by_hand.items():
        assert np.abs(found[kind] - expected).max() < 1e-9 * np.abs(expected).max()
    assert np.abs(found["ideal"] - found["nodal"]).max() > 1e-3 * np.abs(found["nodal"]).max()


@pytest.mark.parametrize("tile", [SEPARATE, PAIRED], ids=["separate", "paired"])
@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
def test_ngspice_confirms_gated_tiles(ngspice, tile, detail):
    program = xbar.compile({"fc": WEIGHTS}, gated_design(tile), seed=3)
    assert xbar.verify(program, detail=detail).passed


def test_gated_arrays_have_rows_of_their_own_in_the_error_budget():
    program = xbar.compile({"fc": WEIGHTS}, gated_design(SEPARATE), seed=3)
    result = xbar.simulate(program, {"fc": INPUTS}, readout="nodal", budget=True)
    names = {part.part for part in result.budget.parts}
    assert "sources" in names
    assert "wires" not in names
    alone = {part.part: part.error_alone for part in result.budget.parts}
    assert 1e-3 < alone["sources"] < 0.2
    assert result.budget.error_without_all < 1e-12


def test_gated_arrays_have_no_matrix_with_wires():
    program = xbar.compile({"fc": WEIGHTS}, gated_design(SEPARATE), seed=3)
    with pytest.raises(SpecError, match="word lines are gates"):
        program.matrices("nodal")
    with pytest.raises(SpecError, match="depends on the input"):
        xbar.compile({"fc": WEIGHTS}, gated_design(SEPARATE), seed=3, wire_aware=True)
    with pytest.raises(SpecError, match="DAC of bits"):
        design(**SEPARATE)


def test_drivers_of_gated_arrays_supply_what_their_read_costs():
    program = xbar.compile({"fc": WEIGHTS}, gated_design(PAIRED), seed=3)
    tile = program.tiles[0]
    lines = tile.voltage(program.hardware.read_voltage * np.ones((1, 7)))
    solved = tile.array().solve(lines)
    supplied = (solved.cell_current[0].sum(axis=0) * tile.array().sign).sum() * lines.max()
    assert tile.array().power(lines)[0] == pytest.approx(supplied, rel=1e-10)
    assert cost(program).layers[0].read_energy > 0


@pytest.mark.parametrize("tile", [SEPARATE, PAIRED], ids=["separate", "paired"])
def test_tuned_devices_between_source_lines_are_written_by_their_own_conductance(tile):
    hardware = gated_design(tile, cost=xbar.Cost(pulse_voltage=2.0, pulse_time="1 s", pulses=3))
    options = xbar.Options(programming="write-verify")
    program = xbar.compile({"fc": WEIGHTS}, hardware, seed=3, options=options)
    siemens = sum(each.conductance.sum() for each in program.tiles)
    # pulses of 1 s take so much that the reads between them count for nothing
    joules = cost(program).programming.writing_energy
    assert joules == pytest.approx(3 * 2.0**2 * 1.0 * siemens, rel=1e-6)


@pytest.mark.parametrize(
    "tile",
    [{"word_wire": 2.0, **WIRES}, INTERLEAVED, PAIRED],
    ids=["input-source", "interleaved", "gated"],
)
@pytest.mark.parametrize("law", [None, xbar.Nonlinearity(sinh=0.2)], ids=["ohmic", "bent"])
def test_ngspice_confirms_cells_with_selectors(ngspice, tile, law):
    hardware = gated_design(tile, selector=SELECTOR)
    bank = hardware.bank.model_copy(update={"nonlinearity": law})
    program = xbar.compile({"fc": WEIGHTS}, hardware.model_copy(update={"bank": bank}), seed=3)
    for detail in ("cell", "resistor"):
        assert xbar.verify(program, readout="nonlinear", detail=detail).passed
    with pytest.warns(XbarWarning, match="'nodal' is without the design's selectors"):
        plain = program.run({"fc": INPUTS}, readout="nodal")["fc"]
    held = program.run({"fc": INPUTS}, readout="nonlinear")["fc"]
    assert np.abs(plain - held).max() > 0.1 * np.abs(plain).max()


def test_selectors_have_a_row_in_the_error_budget():
    hardware = gated_design({"word_wire": 2.0, **WIRES}, selector=SELECTOR)
    program = xbar.compile({"fc": WEIGHTS}, hardware, seed=3)
    result = xbar.simulate(program, {"fc": INPUTS}, readout="nonlinear", budget=True)
    assert "selector" in {part.part for part in result.budget.parts}
    assert result.budget.error_without_all < 1e-12


@pytest.mark.parametrize("dialect", ["xyce", "hspice"])
def test_other_dialects_write_each_selectors_points(dialect):
    program = xbar.compile({"fc": WEIGHTS}, gated_design({**WIRES}, selector=SELECTOR), seed=3)
    tile = program.tiles[0]
    text = tile.netlist(dialect, readout="nonlinear").text.replace("\n+ ", " ")
    tables = [line for line in text.splitlines() if "4.0000000000000002e-04" in line]
    assert len(tables) == np.count_nonzero(tile.conductance)
    with pytest.raises(SpecError, match="ngspice, xyce or hspice"):
        tile.netlist("spectre", readout="nonlinear")


def test_a_selectors_table_in_a_file_has_units(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text('[selector]\nvoltage = ["200 mV", 0.5]\ncurrent = ["1 nA", 1e-5]\n')
    selector = xbar.Hardware.load(path).selector
    assert selector.voltage == (0.2, 0.5)
    assert selector.current == (1e-9, 1e-5)
    path.write_text("[selector]\nvoltage = [0.1, 0.5]\ncurrent = [1e-5, 1e-6]\n")
    with pytest.raises(SpecError, match=r"chip.toml: selector.*snaps back"):
        xbar.Hardware.load(path)


def test_an_amplifiers_offset_drives_all_cells_of_an_interleaved_line():
    """The bit line held at the offset by the circuit solver, the drivers at 0 V."""
    amplifier = xbar.Amplifier(offset="2 mV")
    program = xbar.compile({"fc": WEIGHTS}, design(more={"amplifier": amplifier}, **INTERLEAVED))
    tile = program.tiles[0]
    held = tile.crossbar().read(np.zeros((1, 28)), np.full(24, -1.0))[0]
    found = BlockCells(tile, 0).lines("nodal")
    assert found == pytest.approx(held[tile.blocks[0].block.columns], rel=0.02)
    alone = BlockCells(tile, 0).lines("ideal")
    assert alone == pytest.approx(tile.crossbar().conductance.sum(axis=0)[:5], rel=1e-12)
    with pytest.raises(SpecError, match=r"amplifier\.offset must be 0"):
        gated_design(SEPARATE, amplifier=amplifier)


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
