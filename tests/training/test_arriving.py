from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.training import Tuning, finetune
from xbar.training.arrays import Arrays

torch = pytest.importorskip("torch")

from xbar.training.arriving import Arriving

SIZE, RESISTOR = 48, 1e-4


def arrays(wire=10.0):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal="8k"),
        tile=xbar.Tile(word_lines=SIZE, bit_lines=SIZE, word_wire=wire, bit_wire=wire),
    )
    matrix = np.random.default_rng(0).normal(size=(1, 20, 40))
    return Arrays.of(hardware, {"fc": matrix}, 1e-7, wired=True)


def walk(steps, by, seed=1):
    """Conductances in resistors, moved at random in each step."""
    rng = np.random.default_rng(seed)
    d = rng.normal(size=800)
    for _ in range(steps):
        yield torch.from_numpy(d.astype(np.float32))
        d = d + by * rng.normal(size=800)


def solved(found, d):
    """What arrives by the circuit."""
    signed = d.numpy().astype(np.float64) * RESISTOR
    return found.effective(found.crossings(signed)) / RESISTOR


def error_of(found, exact):
    return float(np.linalg.norm(found.numpy() - exact) / np.linalg.norm(exact))


def test_between_solutions_the_error_is_what_is_told_and_below_the_one_allowed():
    found = arrays()
    arriving = Arriving(found, RESISTOR, Tuning(stale=0.003))
    errors = [error_of(arriving(d, exact=False), solved(found, d)) for d in walk(60, 0.02)]
    told = arriving.told()
    followed = [error for error in errors if error > 1e-6]  # what is solved has float32's error
    assert 30 < len(followed) < 60
    assert max(followed) < 0.003
    assert max(followed) == pytest.approx(told, rel=0.5)
    assert arriving.told() == 0.0


def test_what_is_followed_is_nearer_than_a_stale_transfer_and_its_first_order():
    found = arrays()
    arriving = Arriving(found, RESISTOR, Tuning(stale=1.0))
    first, second, third = walk(3, 0.02)
    signed = [d.numpy().astype(np.float64) * RESISTOR for d in (second, third)]
    share = found.shares(found.crossings(signed[0]))
    before, exact = solved(found, second), solved(found, third)
    slope = before + found.own(share, signed[0]) * (signed[1] - signed[0]) / RESISTOR
    for d in (first, second):
        arriving(d, exact=False)
    followed = error_of(arriving(third, exact=False), exact)
    assert followed < 0.25 * error_of(torch.from_numpy(slope), exact)
    assert followed < 0.1 * error_of(torch.from_numpy(before), exact)


def test_of_grain_only_what_goes_astray_of_it_is_left_out():
    found = arrays()
    arriving = Arriving(found, RESISTOR, Tuning(stale=0.003))
    rng = np.random.default_rng(3)
    for usual in walk(20, 0.01):
        grain = torch.from_numpy(1 + 0.05 * rng.normal(size=800).astype(np.float32))
        exact = solved(found, usual * grain)
        left_out = error_of(arriving(usual * grain, usual, exact=False), exact)
        assert left_out < 0.2 * error_of(torch.from_numpy(solved(found, usual)), exact)
    assert 0.0 < arriving.told() < 0.003


def test_arrays_are_solved_in_every_step_where_no_error_is_allowed():
    found = arrays()
    for tuning in (Tuning(stale=0.0), Tuning(stale=0.1, gradient="exact"), Tuning(stale=1e-9)):
        arriving = Arriving(found, RESISTOR, tuning)
        for d in walk(8, 0.02):
            arrives = arriving(d, exact=False)
            np.testing.assert_array_equal(arrives, solved(found, d).astype(np.float32))
        assert arriving.told() == 0.0


def test_asking_for_what_arrives_exactly_changes_nothing_in_training():
    found = arrays()
    one, two = (Arriving(found, RESISTOR, Tuning()) for _ in range(2))
    for d in walk(12, 0.02):
        exact = two(d, exact=True)
        np.testing.assert_array_equal(exact, solved(found, d).astype(np.float32))
        np.testing.assert_array_equal(one(d, exact=False), two(d, exact=False))


def test_networks_trained_with_and_without_stale_transfers_are_alike():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 12)).astype(np.float32)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(12, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    hardware = arrays(30.0).hardware
    histories = [
        finetune(
            model, x, hardware, epochs=2, input_shape=(12,), tuning=Tuning(stale=stale, batch=32)
        ).history
        for stale in (0.0, 0.005)
    ]
    exact, stale = (history[-1] for history in histories)
    assert stale.loss == pytest.approx(exact.loss, rel=0.05)
    assert exact.stale == 0.0
    assert 0.0 < stale.stale < 0.02


def test_an_error_below_0_is_refused():
    with pytest.raises(SpecError, match="stale must be a finite number from 0"):
        Tuning(stale=-0.1)
