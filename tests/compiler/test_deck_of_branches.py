"""What is exported is what is simulated: branches with switches, and cells that bend."""

import re

import numpy as np
import pytest

import xbar
from xbar.circuit.curve import Curve
from xbar.circuit.netlist import crossbar_netlist
from xbar.circuit.switches import SwitchedBank
from xbar.errors import SpecError

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((3, 5))}
WIRES = {"word_wire": 30.0, "bit_wire": 20.0, "source": 10.0, "load": 15.0}
K = 3
BANK = {
    "resistors": K,
    "nominal": (30e3, 36e3, 43e3),
    "spread": "resistance",
    "sigma": (0.04, 0.03, 0.02),
    "on_off_ratio": (300.0, 500.0, 900.0),
    "series": 180.0,
    "switch": {"resistance": (2e3, 2.1e3, 2.2e3), "slope": -1.4, "sigma": 0.02},
    "stuck_open": 0.05,
    "stuck_closed": 0.05,
}
LAWS = {
    "by resistor": {"c2": (-0.4, 0.3, 0.2), "c3": (0.5, -1.0, 1.5)},
    "of a switch": {
        "c2": (-0.4, 0.3, 0.2),
        "c3": (0.5, -1.0, 1.5),
        "kink": (-0.3, 0.4, 0.5),
        "test": 0.1,
        "rise": (-0.6, -0.5, 0.4),
        "c2_slope": 2.5,
    },
    "kink alone": {"kink": -0.3},
    "c2 alone": {"c2": 0.3},
    "c3 alone": {"c3": -0.3},
    "odd": {"odd": (2.0, 3.0)},
    "sinh": {"sinh": 0.15},
    "ohmic after all": {"c3": 0.0},
}


def program(law, layout="cell"):
    lines = {"cell": (5, 6), "columns": (5, 6 * K), "rows": (5 * K, 6)}[layout]
    hardware = xbar.Hardware(
        bank=xbar.Bank(nonlinearity=law, layout=layout, **BANK),
        tile=xbar.Tile(word_lines=lines[0], bit_lines=lines[1], **WIRES),
    )
    return xbar.compile(WEIGHTS, hardware, seed=0)


# a law that open switches follow too, or that of a switch, has no deck of banks, see below
KNOWN = [
    (law, detail)
    for law in LAWS
    for detail in ("cell", "resistor", "bank")
    if detail != "bank" or law not in ("odd", "sinh", "of a switch", "kink alone")
]


@pytest.mark.parametrize(("law", "detail"), KNOWN)
def test_ngspice_finds_the_currents_of_the_nonlinear_read_out(ngspice, law, detail):
    p = program(LAWS[law])
    found = xbar.verify(p, readout="nonlinear", detail=detail, seed=2)
    assert found.passed, found.worst
    nodal = xbar.verify(p, readout="nodal", detail=detail, seed=2)
    assert nodal.passed, nodal.worst


@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
@pytest.mark.parametrize("layout", ["columns", "rows"])
def test_every_layout_bends_in_ngspice_as_in_the_read_out(ngspice, layout, detail):
    p = program(LAWS["by resistor"], layout)
    assert xbar.verify(p, readout="nonlinear", detail=detail, seed=2).passed


def test_negative_voltages_bend_the_other_way(ngspice):
    from xbar.circuit.engines.ngspice import run
    from xbar.effects.nonlinearity import line_currents

    tile = program(LAWS["by resistor"]).tiles[0]
    for volts in (np.full(5, 0.2), np.full(5, -0.2)):
        expected = line_currents(tile.crossbar(), tile.law(), volts[None])[0]
        found = run(tile.netlist(voltage=volts, readout="nonlinear"))
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        ohmic = tile.crossbar().read(volts[None])[0]
        assert np.abs(expected / ohmic - 1).max() > 1e-3


def test_a_deck_of_banks_has_each_switchs_own_ohms():
    p = program(None)
    tile, chip = p.tiles[0], p.chip
    text = tile.netlist(detail="bank").text.replace("\n+", "")
    cell = re.search(r"^Xc_2_3 .*$", text, re.MULTILINE)[0]
    given = {name: float(value) for name, value in re.findall(r"([rs]\d)=([-\d.e+]+)", cell)}
    dr, dvt = (each[2, 3] for each in chip.deviations(0))
    for k in range(K):
        ron = BANK["switch"]["resistance"][k] / (1 - 1.4 * dvt[k])
        assert given[f"s{k}"] == pytest.approx(ron, rel=1e-12)
        resistor = BANK["nominal"][k] * (1 + dr[k]) + 180.0
        assert given[f"r{k}"] == pytest.approx(resistor, rel=1e-12)
    assert "switch_on" not in text


