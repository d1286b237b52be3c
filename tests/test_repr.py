"""What a value says of itself: a few lines however large it is, the table when it is printed."""

import re
from dataclasses import replace

import numpy as np
import pytest

import xbar
from xbar.cli.main import app
from xbar.simulation.result import Budget, BudgetPart, LayerResult, Result
from xbar.tables import few

RNG = np.random.default_rng(0)
HARDWARE = xbar.Hardware(
    name="trial chip",
    bank=xbar.Bank(resistors=4, nominal="20k", sigma=0.2, on_off_ratio=100),
    tile=xbar.Tile(word_lines=16, bit_lines=16, word_wire=1.5, bit_wire=2.5),
    adc=xbar.Converter(bits=7),
)
RESULT = Result(
    readout="nodal",
    trials=3,
    seed=0,
    inputs=200,
    accuracy=0.9,
    interval=(0.85, 0.94),
    digital_accuracy=0.95,
    accuracies=(0.9, 0.9, 0.9),
    layers=(LayerResult("fc", 2, 100, 30.0, 4.69, 0.0123),),
    budget=Budget(0.9, 0.2, 0.95, 1e-8, (BudgetPart("wires", 0.94, 0.91, 0.05, 0.19),)),
)


@pytest.fixture(scope="module")
def program():
    return xbar.compile(RNG.standard_normal((10, 40)), HARDWARE, seed=7)


def test_a_program_of_100_tiles_takes_under_600_characters():
    hardware = xbar.Hardware(bank=xbar.Bank(resistors=2), tile=xbar.Tile(word_lines=8, bit_lines=8))
    matrices = {f"features.{i}.conv.weight": RNG.standard_normal((8, 40)) for i in range(10)}
    program = xbar.compile(matrices, hardware, seed=0, wire_aware=True)
    assert len(program.tiles) == 100
    text = repr(program)
    assert len(text) < 600
    assert "100 of 8 x 8" in text
    assert "10 layers" in text
    assert "3,200" in text
    assert "wire_aware=True" in text


def test_a_program_names_its_chip_and_its_layers(program):
    text = repr(program)
    assert "matrix" in text
    assert "seed 7" in text
    assert "design trial chip" in text
    assert "400, 8 resistors each" in text


def test_a_chip_shows_the_design_that_it_is_an_instance_of():
    lines = repr(xbar.Chip.sample(HARDWARE, 7)).splitlines()
    assert lines[0] == "Chip"
    words = [" ".join(line.split()) for line in lines[1:]]
    assert words == [
        "chip sampled, seed 7",
        "design trial chip",
        "bank 4 resistors a cell, 20 kohm, lognormal spread of 20 %, on/off 100",
        "tile 16 x 16 lines, 1.5 and 2.5 ohm a segment",
        "ADC 7 bits",
    ]


def test_what_is_known_of_branches_by_resistor_is_not_cut_off():
    bank = xbar.Bank(
        resistors=8,
        nominal=[25.1e3 + 1.46e3 * k for k in range(8)],
        spread="resistance",
        sigma=[0.04339 - 1.2e-3 * k for k in range(8)],
        series=182.7,
        switch=xbar.Switch(resistance=1220.0, slope=-1.3, bend=-0.7, sigma=0.0273),
        on_off_ratio=[(4.037 + 0.2 * k) * 1e11 for k in range(8)],
    )
    text = repr(xbar.Hardware(bank=bank))
    assert "…" not in text
    assert "on/off 4.037e+11 to 5.437e+11" in text


def test_a_measured_chip_says_how_many_tiles_were_measured(tmp_path):
    np.savez(tmp_path / "chip.npz", on=np.full((3, 16, 16, 4), 1e-5))
    assert "measured, 3 tiles" in repr(xbar.Chip.from_measurement(tmp_path / "chip.npz", HARDWARE))


