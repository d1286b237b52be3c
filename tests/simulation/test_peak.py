"""Peak figures: a network that fills its tiles runs at the peak; definitions by hand."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.simulation.cost import cost
from xbar.simulation.cost_parts import chip_area, leakage
from xbar.simulation.peak import cell_energy, design_peak

RNG = np.random.default_rng(5)
SERIAL = {
    "dac": xbar.Converter(bits=4, bit_serial=1, range=0.3),
    "adc": xbar.Converter(bits=6, shared=2),
}


def design(**changes):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=3, nominal=10e3), tile=xbar.Tile(word_lines=16, bit_lines=12)
    ).model_copy(update={**SERIAL, **changes})


def test_a_network_that_fills_its_tile_runs_at_the_peak():
    program = xbar.compile({"fc": RNG.standard_normal((6, 16))}, design(), seed=0)
    found = cost(program)
    (layer,), top = found.layers, found.peak
    assert len(program.tiles) == 1
    assert top.operations == found.operations == 2 * 6 * 16
    assert top.time == pytest.approx(found.interval)
    assert top.tops == pytest.approx(found.tops)
    assert top.energy["arrays"] == pytest.approx(layer.read_energy)
    assert top.energy["dac"] == pytest.approx(layer.dac_energy)
    assert top.energy["adc"] == pytest.approx(layer.adc_energy)
    assert top.energy["adders"] == pytest.approx(layer.add_energy)
    assert top.energy["registers"] == pytest.approx(layer.move_energy["registers"])
    assert top.energy["leakage"] == pytest.approx(found.leakage_energy)
    assert top.area == found.area
    assert top.tops_per_mm2 == pytest.approx(found.tops_per_mm2)


def test_figures_are_operations_over_time_energy_and_area():
    top = design_peak(design(), tiles=7)
    seconds = 3 * (100e-9 + 2 / 1.2e9)  # three steps, two columns an ADC
    assert top.tops == pytest.approx(7 * 2 * 16 * 6 / seconds / 1e12)
    joules = sum(top.energy.values())
    assert top.power == pytest.approx(joules / seconds)
    assert top.tops_per_watt == pytest.approx(7 * 2 * 16 * 6 / joules / 1e12)
    assert top.tops_per_mm2 == pytest.approx(top.tops / (sum(top.area.values()) * 1e6))
    assert top.to_json()["tops_per_watt"] == top.tops_per_watt


def test_overlapped_conversions_take_the_longer_of_read_and_conversion():
    slow = xbar.Cost(read_time="10 ns", adc_time="20 ns")
    both = design_peak(design(cost=slow.model_copy(update={"overlap": True})))
    assert both.time == pytest.approx(3 * 40e-9)
    assert design_peak(design(cost=slow)).time == pytest.approx(3 * 50e-9)
    overlapped = slow.model_copy(update={"overlap": True})
    program = xbar.compile({"fc": RNG.standard_normal((6, 16))}, design(cost=overlapped), seed=0)
    # the first read has no conversion beside it
    assert cost(program).layers[0].latency == pytest.approx(3 * 40e-9 + 10e-9)


def test_a_cells_mean_energy_is_that_of_random_inputs_through_half_of_its_resistors():
    for converters in ({}, SERIAL):
        hardware = design(**{"dac": None, "adc": None, **converters})
        reads = np.array([RNG.uniform(-1, 1, 200_000)])
        if converters:
            # the three bits of a magnitude, each 0 or 1 as often
            reads = RNG.integers(0, 2, (3, 200_000))
        squares = (hardware.read_voltage * reads) ** 2
        siemens = 0.5 * 3 / 10e3
        expected = (siemens * squares).sum(axis=0).mean() * 100e-9
        assert cell_energy(hardware) == pytest.approx(expected, rel=0.01)


def test_leakage_is_memory_and_logic_by_their_number_and_area():
    constants = xbar.Cost(bit_leakage=1e-12, logic_leakage=10.0, cluster=4, buffer=1000)
    hardware, tiles, columns = design(cost=constants), 9, 6
    area = chip_area(hardware, columns, tiles)
    bits = tiles * 16 * 12 * 3 + tiles * (16 * 4 + columns * (6 + 2)) + 3 * 1000
    logic = area["adders"] + area["buses"] + area["routers"]
    assert area["buses"] == pytest.approx(3 * constants.bus_area)
    assert area["routers"] == pytest.approx(constants.router_area)
    assert leakage(hardware, columns, tiles) == pytest.approx(bits * 1e-12 + logic * 10.0)
    kept = hardware.model_copy(update={"cost": constants.model_copy(update={"bit_area": 0})})
    less = leakage(hardware, columns, tiles) - leakage(kept, columns, tiles)
    assert less == pytest.approx(tiles * 16 * 12 * 3 * 1e-12)


def test_buses_that_can_not_feed_all_tiles_are_told():
    fast = design(cost=xbar.Cost(read_time="1 ns", adc_time="0.2 ns", bus_bits=8))
    top = design_peak(fast, tiles=50)
    on_bus = 50 * (16 * 4 + 6 * 4) / (8 * 1.2e9)
    assert top.fed == pytest.approx(top.time / on_bus)
    assert "its buses can feed" in str(top)


def test_a_chip_without_tiles_or_time_is_refused():
    with pytest.raises(SpecError, match="tiles must be from 1 to 1,000,000,000, not 0"):
        design_peak(design(), tiles=0)
    instant = xbar.Cost(read_time=0, adc_time=0, adc_step_energy=1e-15, adc_area=1e-9)
    with pytest.raises(SpecError, match=r"cost\.read_time or cost\.adc_time must be above 0 s"):
        design_peak(design(cost=instant))
    with pytest.raises(SpecError, match=r"tile\.bit_lines must have room for a pair"):
        design_peak(design(tile=xbar.Tile(word_lines=4, bit_lines=1)))
