"""Arrays of transistors against branches on their own, and against the circuit of their wires."""

from dataclasses import replace

import numpy as np
import pytest
from silicon_designs import branches

from xbar.circuit.crossbar import Crossbar
from xbar.errors import SpecError
from xbar.hardware.fabricate import Deviations
from xbar.silicon.array import Array
from xbar.silicon.branch import Conditions, Copies, conductance
from xbar.silicon.ngspice import source
from xbar.silicon.tester import measure, transfer

IDEAL = {
    "word_wire": 0.0,
    "bit_wire": 0.0,
    "source": 0.0,
    "load": 0.0,
    "drive": "left",
    "sense": "bottom",
}


def array(process, lines=(2, 2), wires=None, seed=0, **more):
    made = branches(process)
    rng = np.random.default_rng(seed)
    shape = (*lines, len(made.length))
    own = Deviations(0.03 * rng.standard_normal(shape), 0.015 * rng.standard_normal(shape))
    word, bit = (np.arange(count) for count in lines)
    settings = {"rest": np.zeros(lines), "deviations": own, **more}
    return Array(made, {**IDEAL, **(wires or {})}, word, bit, **settings)


def test_behind_ideal_wires_each_branch_is_one_simulated_alone(gf180mcu):
    made = array(gf180mcu)
    w, b, k = made.shape
    copies = Copies(
        np.tile(np.arange(k), w * b),
        made.deviations.resistor.reshape(-1),
        made.deviations.threshold.reshape(-1),
        np.ones(w * b * k, dtype=bool),
    )
    alone = conductance(made.branches, copies, Conditions(), 0.0)
    np.testing.assert_allclose(measure(made).on.reshape(-1), alone, rtol=1e-7)


def test_open_branches_conduct_next_to_nothing(gf180mcu):
    found = measure(array(gf180mcu))
    assert np.all(found.off >= 0)
    assert found.off.max() < 1e-9 * found.on.min()


@pytest.fixture(scope="module")
def bare(gf180mcu):
    """3 x 2 cells behind ideal wires, with some switches closed, and their conductances."""
    made = array(gf180mcu, (3, 2))
    closed = np.random.default_rng(1).random(made.shape) < 0.6
    found = measure(made)
    return made, closed, np.where(closed, found.on, found.off).sum(axis=-1)


@pytest.mark.parametrize(
    "wires",
    [
        {"word_wire": 40.0, "bit_wire": 25.0},
        {"word_wire": 40.0, "bit_wire": 25.0, "source": 90.0, "load": 70.0, "drive": "right"},
        {"word_wire": 40.0, "sense": "both", "drive": "both", "source": 60.0, "load": 30.0},
        {"bit_wire": 25.0, "sense": "top", "source": 90.0, "drive": "both"},
    ],
    ids=lambda wires: "_".join(wires),
)
def test_wires_are_those_of_the_crossbar(bare, wires):
    made, closed, cells = bare
    made = replace(made, wires={**IDEAL, **wires})
    expected = Crossbar(cells, **made.wires).transfer.T
    found = transfer(made, closed)
    # the branches are not ohmic: behind wires they see less of the read voltage
    effect = np.abs(expected - cells).max()
    assert effect > 1e-3 * cells.max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01 * effect)


def test_the_rest_of_a_tile_loads_the_wires_of_the_sample(gf180mcu):
    wires = {"word_wire": 40.0, "bit_wire": 25.0}
    rng = np.random.default_rng(2)
    rest = np.where(rng.random((4, 5)) < 0.2, 0.0, 2e-4 * rng.random((4, 5)))
    made = array(gf180mcu, (2, 2), wires, rest=rest)
    made = replace(made, word_lines=np.array([1, 3]), bit_lines=np.array([0, 3]))
    place = np.ix_(made.word_lines, made.bit_lines)
    closed = rng.random(made.shape) < 0.6
    alone = measure(replace(made, wires=IDEAL, rest=np.zeros_like(rest)))
    own, cells = np.zeros_like(rest), rest.copy()
    own[place] = cells[place] = np.where(closed, alone.on, alone.off).sum(axis=-1)
    with_rest, without = (Crossbar(each, **made.wires).transfer.T[place] for each in (cells, own))
    effect = np.abs(with_rest - without).max()
    assert effect > 1e-3 * cells.max()
    np.testing.assert_allclose(transfer(made, closed), with_rest, rtol=0, atol=0.01 * effect)


def test_a_transmission_gate_is_closed_by_both_its_gates(gf180mcu):
    made = array(gf180mcu, (1, 2))
    both = replace(made, branches=replace(made.branches, kind="transmission"))
    found = measure(both)
    assert found.off.max() < 1e-9 * found.on.min()
    assert np.all(found.on > 0)
    closed = np.ones(made.shape, dtype=bool)
    np.testing.assert_allclose(transfer(both, closed), found.on.sum(axis=-1), rtol=1e-7)


def test_the_process_draws_its_own_mismatch_by_seed(gf180mcu):
    made = array(gf180mcu, (1, 2), deviations=None)
    one, again, other = (
        measure(replace(made, conditions=Conditions(seed=seed))).on for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one / other - 1).max() > 1e-5
    assert np.abs(one[0, 0] / one[0, 1] - 1).max() > 1e-5


def test_an_array_has_deviations_of_one_kind(gf180mcu):
    with pytest.raises(SpecError, match="either deviations or a seed of mismatch, not both"):
        array(gf180mcu, conditions=Conditions(seed=1))


def test_sources_say_only_the_points_where_they_change():
    assert source("x", "n", np.full(3, 0.25)) == "Vx n 0 0.25"
    told = source("x", "n", np.array([0.0, 0, 0, 1, 1, 0]))
    assert told == "Bx n 0 V=pwl(v(sel),0,0,2,0,3,1,4,1,5,0)"
