"""The bank that ``xbar silicon design`` finds holds its bits on chips that it has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import xbar
from xbar.errors import SpecError
from xbar.silicon.bits import bits_of, measure_bits
from xbar.silicon.designer import Design, _Designer
from xbar.silicon.lengths import LengthLaw
from xbar.silicon.model import BranchModel
from xbar.silicon.process import Process
from xbar.silicon.search import Candidate, Limits, Search

LINES = 16


def branches(length: NDArray[np.float64]) -> BranchModel:
    """Branches by closed forms, about those of sky130."""
    count = len(length)
    um = 1e6 * length
    flat = np.ones(count)
    return BranchModel(
        process="sky130",
        length=length,
        resistance=100 + 7400 * um,
        series=0 * flat,
        switch_resistance=1220 * flat,
        switch_slope=-1.32 * flat,
        switch_bend=-0.7 * flat,
        switch_cubic=-0.2 * flat,
        switch_share_slope=7e-3 / um,
        sigma_resistor=0.075 / np.sqrt(um),
        sigma_threshold=0.027 * flat,
        c2=-0.019 / um**2,
        c3=-0.015 / um**2,
        kink=-0.011 / um**2,
        c2_slope=2.5 * flat,
        rise=-0.24 / um,
        off=1e-16 * flat,
        offset=0 * flat,
        tempco=np.array([-4e-4 / um, 5e-7 / um]),
        corners={},
        supplies={1.62: -0.05 / um},
        open={},
        fit_error=0.0,
        bend_error=0 * flat,
        tempco_error=0.0,
        temperature=27.0,
        supply=1.8,
        test=0.1,
        within=0.2,
        samples=0,
        voltage=np.zeros(1),
        current=np.zeros((count, 1)),
    )


@pytest.fixture(scope="module")
def law() -> LengthLaw:
    return LengthLaw(branches(np.geomspace(0.5e-6, 32e-6, 5)))


@pytest.fixture(scope="module")
def search(law: LengthLaw) -> Search:
    limits = Limits(LINES, LINES, ratio=(1.05, 1.2))
    return Search(Process.named("sky130"), law, limits)


def test_branches_of_any_length_follow_those_characterised(law: LengthLaw) -> None:
    lengths = np.array([0.7e-6, 3.3e-6, 21e-6])
    found, right = law.at(lengths.tolist()), branches(lengths)
    for name in ("resistance", "sigma_resistor", "c2", "c3", "switch_resistance", "switch_slope"):
        assert getattr(found, name) == pytest.approx(getattr(right, name), rel=1e-3)


def test_a_length_that_was_not_characterised_is_refused(law: LengthLaw) -> None:
    with pytest.raises(SpecError, match=r"lengths must be from 0\.5 to 32 um.*not 0\.4 to 3 um"):
        law.at([0.4e-6, 3e-6])
    with pytest.raises(SpecError, match="four or more increasing lengths"):
        LengthLaw(branches(np.array([1e-6, 2e-6, 4e-6])))


def test_bits_are_those_of_a_uniform_quantiser() -> None:
    values = np.random.default_rng(3).uniform(-1, 1, 100_000)
    step = 2 / 2**7
    error = np.round(values / step) * step - values
    assert bits_of(float(np.sqrt(np.mean(error**2)))) == pytest.approx(7, abs=0.01)


def test_a_change_common_to_all_branches_is_a_gain_and_costs_its_share_of_the_weights() -> None:
    model = branches(np.array([3e-6, 3.3e-6, 3.6e-6, 4e-6, 4.4e-6, 4.8e-6, 5.3e-6, 5.8e-6]))
    bank = model.bank().model_copy(update={"nonlinearity": None})
    design = xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=LINES, bit_lines=LINES))
    held = measure_bits(design, 1, seed=5, shifts={"warm": np.full(8, 0.01)})
    weights = np.random.default_rng(5).standard_normal((LINES // 2, LINES))
    share = np.sqrt(np.mean(weights**2)) / np.abs(weights).max()
    raw, rest = held.other["warm"]
    assert raw == pytest.approx(0.01 * share, rel=0.01)
    assert rest == pytest.approx(held.weight, rel=0.05)
    assert held.bend == 0


def test_a_bend_common_to_all_branches_costs_its_part_of_each_product() -> None:
    model = branches(np.array([3e-6, 3.3e-6, 3.6e-6, 4e-6, 4.4e-6, 4.8e-6, 5.3e-6, 5.8e-6]))
    flat = np.ones(8)
    law = {"c2": -2e-3 * flat, "c3": 4e-3 * flat, "kink": 3e-3 * flat, "c2_slope": 0 * flat}
    bank = replace(model, sigma_resistor=1e-3 * flat, sigma_threshold=0 * flat, **law).bank()
    design = xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=LINES, bit_lines=LINES))
    held = measure_bits(design, 1, seed=5)
    weights = np.random.default_rng(5).standard_normal((LINES // 2, LINES))
    volts = np.random.default_rng(6).uniform(-0.2, 0.2, 200_000)
    # the weights are right between +-0.1 V
    odd = 4e-3 * (volts**2 - 0.1**2) + 3e-3 * (np.abs(volts) - 0.1)
    bent = volts * (-2e-3 * volts + odd)
    share = np.sqrt(np.mean(bent**2) / np.mean(volts**2))
    right = share * np.sqrt(np.mean(weights**2)) / np.abs(weights).max()
    assert held.bend == pytest.approx(right, rel=0.01)


def test_more_bits_take_more_area(search: Search) -> None:
    found = [search.best(bits) for bits in (5.0, 7.0, 9.0)]
    areas = [search.geometry(one).area for one in found if one is not None]
    assert len(areas) == 3
    assert areas[0] < areas[1] < areas[2]


def test_a_smaller_bank_of_the_same_kind_does_not_hold_the_bits(search: Search) -> None:
    best = search.best(9.0)
    assert best is not None
    shorter = replace(best, first=best.first / 1.12)
    assert search.bits(best) >= 9 > search.bits(shorter)


def test_the_bits_hold_on_chips_that_were_not_searched(search: Search) -> None:
    best = search.best(9.0)
    assert best is not None
    drawn = search.geometry(best)
    design = xbar.Hardware(
        bank=branches(1e-9 * np.array(drawn.lengths)).bank(),
        tile=xbar.Tile(
            word_lines=LINES, bit_lines=LINES, word_wire=drawn.word_wire, bit_wire=drawn.bit_wire
        ),
    )
    squares = []
    for seed in range(900, 930):
        weights = np.random.default_rng(seed).standard_normal((LINES // 2, LINES))
        chip = xbar.Chip.sample(design, seed)
        program = xbar.compile({"fc": weights}, chip, wire_aware=True)
        read = program.run(np.eye(LINES), readout="nodal")
        squares.append(np.mean((read - weights.T) ** 2) / np.abs(weights).max() ** 2)
    assert bits_of(float(np.sqrt(np.mean(squares)))) >= 9


def test_lines_beyond_64_are_searched_at_64_with_more_of_a_wire(law: LengthLaw) -> None:
    bank = Candidate(6, 1.1, 3e-6)
    process = Process.named("sky130")
    large = Search(process, law, Limits(256, 128)).bits(bank)
    assert large < Search(process, law, Limits(64, 64)).bits(bank) - 0.5


def test_bits_that_no_bank_holds_are_refused_with_the_most_that_one_did(law: LengthLaw) -> None:
    limits = Limits(LINES, LINES, resistors=3, ratio=(1.1, 1.1))
    designer = _Designer(Search(Process.named("sky130"), law, limits), 9.0, lambda *step: None)
    with pytest.raises(
        SpecError, match=r"no bank of 3 resistors with a ratio of 1\.1 to 1\.1"
    ) as e:
        designer.run()
    assert "\n" not in str(e.value)


def test_equal_resistors_are_refused_by_what_they_hold_with_ideal_wires(law: LengthLaw) -> None:
    limits = Limits(LINES, LINES, resistors=7, ratio=(1.0, 1.0))
    search = Search(Process.named("sky130"), law, limits)
    with pytest.raises(SpecError, match=r"holds 10 bits .* with ideal wires the most is about \d"):
        _Designer(search, 10.0, lambda *step: None).run()
    assert not search.tried


def test_values_out_of_range_are_refused_before_anything_runs() -> None:
    with pytest.raises(SpecError, match="bit_lines must be from 2 to 1024, not 1"):
        Limits(8, 1)
    with pytest.raises(SpecError, match="resistors must be from 2 to 12, not 17"):
        Limits(resistors=17)
    with pytest.raises(SpecError, match=r"ratio must be a range within 1 to 2.*not 0\.9:1\.4"):
        Limits(ratio=(0.9, 1.4))
    with pytest.raises(SpecError, match="bits must be from 2 to 20, not 30"):
        xbar.silicon.design("sky130", 30)
    with pytest.raises(SpecError, match="masks can be drawn for sky130"):
        xbar.silicon.design("gf180mcu", 8)


@pytest.mark.sky130
def test_a_design_in_sky130_says_its_bits_area_and_wires(sky130: Process) -> None:
    made: Design = xbar.silicon.design(sky130, 8, Limits(8, 8, 6, (1.1, 1.1)))
    held = measure_bits(made.hardware, 30, seed=4000)
    assert held.bits >= 8
    # a cell of 6 resistors: 950 nm a resistor, 7570 nm above and below the longest
    longest = max(made.cell.lengths)
    assert made.area == pytest.approx(6 * 0.95e-6 * (7.57e-6 + longest), rel=1e-9)
    assert made.hardware.silicon is not None
    assert made.hardware.silicon.lengths == made.cell.lengths
    # the law over the length, against the found bank in ngspice
    assert 0 < made.law_error < 1e-4
    assert set(made.held.other) == {"-40 C", "85 C", "1.62 V", "1.98 V"}
    told = str(made)
    assert f"8 bits at 8 lines: K = 6, lengths {1e6 * min(made.cell.lengths):.3g}" in told