def test_a_result_is_one_line_and_prints_as_the_table_of_the_command_line():
    assert repr(RESULT) == (
        "Result(nodal read-out, 3 chips, 200 inputs, accuracy 90.00 %, digital 95.00 %)"
    )
    text = str(RESULT)
    assert "error budget" in text
    assert text.endswith("\naccuracy 90.00 % (95 % interval 85.00 to 94.00 %), digital 95.00 %\n")


def test_the_command_line_prints_what_print_does(program, tmp_path, capsys):
    program.save(tmp_path / "p.xbar")
    inputs = RNG.standard_normal((9, 40))
    np.savez(tmp_path / "d.npz", inputs=inputs)
    arguments = ["simulate", str(tmp_path / "p.xbar"), "--data", str(tmp_path / "d.npz")]
    with pytest.raises(SystemExit) as end:
        app(arguments)
    assert end.value.code == 0
    assert capsys.readouterr().out == str(xbar.simulate(program, inputs))


def test_a_score_is_a_number_or_says_that_labels_are_missing():
    assert (RESULT.score, RESULT.digital_score) == (0.9, 0.95)
    bare = replace(RESULT, accuracy=None, digital_accuracy=None)
    for name in ("score", "digital_score"):
        with pytest.raises(xbar.SpecError, match="a score needs labels"):
            getattr(bare, name)
    assert repr(bare) == "Result(nodal read-out, 3 chips, 200 inputs)"


def values(program):
    """A value of each kind, larger than anybody wants to read."""
    crossbar = program.tiles[0].crossbar()
    network = xbar.ResistorNetwork(np.arange(500), np.arange(1, 501), np.ones(500), terminals=2)
    yield from (program, program.chip, HARDWARE, *program.tiles, *program.tiles[0].blocks)
    yield from (
        program.plan,
        program.reader(),
        program.placement,
        crossbar,
        crossbar.solve(np.ones((3, 16))),
        network,
    )
    yield program.tiles[0].netlist()
    yield xbar.solve_subset(RNG.random((300, 9)), 1.0)
    yield xbar.subset.solve_robust(RNG.random(9), 1.0, read_noise=0.1)
    yield xbar.subset.get_solver("meet-in-the-middle").prepare(RNG.random((300, 9)))
    result = xbar.simulate(program, RNG.standard_normal((9, 40)), budget=True, cost=True)
    yield from (result, result.budget, result.cost)


def test_no_value_takes_more_than_a_few_lines(program):
    for value in values(program):
        text = repr(value)
        assert text.startswith(type(value).__name__)
        assert len(text) < 600
        assert len(text.splitlines()) <= 9


def test_small_answers_are_shown_whole():
    text = repr(xbar.solve_subset([1.0, 2.0, 4.0, 9.0], 7.2))
    assert "mask=[1 1 1 0]" in text
    assert "achieved=7" in text
    assert "status='optimal'" in text


def test_names_cannot_command_a_terminal_or_flood_it():
    hostile = {"a\x1b[2J" + "x" * 500: [[1.0]]}
    text = repr(xbar.compile(hostile, HARDWARE, seed=0))
    assert "\x1b" not in text
    assert len(text) < 600
    assert few(["a"] * 4) == "a, a, a, a"


def test_a_network_and_a_ticket_and_its_certificate_say_what_they_are():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(40, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3))
    graph = xbar.model.from_module(module, (40,))
    assert "2 layers" in repr(graph)
    assert re.search(r"input +\(N, 40\)", repr(graph))
    assert repr(graph.layers[0]).startswith("Layer(name='0', kind='linear', shape=(1, 12, 40)")
    ticket = xbar.pruning.approximate(module, epsilon=0.1, seed=2)
    assert repr(ticket).startswith("Approximation\n  method")
    assert "seed 2" in repr(ticket)
    assert "516, chosen from" in repr(ticket.certificate)  # 40 x 12 + 12 x 3 weights
    for value in (graph, ticket, ticket.certificate, *ticket.certificate.layers):
        assert len(repr(value)) < 600
