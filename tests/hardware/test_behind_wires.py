"""A measurement through wires gives the branches themselves, as the circuit solver has them."""

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile

W, B, K = 5, 4, 3
WIRES = {"word_wire": 40.0, "bit_wire": 25.0, "source": 60.0, "load": 35.0}


def design(layout="cell", **tile):
    lines = {"cell": (W, B), "columns": (W, B * K), "rows": (W * K, B)}[layout]
    return Hardware(
        bank=Bank(resistors=K, nominal="20k", layout=layout),
        tile=Tile(word_lines=lines[0], bit_lines=lines[1], **{**WIRES, **tile}),
    )


def chip(seed=0, ratio=np.inf, spread=0.3):
    rng = np.random.default_rng(seed)
    on = 5e-5 * rng.lognormal(0, spread, (W, B, K))
    return on, on / ratio * rng.lognormal(0, 0.5, on.shape)


def array_of(branch, layout):
    if layout == "columns":
        return branch.reshape(W, B * K)
    if layout == "rows":
        return np.moveaxis(branch, 2, 1).reshape(W * K, B)
    return branch.sum(axis=2)


def seen(branch, hardware, row):
    """(B,) siemens: each column's current with 1 V on one row of cells, the others at 0 V."""
    layout, tile = hardware.bank.layout, hardware.tile
    wires = {name: getattr(tile, name) for name in (*WIRES, "drive", "sense")}
    crossbar = Crossbar(array_of(branch, layout), **wires)
    volts = np.zeros((W, K) if layout == "rows" else W)
    volts[row] = 1.0
    current = crossbar.read(volts.reshape(1, -1))[0]
    return current.reshape(B, K).sum(axis=1) if layout == "columns" else current


def probed(on, off, hardware, closed, stuck=None):
    """``on`` and ``off`` as a tester finds them, from circuit solutions of each setting."""
    stuck = np.zeros(on.shape, dtype=int) if stuck is None else stuck
    still = np.where(stuck > 0, on, off)
    idle = np.array([seen(still, hardware, i) for i in range(W)])
    open_ = idle[:, :, None] * still / np.where(idle > 0, still.sum(axis=2), 1)[:, :, None]
    found = np.empty(on.shape)
    for i, k in np.ndindex(W, K):
        for columns in [slice(None)] if closed == "line" else [[j] for j in range(B)]:
            branch = still.copy()
            branch[i, columns, k] = np.where(stuck < 0, still, on)[i, columns, k]
            rest = open_[i].sum(axis=1) - open_[i, :, k]
            found[i, columns, k] = (seen(branch, hardware, i) - rest)[columns]
    return found, open_


def imported(tmp_path, hardware, closed, **arrays):
    path = tmp_path / "chip.npz"
    np.savez(path, **{name: each[None] for name, each in arrays.items()})
    return Chip.from_measurement(path, hardware, behind_wires=closed)


@pytest.mark.parametrize("closed", ["branch", "line"])
@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize(
    ("drive", "sense"),
    [("left", "bottom"), ("right", "top"), ("both", "bottom"), ("left", "both")],
)
@pytest.mark.parametrize("ratio", [np.inf, 1e6, 200.0, 15.0])
def test_wires_come_out_of_a_measurement_exactly(tmp_path, closed, layout, drive, sense, ratio):
    hardware = design(layout, drive=drive, sense=sense)
    on, off = chip(ratio=ratio)
    on_seen, off_seen = probed(on, off, hardware, closed)
    assert np.abs(on_seen / on - 1).max() > 1e-3
    found = imported(tmp_path, hardware, closed, on=on_seen, off=off_seen)
    np.testing.assert_allclose(found.on(0), on, rtol=1e-11)
    sums = found.off(0).sum(axis=2)
    np.testing.assert_allclose(sums, off.sum(axis=2), rtol=1e-11, atol=1e-25)


@pytest.mark.parametrize("ratio", [20.0, np.inf])
@pytest.mark.parametrize("closed", ["branch", "line"])
def test_stuck_and_dead_resistors_stay_what_they_are(tmp_path, closed, ratio):
    hardware, (on, off) = design(), chip(1, ratio=ratio)
    stuck = np.zeros(on.shape, dtype=int)
    stuck[0, 1, 2], stuck[3, 2, 0], stuck[4, 0, 1] = 1, 1, -1
    on[2, 2, 1] = off[2, 2, 1] = 0.0
    on_seen, off_seen = probed(on, off, hardware, closed, stuck)
    on_seen[stuck < 0] = 1e-4  # whatever stands there: it never switches in
    found = imported(tmp_path, hardware, closed, on=on_seen, off=off_seen, stuck=stuck)
    healthy = stuck == 0
    np.testing.assert_allclose(found.on(0)[healthy], on[healthy], rtol=1e-11)
    # a cell whose switches are all open, with those that are stuck closed
    still = np.where(stuck > 0, found.on(0), found.off(0)).sum(axis=2)
    np.testing.assert_allclose(still, np.where(stuck > 0, on, off).sum(axis=2), rtol=1e-11)
    np.testing.assert_array_equal(found.stuck(0), stuck)


def test_one_branch_is_what_ohms_law_leaves_of_the_path(tmp_path):
    hardware = Hardware(bank=Bank(resistors=1, nominal="10k"), tile=Tile(word_lines=1, bit_lines=1))
    hardware = hardware.model_copy(update={"tile": hardware.tile.model_copy(update=WIRES)})
    for closed in ("branch", "line"):
        found = imported(tmp_path, hardware, closed, on=np.full((1, 1, 1), 1 / 10_160))
        assert 1 / found.on(0).item() == pytest.approx(10e3, rel=1e-13)


