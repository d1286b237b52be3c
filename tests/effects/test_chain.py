"""Which effects act, in what order, and what is told where one can't."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.effects import EFFECTS
from xbar.effects.chain import Chain
from xbar.effects.effect import Effect, ExactCells, Read, changes
from xbar.effects.expected import expected_error
from xbar.effects.namespace import NUMPY
from xbar.effects.ranges import full_scales, pools
from xbar.errors import SpecError
from xbar.simulation.readout import AnalogProducts

BARE = xbar.Hardware()
FULL = xbar.Hardware(
    bank=xbar.Bank(nonlinearity={"sinh": 0.3}),
    tile=xbar.Tile(load=1.0),
    dac=xbar.Converter(bits=4),
    adc=xbar.Converter(bits=4, range=1e-6),
    variation=xbar.Variation(read_noise=0.05),
)
WEIGHTS = {"fc": np.ones((2, 3))}


@pytest.mark.parametrize(
    ("hardware", "readout", "names"),
    [
        (BARE, "ideal", ["selection"]),
        (BARE, "nodal", ["selection"]),
        (FULL, "ideal", ["dac", "selection", "noise", "adc"]),
        (FULL, "nodal", ["dac", "selection", "wires", "noise", "adc"]),
        (FULL, "nonlinear", ["dac", "selection", "wires", "nonlinearity", "noise", "adc"]),
    ],
)
def test_what_acts_is_what_the_design_has_and_the_readout_sees(hardware, readout, names):
    assert [effect.name for effect in Chain.of(hardware, readout).acting] == names


def test_the_tuple_shows_itself_by_names():
    shown = (
        "(Dac(), DacInl(), Selection(), Drift(), Temperature(), Faults(), Wires(), Idle(), "
        "SourceLines(), Nonlinearity(), Selector(), ReadNoise(), AmplifierNoise(), Amplifier(), "
        "Swing(), Sampling(), AdcOffset(), AdcNoise(), AdcInl(), Adc())"
    )
    assert repr(EFFECTS) == shown


def test_the_tuple_is_in_signal_order():
    """No effect on currents comes before one on conductances, nor that before one on voltages."""
    place = {"voltage": 0, "drive": 0, "conductance": 1, "current": 2}
    places = [place[hook] for effect in EFFECTS for hook in place if changes(effect, hook)]
    assert places == sorted(places)
    assert len({effect.name for effect in EFFECTS}) == len(EFFECTS)
    assert all(any(changes(effect, hook) for hook in (*place, "variance")) for effect in EFFECTS)


@pytest.mark.parametrize("table", ["docs/simulation.md"])
def test_the_table_of_effects_is_the_tuple(table):
    text = (Path(__file__).parents[2] / table).read_text()
    section = text.split("## 4. ")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [e.name for e in EFFECTS]
    for effect in EFFECTS:
        (row,) = re.findall(rf"^\| `{effect.name}` \|.*$", section, re.MULTILINE)
        assert all(key in row for key in re.findall(r"[\w.]+\.\w+|\bdac\b|\badc\b", effect.key))


@pytest.mark.parametrize(
    ("readout", "names", "message"),
    [
        ("spice", None, "readout must be 'ideal', 'nodal' or 'nonlinear', not 'spice'"),
        ("nonlinear", None, r"needs effect 'nonlinearity'.*bank\.nonlinearity with sinh or odd"),
        ("ideal", {"creep"}, "effect must be one of dac, dac_inl, selection, .*, adc, not 'creep'"),
        ("ideal", {"drift"}, r"effect 'drift' needs later\.time \(Chip\.at\) in the design"),
        ("ideal", {"wires"}, "effect 'wires' must be read with readout 'nodal' or 'nonlinear'"),
        ("nodal", {"wires"}, r"effect 'wires' needs tile\.word_wire, tile\.bit_wire, .*; set it"),
        ("ideal", {"adc"}, "effect 'adc' needs adc in the design, which has none; set it or"),
        ("ideal", {"noise"}, r"effect 'noise' needs variation\.read_noise in the design"),
    ],
)
def test_what_can_not_act_is_told_in_one_line(readout, names, message):
    with pytest.raises(SpecError, match=message) as caught:
        Chain.of(BARE, readout, names)
    assert "\n" not in str(caught.value)
    program = xbar.compile(WEIGHTS, BARE, seed=0)
    with pytest.raises(SpecError, match=message):
        AnalogProducts(program, readout, 0, names)("fc", np.ones((1, 1, 3)))


@pytest.mark.parametrize("budget", ["creep", ["selection", "creep"]])
def test_a_budget_of_an_unknown_effect_is_refused(budget):
    program = xbar.compile(WEIGHTS, BARE, seed=0)
    with pytest.raises(SpecError, match=r"effect must be one of dac, .*, not 'creep'"):
        xbar.simulate(program, np.ones((1, 3)), budget=budget)


def test_a_budget_of_some_effects_tells_those():
    program = xbar.compile(WEIGHTS, FULL, seed=0)
    x = np.random.default_rng(0).standard_normal((4, 3))
    whole = xbar.simulate(program, x, readout="nodal", budget=True).budget
    some = xbar.simulate(program, x, readout="nodal", budget=["adc", "wires"]).budget
    assert some.parts == tuple(part for part in whole.parts if part.part in ("wires", "adc"))
    assert (some.error, some.error_without_all) == (whole.error, whole.error_without_all)


def test_the_expected_error_is_the_noise_of_the_design():
    assert expected_error(BARE) == expected_error(FULL.model_copy(update={"variation": {}}))
    assert (expected_error(BARE).gain, expected_error(BARE).noise) == (1.0, 0.0)
    for noise in (0.01, 0.03, 1 / 7):
        hardware = FULL.model_copy(update={"variation": xbar.Variation(read_noise=noise)})
        assert (expected_error(hardware).gain, expected_error(hardware).noise) == (1.0, noise)


def test_the_expected_error_is_what_sampling_measures():
    """A cell of three resistors that is read 200,000 times with its noise."""
    hardware = BARE.model_copy(update={"variation": xbar.Variation(read_noise=0.1)})
    g, target = np.array([1.0, 2.0, 0.5]), 3.4
    shaken = g * (1 + 0.1 * np.random.default_rng(0).standard_normal((200_000, 3)))
    measured = ((shaken.sum(axis=1) - target) ** 2).mean()
    expected = expected_error(hardware).of(g.sum(), target, (g**2).sum())
    assert expected == pytest.approx(measured, rel=0.01)


def test_an_effect_changes_nothing_but_what_it_overrides():
    effect, x = Effect(), np.arange(6.0).reshape(2, 3)
    read = Read(FULL, NUMPY)
    assert effect.acts(BARE, "ideal")
    assert effect.conductance(x, ExactCells(x)) is x
    assert effect.current(x, read) is x
    assert [(weight, step is x) for weight, step in effect.voltage(x, read)] == [(1.0, True)]
    assert effect.variance(x, FULL) == 0.0
    assert not any(changes(effect, hook) for hook in ("voltage", "variance", "current"))


def test_voltages_pass_through_all_effects_on_them(monkeypatch):
    """Two drivers of two steps each give four, whose readings count the products."""

    class Halves(Effect):
        name = "halves"

        def voltage(self, volts, read):
            yield 3.0, volts / 4
            yield 1.0, volts / 4

    class Other(Halves):
        name = "other"

    monkeypatch.setattr(xbar.effects, "EFFECTS", (Halves(), *EFFECTS, Other()))
    chain = Chain.of(BARE, "ideal")
    steps = list(chain.steps(np.array([16.0]), Read(BARE, NUMPY)))
    assert [(weight, volts.tolist()) for weight, volts in steps] == [
        (9.0, [1.0]),
        (3.0, [1.0]),
        (3.0, [1.0]),
        (1.0, [1.0]),
    ]


def test_ranges_are_shared_as_the_design_says():
    columns = {(0, 0): np.array([0, 1, 2]), (1, 0): np.array([3, 4])}
    reach = {(0, 0): np.array([1.0, 5.0, 2.0]), (1, 0): np.array([0.0, 7.0])}

    def scales(**changes):
        found = full_scales(reach, columns, xbar.Converter(bits=4, **changes))
        return [each.tolist() for each in found.values()]

    assert scales() == [[5.0, 5.0, 5.0], [7.0, 7.0]]
    assert scales(ranging="layer") == [[7.0, 7.0, 7.0], [7.0, 7.0]]
    assert scales(ranging="converter") == [[1.0, 5.0, 2.0], [1.0, 7.0]]
    assert scales(ranging="converter", shared=2) == [[5.0, 5.0, 2.0], [1.0, 7.0]]
    assert scales(range=3.0) == [[3.0, 3.0, 3.0], [3.0, 3.0]]
    numbers = pools(columns, xbar.Converter(bits=4, ranging="converter", shared=2))
    assert [each.tolist() for each in numbers.values()] == [[0, 0, 1], [2, 3]]


def test_two_effects_of_one_name_are_refused(monkeypatch):
    """Variances are kept by name: the second would take the place of the first."""

    class Flicker(Effect):
        name = "noise"

        def variance(self, power, hardware):
            return 1e-4 * power

    monkeypatch.setattr(xbar.effects, "EFFECTS", (*EFFECTS, Flicker()))
    with pytest.raises(SpecError, match=r"must have different names, but 2 are 'noise'; rename"):
        Chain.of(xbar.Hardware(), "ideal")
