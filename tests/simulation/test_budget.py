"""The error budget: a part that is off leaves no trace, and all of them off leave the network."""

from dataclasses import replace

import numpy as np
import pytest

import xbar
from xbar.compiler.options import Options
from xbar.effects.chain import Chain
from xbar.simulation.blocks import BlockCells
from xbar.simulation.dataset import read_dataset
from xbar.simulation.readout import AnalogProducts, product

BAD = xbar.Hardware(
    bank=xbar.Bank(resistors=4, on_off_ratio=30, nominal=10e3, nonlinearity={"sinh": 0.3}),
    tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=4.0, bit_wire=4.0),
    dac=xbar.Converter(bits=4),
    adc=xbar.Converter(bits=4),
    variation=xbar.Variation(read_noise=0.05),
)


@pytest.fixture(scope="module")
def data(trained):
    return read_dataset(trained.data)


@pytest.fixture(scope="module")
def program(trained):
    return xbar.compile(xbar.read_model(trained.path), BAD, seed=2)


@pytest.fixture(scope="module")
def result(program, data):
    return xbar.simulate(program, data.inputs, data.labels, readout="nodal", budget=True)


def test_all_parts_off_leave_the_digital_accuracy(result):
    budget = result.budget
    assert budget.accuracy == result.accuracy
    assert budget.accuracy < result.digital_accuracy
    assert budget.accuracy_without_all == result.digital_accuracy
    assert budget.error_without_all < 1e-6


def test_every_part_that_acts_is_listed_and_does_harm_alone(result):
    parts = {part.part: part for part in result.budget.parts}
    assert list(parts) == ["dac", "selection", "wires", "noise", "adc"]
    for part in parts.values():
        assert part.error_alone > 1e-3
    assert parts["wires"].error_without < result.budget.error


def test_parts_of_an_ideal_read_are_fewer(program, data):
    budget = xbar.simulate(program, data.inputs[:20], budget=True).budget
    assert [part.part for part in budget.parts] == ["dac", "selection", "noise", "adc"]
    assert budget.accuracy is None


def test_off_means_what_the_hardware_without_it_does(program, data):
    """Each part off equals the same switches on a design that never had it."""
    without = {
        "dac": {"dac": None},
        "adc": {"adc": None},
        "noise": {"variation": xbar.Variation()},
    }
    graph, inputs = program.graph, data.inputs[:30]
    for part, change in without.items():
        chip = xbar.Chip.sample(BAD.model_copy(update=change), seed=2)
        tiles = tuple(replace(tile, chip=chip) for tile in program.tiles)
        plain = replace(program, plan=replace(program.plan, chip=chip), tiles=tiles)
        effects = Chain.of(BAD, "nodal").names - {part}
        off = graph.run(inputs, AnalogProducts(program, "nodal", 5, effects))
        np.testing.assert_array_equal(off, graph.run(inputs, AnalogProducts(plain, "nodal", 5)))
    quiet = program.graph.run(inputs, AnalogProducts(program, "nodal", 5, frozenset({"selection"})))
    shapes = {name: weight.shape for name, weight in program.weights.items()}
    matrices = {name: m.reshape(shapes[name]) for name, m in program.matrices().items()}
    exact = graph.run(inputs, lambda layer, x: product(x, matrices[layer]))
    np.testing.assert_allclose(quiet, exact, rtol=1e-5, atol=1e-5)


def test_selection_off_is_the_target_and_wires_still_act(program):
    for tile in program.tiles:
        (part,) = tile.blocks
        cells = BlockCells(tile, 0)
        flat = Chain.of(BAD, "nodal", ()).conductance(cells)
        np.testing.assert_array_equal(flat, part.target)
        wired = Chain.of(BAD, "nodal", {"wires"}).conductance(cells)
        # an array whose cells make the targets exactly, solved with its wires
        exact = tile.cells("ideal").copy()
        missed = tile.difference("ideal")[0] - part.target
        rows = part.block.word_lines[:, None]
        exact[rows, 2 * part.block.columns + 1] += np.maximum(missed, 0)
        exact[rows, 2 * part.block.columns] -= np.minimum(missed, 0)
        wires = BAD.tile.word_wire, BAD.tile.bit_wire
        transfer = xbar.Crossbar(exact, *wires).transfer.T
        expected = transfer[rows, 2 * part.block.columns]
        expected = expected - transfer[rows, 2 * part.block.columns + 1]
        scale = np.abs(part.target).max()
        np.testing.assert_allclose(wired, expected, atol=0.02 * scale)
        assert np.abs(wired - part.target).max() > 0.02 * scale


def test_a_program_made_for_its_wires_is_budgeted_against_one_without_them(trained, data):
    mild = BAD.model_copy(
        update={
            "bank": xbar.Bank(resistors=6, nominal=50e3),
            "dac": None,
            "adc": None,
            "variation": xbar.Variation(),
            "tile": xbar.Tile(word_lines=32, bit_lines=32, word_wire=2.0, bit_wire=2.0),
        }
    )
    graph = xbar.read_model(trained.path)
    program = xbar.compile(graph, mild, seed=0, wire_aware=True)
    plain = xbar.compile(graph, mild, seed=0)
    budget = xbar.simulate(program, data.inputs, data.labels, readout="nodal", budget=True).budget
    parts = {part.part: part for part in budget.parts}
    digital = graph.run(data.inputs)

    def error(p, readout):
        missed = p.run(data.inputs, readout=readout) - digital
        return np.sqrt((missed**2).sum() / (digital**2).sum())

    assert budget.error == pytest.approx(error(program, "nodal"), rel=1e-4)
    assert parts["wires"].error_without == pytest.approx(error(plain, "ideal"), rel=1e-4)
    assert parts["selection"].error_without < 1e-6


def test_bare_matrices_have_a_budget_too():
    program = xbar.compile({"a": np.eye(3), "b": np.ones((2, 5))}, BAD, seed=0)
    budget = xbar.simulate(program, {"a": np.eye(3), "b": np.ones((4, 5))}, budget=True).budget
    assert budget.error > budget.error_without_all
    assert budget.error_without_all < 1e-12


@pytest.mark.parametrize(
    "options",
    [
        {"mapping": "reference"},
        {"scale_per": "layer"},
        {"programming": "write-verify"},
        {"programming": "bit-slice"},
        {"programming": "nominal"},
        {"pack": "any"},
        {"swap_lines": "always"},
    ],
    ids=str,
)
def test_however_it_is_programmed_all_parts_off_leave_the_products(options):
    rng = np.random.default_rng(5)
    weights = {"a": rng.standard_normal((20, 40)), "b": rng.standard_normal((2, 3, 8))}
    x = {"a": rng.standard_normal((6, 40)), "b": rng.standard_normal((6, 2, 8))}
    program = xbar.compile(weights, BAD, seed=3, options=Options(**options))
    result = xbar.simulate(program, x, readout="nodal", budget=True, cost=True)
    assert result.budget.error > 1e-3
    assert result.budget.error_without_all < 1e-12
    assert result.cost.energy > 0
    linear = AnalogProducts(program, "nodal", 0, frozenset({"selection", "wires"}))
    for name, matrix in program.matrices("nodal").items():
        values = x[name].reshape(6, *weights[name].shape[:-2], -1)
        expected = np.einsum("n...i,...oi->n...o", values, matrix)
        found = linear(name, x[name].reshape(6, -1, weights[name].shape[-1]))
        np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-9, atol=1e-9)