@pytest.mark.parametrize("closed", ["branch", "line"])
@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
def test_without_a_measured_off_it_is_the_branchs_own_by_the_ratio(tmp_path, closed, layout):
    hardware, ratios = design(layout), (50.0, 80.0, 1e9)
    bank = hardware.bank.model_copy(update={"on_off_ratio": ratios})
    hardware = hardware.model_copy(update={"bank": bank})
    on, _ = chip(2)
    stuck = np.zeros(on.shape, dtype=int)
    stuck[1, 2, 0] = 1
    on_seen, off_seen = probed(on, on / ratios, hardware, closed, stuck)
    on_seen[stuck > 0] = off_seen[stuck > 0]
    found = imported(tmp_path, hardware, closed, on=on_seen, stuck=stuck)
    np.testing.assert_allclose(found.on(0), on, rtol=1e-10)
    np.testing.assert_allclose(found.off(0), on / ratios, rtol=1e-10)


def test_the_note_says_how_much_the_wires_took(tmp_path):
    hardware, (on, off) = design(), chip()
    on_seen, _ = probed(on, off, hardware, "line")
    found = imported(tmp_path, hardware, "line", on=on_seen)
    most = 100 * np.abs(on / on_seen - 1).max()
    assert f"one line closed at a time: at most {most:.3g} %" in found.measurement.notes[-1]
    ideal = design(word_wire=0, bit_wire=0, source=0, load=0)
    found = imported(tmp_path, ideal, "line", on=on_seen)
    np.testing.assert_array_equal(found.on(0), on_seen)
    assert "ideal wires" in found.measurement.notes[-1]


def test_every_tile_of_a_measurement_is_corrected(tmp_path):
    hardware = design()
    tiles = [chip(seed)[0] for seed in range(3)]
    off = np.zeros(tiles[0].shape)
    seen_on = [probed(on, off, hardware, "branch")[0] for on in tiles]
    np.savez(tmp_path / "chip.npz", on=np.array(seen_on))
    found = Chip.from_measurement(tmp_path / "chip.npz", hardware, behind_wires="branch")
    for tile, on in enumerate(tiles):
        np.testing.assert_allclose(found.on(tile), on, rtol=1e-12)


def test_a_branch_that_its_wires_do_not_let_through_is_refused(tmp_path):
    on = chip()[0]
    on[3, 1, 2] = 1 / 200  # behind 60 + 2 * 40 + 2 * 25 + 35 = 225 ohm
    for closed in ("branch", "line"):
        with pytest.raises(SpecError, match="tile 0: on must be less than what the wires let") as e:
            imported(tmp_path, design(), closed, on=on)
        assert "word line 3" in str(e.value)
    assert "bit line 1, resistor 2 it is 5 mS behind 225 ohm" in refusal(tmp_path, on, "branch")


def refusal(tmp_path, on, closed):
    with pytest.raises(SpecError) as caught:
        imported(tmp_path, design(), closed, on=on)
    return str(caught.value)


def test_switches_that_leak_more_than_the_lines_carry_are_refused(tmp_path):
    on = np.full((W, B, K), 1e-2)
    with pytest.raises(SpecError, match="open switches must leak less"):
        imported(tmp_path, design(word_wire=300.0), "line", on=on * 0.01, off=on * 0.009)


def test_only_a_branch_or_a_line_is_closed_at_a_time(tmp_path):
    with pytest.raises(SpecError, match="behind_wires must be branch or line, not 'cell'"):
        imported(tmp_path, design(), "cell", on=chip()[0])


@pytest.mark.parametrize("closed", ["branch", "line"])
def test_a_dead_tile_and_a_dead_line_stay_dead(tmp_path, closed):
    hardware = design()
    bank = hardware.bank.model_copy(update={"on_off_ratio": 1e3})
    hardware = hardware.model_copy(update={"bank": bank})
    on = np.stack([chip()[0], np.zeros((W, B, K))])
    on[0, 2] = 0.0
    np.savez(tmp_path / "chip.npz", on=on)
    found = Chip.from_measurement(tmp_path / "chip.npz", hardware, behind_wires=closed)
    assert not found.on(1).any()
    assert not found.on(0)[2].any()
    assert (found.on(0)[[0, 1, 3, 4]] > on[0][[0, 1, 3, 4]]).all()


def test_harsh_wires_and_leaking_switches_come_out_to_the_last_digits(tmp_path):
    hardware = design(word_wire=500.0, bit_wire=400.0)
    on, off = chip(3, ratio=8.0)
    on_seen, off_seen = probed(on, off, hardware, "line")
    assert (on_seen / on).min() < 0.6
    found = imported(tmp_path, hardware, "line", on=on_seen, off=off_seen)
    np.testing.assert_allclose(found.on(0), on, rtol=1e-12)


@pytest.mark.parametrize("closed", ["branch", "line"])
def test_a_branch_that_never_closes_carries_nothing(tmp_path, closed):
    hardware, (on, off) = design(), chip(4)
    stuck = np.zeros(on.shape, dtype=int)
    stuck[1, 1, :] = -1
    on_seen, _ = probed(on, off, hardware, closed, stuck)
    on_seen[stuck < 0] = 1e-4
    found = imported(tmp_path, hardware, closed, on=on_seen, stuck=stuck)
    np.testing.assert_allclose(found.on(0)[stuck == 0], on[stuck == 0], rtol=1e-12)
