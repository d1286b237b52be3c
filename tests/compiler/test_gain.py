"""A gain between conductance and reading that all weights share costs nothing: scales follow it."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
import xbar.effects
from xbar.effects.effect import Effect
from xbar.effects.expected import expected_error
from xbar.errors import SpecError

WEIGHTS = np.random.default_rng(0).standard_normal((6, 14))
X = np.random.default_rng(1).standard_normal((400, 14))


def amplifier(factor):
    class Gain(Effect):
        name = "gain"

        def current(self, current, read):
            return factor * current

    return Gain()


def ageing(factor):
    class Ageing(Effect):
        name = "ageing"

        def conductance(self, conductance, cells):
            return factor * conductance

    return Ageing()


def design(wire=0.0, noise=0.0, faults=0.0):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=6, on_off_ratio=50, stuck_open=faults),
        tile=xbar.Tile(word_lines=20, bit_lines=16, word_wire=wire, bit_wire=wire),
        variation=xbar.Variation(read_noise=noise),
    )


def compiled(hardware, **options):
    return xbar.compile(WEIGHTS, xbar.Chip.sample(hardware, 0), options=xbar.Options(**options))


@pytest.mark.parametrize("factor", [0.25, 4.0])  # powers of two round nothing
@pytest.mark.parametrize("mapping", ["pair", "reference"])
@pytest.mark.parametrize(
    ("hardware", "options"),
    [
        (design(), {}),
        (design(), {"programming": "nominal"}),
        (design(), {"scale_per": "layer"}),
        (design(noise=0.03), {}),
        (design(faults=0.1), {}),
        (design(faults=0.1), {"scale_per": "layer"}),
        (design(wire=0.5), {"wire_aware": True}),
        (design(wire=20.0), {"wire_aware": True}),
        (design(wire=5.0, noise=0.03), {"wire_aware": True, "scale_per": "tile"}),
    ],
)
def test_the_same_switches_are_chosen_and_the_same_outputs_read(
    hardware, options, mapping, factor, monkeypatch
):
    plain = compiled(hardware, mapping=mapping, **options)
    residual, effects = plain.tiles[0].residual()[0], xbar.effects.EFFECTS
    beyond = [(weight.output, weight.input) for weight in plain.unreachable()]
    if hardware.variation.read_noise:  # read by the same way: variances, float32, tile by tile
        monkeypatch.setattr(xbar.effects, "EFFECTS", (*effects, amplifier(1.0)))
    expected = plain.run(X, readout="nodal")
    monkeypatch.setattr(xbar.effects, "EFFECTS", (*effects, amplifier(factor)))
    found = compiled(hardware, mapping=mapping, **options)
    np.testing.assert_array_equal(found.tiles[0].packed, plain.tiles[0].packed)
    np.testing.assert_allclose(found.run(X, readout="nodal"), expected, rtol=1e-9, atol=1e-12)
    reached, before = found.tiles[0].reached[0], plain.tiles[0].reached[0]
    assert reached.clipped == before.clipped
    assert reached.worst == pytest.approx(factor * before.worst, rel=1e-9)
    assert [(weight.output, weight.input) for weight in found.unreachable()] == beyond
    np.testing.assert_allclose(
        found.tiles[0].residual()[0], factor * residual, rtol=1e-6, atol=1e-9 * reached.largest
    )


@pytest.mark.parametrize("place", ["before the noise", "after it"])
def test_the_expected_noise_is_that_of_readings_where_conductances_change(place, monkeypatch):
    hardware, effects = design(noise=0.2), list(xbar.effects.EFFECTS)
    effects.insert(2 if place == "before the noise" else len(effects), ageing(0.5))
    monkeypatch.setattr(xbar.effects, "EFFECTS", tuple(effects))
    program = compiled(hardware)
    volts = np.zeros((20_000, 14))
    volts[:, 3] = 1.0
    read = program.run(volts)
    tile, part = program.tiles[0], program.tiles[0].blocks[0]
    expected = expected_error(hardware)
    wanted = part.target[3]
    power = expected.of(tile.difference("ideal")[0][3], wanted, tile.noise_power("ideal")[0][3])
    found = ((read * part.scale - wanted) ** 2).mean(axis=0)
    np.testing.assert_allclose(found, power, rtol=0.06)


@pytest.mark.parametrize("factor", [0.0, -0.5, np.inf])
def test_what_can_not_be_programmed_for_is_refused(factor, monkeypatch):
    monkeypatch.setattr(xbar.effects, "EFFECTS", (*xbar.effects.EFFECTS, amplifier(factor)))
    with pytest.raises(SpecError, match=r"positive conductance.*one of selection, gain$"):
        compiled(design())


def test_amplifiers_that_saturate_are_asked_about_a_cell_of_the_banks(monkeypatch):
    """Half of the current of one resistor at 1 V is lost, and a reading has rows and columns."""
    hardware = design()
    resistor = 2.0 ** round(np.log2(hardware.bank.nominal_conductance.mean()))

    class Saturation(Effect):
        name = "saturation"

        def current(self, current, read):
            assert read.voltage.sum(axis=1).shape == (len(current),)
            return current / (1.0 + abs(current) / resistor)

    monkeypatch.setattr(xbar.effects, "EFFECTS", (*xbar.effects.EFFECTS, Saturation()))
    assert expected_error(hardware).gain == pytest.approx(0.5, rel=1e-12)
