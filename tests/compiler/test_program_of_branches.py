"""A program for a bank of transistors and resistors: stored, simulated, reported, compiled."""

import numpy as np
import pytest

import xbar

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((4, 6))}
X = np.random.default_rng(1).standard_normal((5, 6))
C2, C3 = (-0.4, 0.3, 0.2, 0.1), (0.5, -0.3, 0.2, 0.4)
DESIGN = xbar.Hardware(
    bank=xbar.Bank(
        resistors=4,
        nominal=(30e3, 36e3, 43e3, 52e3),
        spread="resistance",
        sigma=(0.04, 0.03, 0.02, 0.02),
        on_off_ratio=(300.0, np.inf, 900.0, 1e6),
        series=180.0,
        switch={"resistance": (2e3, 2.1e3, 2.2e3, 2.3e3), "slope": -1.4, "sigma": 0.02},
        nonlinearity={"c2": C2, "c3": C3},
    ),
    tile=xbar.Tile(word_lines=6, bit_lines=8, word_wire=10.0, bit_wire=5.0),
)


@pytest.fixture(scope="module")
def program():
    return xbar.compile(WEIGHTS, DESIGN, seed=3)


def test_a_stored_program_has_its_chip_again(program, tmp_path):
    program.save(tmp_path / "out.xbar")
    again = xbar.Program.load(tmp_path / "out.xbar")
    assert again.chip.hardware == DESIGN
    for mine, theirs in zip(program.chip.deviations(0), again.chip.deviations(0), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for readout in ("ideal", "nodal", "nonlinear"):
        one, other = (p.run({"fc": X}, readout=readout)["fc"] for p in (program, again))
        np.testing.assert_array_equal(one, other)


def test_a_weight_is_the_sum_of_its_branches_by_hand(program):
    tile = program.tiles[0]
    dr, dvt = program.chip.deviations(0)
    ron = np.array([2e3, 2.1e3, 2.2e3, 2.3e3]) / (1 - 1.4 * dvt)
    on = 1 / (np.array([30e3, 36e3, 43e3, 52e3]) * (1 + dr) + 180 + ron)
    cell = np.where(tile.mask, on, on / [300.0, np.inf, 900.0, 1e6]).sum(axis=2)
    part = tile.blocks[0]
    weight = (cell[:, ::2] - cell[:, 1::2])[:, :4] / part.scale
    np.testing.assert_allclose(program.matrices()["fc"][part.block.outputs], weight.T, rtol=1e-12)


def test_the_error_budget_has_the_bends_of_each_resistor(program):
    """Alone, that is with ideal wires: the sums of c2 g v² and c3 g v³ over closed branches."""
    tile, part = program.tiles[0], program.tiles[0].blocks[0]
    closed = np.where(tile.mask, tile.branch, 0.0)
    unit = 0.2 / np.abs(X).max(axis=1, keepdims=True)
    volts = tile.voltage((X * unit)[:, part.block.inputs])
    excess = volts**2 @ (closed * C2).sum(axis=2) + volts**3 @ (closed * C3).sum(axis=2)
    excess = (excess[:, ::2] - excess[:, 1::2])[:, :4] / part.scale / unit
    exact = (X @ WEIGHTS["fc"].T)[:, part.block.outputs]
    found = xbar.simulate(program, {"fc": X}, readout="nonlinear", budget=True)
    (effect,) = [one for one in found.budget.parts if one.part == "nonlinearity"]
    expected = np.sqrt((excess**2).mean() / (exact**2).mean())
    assert effect.error_alone == pytest.approx(expected, rel=1e-9)


def test_every_way_to_choose_switches_takes_such_a_bank():
    for words in (
        {"programming": "nominal"},
        {"programming": "write-verify"},
        {"wire_aware": True},
        {"mapping": "reference"},
    ):
        p = xbar.compile(WEIGHTS, DESIGN, seed=3, options=xbar.Options(**words))
        y = p.run({"fc": X}, readout="nodal")["fc"]
        error = np.abs(y - X @ WEIGHTS["fc"].T).max()
        assert error < 0.6 * np.abs(X @ WEIGHTS["fc"].T).max(), words


def test_the_report_lists_values_with_their_units(program):
    pytest.importorskip("matplotlib")
    from xbar.report.html import html_report
    from xbar.report.survey import survey

    page = html_report("out", survey(program))
    for row in (
        "bank.nominal</td><td>30 kohm, 36 kohm, 43 kohm, 52 kohm<",
        "bank.on_off_ratio</td><td>300.0, inf, 900.0, 1000000.0<",
        "bank.switch.sigma</td><td>20 mV<",
        "bank.nonlinearity.c2</td><td>-0.4, 0.3, 0.2, 0.1<",
    ):
        assert row in page.replace("</td> <td>", "</td><td>")
