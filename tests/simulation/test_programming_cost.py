"""Programming: counted device by device."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.simulation.programming_cost import programming_cost

RNG = np.random.default_rng(11)
WEIGHTS = {"fc": RNG.standard_normal((7, 19))}


def program(constants, **options):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=3, nominal=10e3, on_off_ratio=100),
        tile=xbar.Tile(word_lines=8, bit_lines=10),
        dac=xbar.Converter(bits=4, bit_serial=1, range=0.3),
        adc=xbar.Converter(bits=6, shared=2),
        cost=constants,
    )
    return xbar.compile(WEIGHTS, hardware, seed=0, options=xbar.Options(**options))


def test_a_chosen_chip_is_measured_resistor_by_resistor_and_written_line_by_line():
    constants = xbar.Cost(
        read_time="50 ns", adc_time="5 ns", write_energy="2 pJ", write_time="4 ns",
        measurements=3, tiles_at_once=4,
    )  # fmt: skip
    p = program(constants)
    found = programming_cost(p)
    tiles = len(p.tiles)
    assert tiles == 6
    joules = energy = 0.0
    measured = written = 0
    for _ in range(tiles * 8 * 10 * 3):
        read = 0.3**2 / 10e3 * 50e-9
        converters = constants.dac_energy + constants.adc_energy(6) + constants.hold_energy
        joules += 3 * (read + converters)
        energy += 2e-12
        measured, written = measured + 3, written + 1
    assert (found.measured, found.written) == (measured, written)
    assert found.measuring_energy == pytest.approx(joules)
    assert found.writing_energy == pytest.approx(energy)
    # 6 tiles, 4 at a time: two rounds of 8 word lines with 3 resistors on each line of a pair
    assert found.measuring_time == pytest.approx(2 * 8 * 3 * 2 * 3 * (50e-9 + 2 * 5e-9))
    assert found.writing_time == pytest.approx(2 * 8 * 4e-9)
    assert found.energy == pytest.approx(joules + energy)


def test_nominal_codes_are_written_without_a_measurement():
    found = programming_cost(program(xbar.Cost(), programming="nominal"))
    assert (found.measured, found.measuring_energy, found.measuring_time) == (0, 0.0, 0.0)
    assert found.written == 6 * 8 * 10 * 3


def test_tuned_devices_take_pulses_of_their_own_conductance_and_reads_that_verify():
    constants = xbar.Cost(pulse_voltage=2.0, pulse_time="1 us", pulses=5)
    p = program(constants, programming="write-verify")
    found = programming_cost(p)
    pulses = reads = 0.0
    for tile in p.tiles:
        for siemens in tile.conductance.ravel():
            pulses += 5 * 2.0**2 * 1e-6 * siemens
            reads += 5 * 0.3**2 * 100e-9 * siemens
    written = sum(each.switches for tile in p.tiles for each in tile.reached)
    converters = constants.dac_energy + constants.adc_energy(6) + constants.hold_energy
    assert (found.measured, found.written) == (0, written)
    assert found.writing_energy == pytest.approx(pulses + reads + 5 * written * converters)
    one = 1e-6 + 100e-9 + 2 / 1.2e9
    assert found.writing_time == pytest.approx(6 * 8 * 3 * 2 * 5 * one)


def test_programming_again_takes_power_and_a_share_of_the_time():
    constants = xbar.Cost(reprogram="1 h")
    found = programming_cost(program(constants))
    assert found.power == pytest.approx(found.energy / 3600)
    assert found.busy == pytest.approx(found.time / 3600)
    once = programming_cost(program(xbar.Cost()))
    assert (once.every, once.power, once.busy) == (None, 0.0, 0.0)
    with pytest.raises(SpecError, match=r"cost\.reprogram must be at least .*, not 1 ns; raise"):
        programming_cost(program(xbar.Cost(reprogram=1e-9)))
