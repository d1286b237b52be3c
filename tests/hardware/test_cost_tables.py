"""ADCs of the survey against its authors' program; scaling against the tables' own numbers."""

import re
from pathlib import Path

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.hardware.adc_survey import survey_area, survey_energy
from xbar.hardware.cost import Cost
from xbar.hardware.nodes import area_factor, bit_leakage, energy_factor
from xbar.units import parse_quantity

# bits, conversions a second, nm, pJ and um² that Accelergy's ADC plug-in (ff0fb48) prints
PLUG_IN = [
    (4, 1e6, 130, 12.885704212484756, 12610.512399945042),
    (4, 1.2e9, 14, 0.19524486937875268, 1417.7900970470946),
    (6, 1e8, 32, 1.065092995279211, 3416.5952302277674),
    (8, 1e6, 14, 0.36221240730878806, 473.62715072759454),
    (8, 1.2e9, 32, 1.8486088943398364, 6313.144569312267),
    (10, 1e8, 130, 46.16777360043821, 42456.811253737535),
    (10, 1.2e9, 32, 15.732379779352033, 11978.878435887491),
    (12, 1e6, 32, 7.174454757607719, 2630.011884380822),
    (14, 1.2e9, 130, 21685.71969342434, 418969.75377975684),
]


@pytest.mark.parametrize(("bits", "rate", "nanometres", "picojoules", "square"), PLUG_IN)
def test_the_survey_is_that_of_its_authors_program(bits, rate, nanometres, picojoules, square):
    energy, area = (f(bits, rate, nanometres * 1e-9) for f in (survey_energy, survey_area))
    assert energy == pytest.approx(picojoules * 1e-12, rel=1e-9)
    assert area == pytest.approx(square * 1e-12, rel=1e-9)


def test_the_survey_finds_the_adc_that_isaac_assumes():
    # L. Kull and others, ISSCC 2013: 8 bits, 1.2 GS/s and 3.1 mW in 32 nm
    assert 1 / 1.5 < survey_energy(8, 1.2e9, 32e-9) / (3.1e-3 / 1.2e9) < 1.5


def test_a_design_uses_the_survey_at_its_own_bits_rate_and_node():
    cost = Cost(node="14 nm", adc_time="1 us")
    assert cost.adc_energy(8) == pytest.approx(0.36221240730878806e-12)
    assert cost.adc_size(8) == pytest.approx(473.62715072759454e-12)
    stated = Cost(node="14 nm", adc_step_energy="1 fJ", adc_area="100 um²", adc_area_bits=6)
    assert stated.adc_energy(8) == pytest.approx(256e-15)
    assert stated.adc_size(8) == pytest.approx(400e-12)


def test_beyond_the_survey_an_adc_is_refused():
    with pytest.raises(SpecError, match=r"at most 20 bits, not 24: state cost\.adc_step_energy"):
        Cost().adc_energy(24)
    assert Cost(adc_step_energy="1 fJ").adc_energy(24) == pytest.approx(2**24 * 1e-15)
    with pytest.raises(SpecError, match="adc_time must be at least 1e-10 s"):
        Cost(adc_time=0)
    assert Cost(adc_time=0, adc_step_energy=1e-15, adc_area=1e-9).adc_time == 0


def test_nodes_scale_as_the_tables_say():
    # rows of 32 nm and polynomials in volts of Stillmaker and Baas, 2017
    for nanometres, area in ((130, 14), (65, 3.3), (16, 0.41), (7, 0.13)):
        assert area_factor(nanometres * 1e-9) == pytest.approx(area)
    at = {130: (7.171, -6.709, 2.904), 32: (0.9559, -0.7823, 0.471), 7: (0.1776, -0.09097, 0.02447)}
    energy = {nanometres: np.polyval(each, 0.8) for nanometres, each in at.items()}
    for nanometres, each in energy.items():
        assert energy_factor(nanometres * 1e-9) == pytest.approx(each / energy[32])
    between = [area_factor(nm * 1e-9) for nm in range(7, 131)]
    assert (np.diff(between) > 0).all()
    assert bit_leakage(22e-9) == pytest.approx(3.740e-12)


def test_a_node_scales_defaults_and_leaves_what_the_design_states():
    cost, old = Cost(node="65 nm", add_energy="1 fJ"), Cost()
    assert cost.add_energy == 1e-15
    assert cost.buffer_energy == pytest.approx(old.buffer_energy * energy_factor(65e-9))
    assert cost.bus_area == pytest.approx(old.bus_area * 3.3)
    assert cost.device_area == pytest.approx(48 * 65e-9**2)
    assert (cost.read_time, cost.clock) == (old.read_time, old.clock)
    assert Cost(**cost.model_dump(mode="json")) == cost


def test_another_node_of_a_design_has_its_own_defaults():
    cost = Cost(node="65 nm", add_energy="1 fJ").model_copy(update={"node": "14 nm"})
    assert cost == Cost(node="14 nm", add_energy="1 fJ")
    assert cost.model_copy(update={"node": 32e-9}) == Cost(add_energy="1 fJ")
    assert cost.model_copy(update={"clock": 1e9}).node == 14e-9


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"node": "180 nm"}, "node must be from 7 nm to 130 nm"),
        ({"node": "5 nm"}, "node must be from 7 nm to 130 nm"),
        ({"node": "32 ns"}, "node must be in m, not '32 ns', which is a time"),
        ({"node": float("nan")}, "node must be a finite number"),
        ({"clock": 0}, "clock must be greater than 0"),
        ({"hop_energy": "-1 pJ"}, "hop_energy must be greater than or equal to 0"),
        ({"logic_leakage": float("nan")}, "logic_leakage must be a finite number"),
        ({"cluster": 0}, "cluster must be greater than or equal to 1"),
        ({"clock": 5e-324}, "clock must be 0 or from 1e-60 to 1e\\+60, not 4.94066e-324"),
        ({"read_time": 1e200}, "read_time must be 0 or from 1e-60 to 1e\\+60"),
        ({"bus_bits": 10**400}, "bus_bits must be less than or equal to 1000000000000"),
        ({"reprogram": "0 d"}, "reprogram must be greater than 0"),
    ],
)
def test_impossible_constants_are_refused_in_one_line(bad, told):
    with pytest.raises(SpecError, match=told) as raised:
        Cost(**bad)
    assert "\n" not in str(raised.value)


def test_the_docs_list_every_constant_with_its_default():
    text = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, flags=re.MULTILINE))
    assert listed.keys() == Cost.model_fields.keys()
    for name, told in listed.items():
        default = Cost.model_fields[name].default
        if default is None or isinstance(default, bool):
            assert told == str(default).lower()
        else:
            unit = {"mm²": 1e-6, "µm²": 1e-12, "W/m²": 1.0}.get(told.split()[-1])
            number = float(told.split()[0]) * unit if unit else parse_quantity(told)
            assert number == pytest.approx(default, rel=5e-3), name
