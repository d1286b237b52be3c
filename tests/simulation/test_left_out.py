"""What a cost does not contain, or rests on, is told with it."""

import json

import numpy as np
import pytest

import xbar
from xbar.simulation.cost import cost

RNG = np.random.default_rng(2)
WEIGHTS = {"fc": RNG.standard_normal((4, 6))}
SMALL = xbar.Tile(word_lines=8, bit_lines=8)
CONVERTERS = {"dac": xbar.Converter(bits=4), "adc": xbar.Converter(bits=6)}


def found(options=None, **changes):
    hardware = xbar.Hardware(bank=xbar.Bank(resistors=2), tile=SMALL).model_copy(update=changes)
    return cost(xbar.compile(WEIGHTS, hardware, seed=0, options=options))


def test_products_that_stay_digital_are_named(trained):
    graph = xbar.read_model(trained.path).select(skip=["out"])
    hardware = xbar.Hardware(tile=xbar.Tile(word_lines=32, bit_lines=32), **CONVERTERS)
    told = cost(xbar.compile(graph, hardware, seed=0)).left_out
    assert any("kept digital (out)" in each for each in told)
    assert any("activations, pooling, norms" in each for each in told)
    assert any("links to other chips" in each for each in told)


def test_what_is_left_out_stands_in_the_json_and_in_the_text():
    result = found(**CONVERTERS)
    assert json.loads(json.dumps(result.to_json()))["left_out"] == list(result.left_out)
    assert all(each in str(result) for each in result.left_out)


@pytest.mark.parametrize(
    ("adc", "told"),
    [
        (xbar.Converter(bits=3), "fewer than 4 bits are counted as 4"),
        (xbar.Converter(bits=6, kind="flash"), "not as kind 'flash'"),
    ],
)
def test_what_the_survey_can_not_tell_of_an_adc_is_told(adc, told):
    assert any(told in note for note in found(dac=None, adc=adc).notes)
    stated = xbar.Cost(adc_step_energy=1e-15, adc_area=1e-9)
    assert not any(told in note for note in found(dac=None, adc=adc, cost=stated).notes)


def test_an_adc_beyond_the_survey_has_no_cost_unless_it_is_stated():
    with pytest.raises(xbar.errors.SpecError, match=r"at most 20 bits, not 24: state cost\.adc"):
        found(dac=None, adc=xbar.Converter(bits=24))


def test_tuned_devices_have_no_memory_of_switch_states():
    tuned = found(xbar.Options(programming="write-verify"), **CONVERTERS)
    chosen = found(**CONVERTERS)
    assert (tuned.configuration_bits, tuned.area["bits"]) == (0, 0.0)
    assert chosen.configuration_bits == chosen.devices
    assert chosen.leakage - tuned.leakage == pytest.approx(chosen.devices * xbar.Cost().bit_leakage)
    assert any("kept by the devices" in note for note in tuned.notes)


def test_leakage_of_a_warm_chip_is_that_of_a_cool_one_and_told():
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=2), tile=SMALL, temperature={"wires": "copper"}, **CONVERTERS
    )
    program = xbar.compile(WEIGHTS, hardware, seed=0)
    warm = cost(program.on(program.chip.at(temperature="85 C")))
    assert warm.leakage == cost(program).leakage
    assert any("that at 300 K" in note for note in warm.notes)


def test_a_program_of_zeros_takes_nothing():
    program = xbar.compile({"fc": np.zeros((3, 4))}, xbar.Hardware(**CONVERTERS), seed=0)
    nothing = cost(program)
    assert (nothing.energy, nothing.total_area, nothing.interval, nothing.tops) == (0, 0, 0, 0)
    assert "area: 0 mm²" in str(nothing)