def test_a_measured_chips_deck_has_the_nominal_switches(tmp_path, ngspice):
    design = program(None).chip.hardware
    on = np.random.default_rng(3).uniform(2e-5, 3e-5, (1, 5, 6, K))
    np.savez(tmp_path / "chip.npz", on=on)
    p = xbar.compile(WEIGHTS, xbar.Chip.from_measurement(tmp_path / "chip.npz", design))
    assert "s1=2.1000000000000000e+03" in p.tiles[0].netlist(detail="bank").text
    assert xbar.verify(p, detail="bank").passed


@pytest.mark.parametrize("law", ["odd", "sinh", "of a switch", "kink alone"])
def test_a_law_that_open_switches_follow_has_no_deck_of_banks(law):
    tile = program(LAWS[law]).tiles[0]
    with pytest.raises(SpecError, match="detail must be 'cell' or 'resistor' for a law"):
        tile.netlist(detail="bank", readout="nonlinear")


def test_a_deck_that_bends_needs_a_law():
    with pytest.raises(SpecError, match=r"set bank\.nonlinearity"):
        program(None).tiles[0].netlist(readout="nonlinear")
    with pytest.raises(SpecError, match="readout must be one of nodal, nonlinear, not 'ideal'"):
        program(None).tiles[0].netlist(readout="ideal")


@pytest.mark.parametrize(
    ("dialect", "line", "tolerances"),
    [
        ("ngspice", r"^Bc_0_0 d_0 s_0 I=v\(d_0,s_0\)\*\(1\.0+e-03\+", ".options reltol"),
        ("xyce", r"^Bc_0_0 d_0 s_0 I=\{v\(d_0,s_0\)\*\(1\.0+e-03\+.*\}$", ".options nonlin"),
        ("hspice", r"^Gc_0_0 d_0 s_0 cur='v\(d_0,s_0\)\*\(1\.0+e-03\+.*'$", ".option reli"),
        ("spectre", r"^Bc_0_0 \(d_0 s_0\) bsource i=v\(d_0,s_0\)\*", "precise options reltol"),
    ],
)
def test_every_dialect_has_its_source_and_tight_tolerances(dialect, line, tolerances):
    curve = Curve([[[[0.0]]], [[[-2e-4]]]])
    text = crossbar_netlist(xbar.Crossbar([[1e-3]]), dialect=dialect, curve=curve).text
    assert re.search(line, text, re.MULTILINE), text
    assert f"\n{tolerances}" in text
    assert "Rc_0_0" not in text
    plain = crossbar_netlist(xbar.Crossbar([[1e-3]]), dialect=dialect).text
    assert tolerances not in plain


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ({"powers": np.zeros((2, 1, 2, 1))}, r"of \(1, 1, 1\) resistors, not \(1, 2, 1\)"),
        ({"powers": np.zeros((2, 1, 1))}, r"shape \(P, W, B, K\), not \(2, 1, 1\)"),
        ({"powers": [[[[np.nan]]]]}, r"must be finite"),
        ({"powers": np.zeros((0, 1, 1, 1)), "sinh": -1.0}, r"sinh must be volts above 0"),
        ({"powers": np.zeros((1, 1, 1, 1)), "sinh": 1.0}, r"without powers"),
    ],
)
def test_a_curve_that_does_not_fit_is_refused(curve, message):
    with pytest.raises(SpecError, match=message):
        crossbar_netlist(xbar.Crossbar([[1e-3]]), curve=Curve(**curve))


def test_a_bank_bends_up_to_the_third_power():
    bank = SwitchedBank([[[1e-3]]], [[[0.0]]], [[[True]]])
    with pytest.raises(SpecError, match="must have a curve of v² and v³"):
        crossbar_netlist(xbar.Crossbar([[1e-3]]), branch=bank, curve=Curve(np.zeros((3, 1, 1, 1))))


@pytest.mark.parametrize(
    ("ohms", "message"),
    [
        ([[[10.0, 20.0]]], r"must be one number of ohms or \(1, 1, 1\), not \(1, 1, 2\)"),
        ([[[0.0]]], r"switch_on must be a positive number of ohms, not 0\.0"),
        ([[[1500.0]]], r"switch_on must be below 1/on, .*switch_on 1500\.0 ohm"),
    ],
)
def test_switches_of_their_own_ohms_must_fit_their_branches(ohms, message):
    with pytest.raises(SpecError, match=message):
        SwitchedBank([[[1e-3]]], [[[0.0]]], [[[True]]], switch_on=ohms)
