"""One class and one entry of the tuple make an effect, for everything that reads or programs."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
import xbar.effects
from xbar.effects.effect import Effect
from xbar.effects.expected import expected_error

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((7, 19))}
X = np.random.default_rng(1).standard_normal((40, 19))
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=4, on_off_ratio=50, nominal=10e3),
    tile=xbar.Tile(word_lines=8, bit_lines=10, word_wire=3.0, bit_wire=2.0),
)


class Gain(Effect):
    """Sense amplifiers that give nine tenths of the current."""

    name = "gain"

    def current(self, current, read):
        return 0.9 * current


@pytest.fixture
def program():
    return xbar.compile(WEIGHTS, HARDWARE, seed=0)


@pytest.fixture
def plain(program):
    """By read-out, outputs without the effect."""
    return {readout: program.run(X, readout=readout) for readout in ("ideal", "nodal")}


@pytest.fixture
def toy(program, plain, monkeypatch):
    monkeypatch.setattr(xbar.effects, "EFFECTS", (*xbar.effects.EFFECTS, Gain()))


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
def test_read_outs_see_it(toy, program, plain, readout):
    found = program.run(X, readout=readout)
    np.testing.assert_allclose(found, 0.9 * plain[readout], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
def test_the_training_layer_sees_it(toy, program, plain, readout):
    torch = pytest.importorskip("torch")
    from xbar.training.layer import AnalogLayer

    x = torch.from_numpy(X[:, None])
    found = AnalogLayer.of(program, "fc", readout)(x)[:, 0].numpy()
    np.testing.assert_allclose(found, 0.9 * plain[readout], rtol=1e-9, atol=1e-12)


def test_a_layer_that_is_trained_sees_it(toy):
    torch = pytest.importorskip("torch")
    from xbar.training.layer import attach

    module = torch.nn.Linear(19, 7, bias=False).double()
    x = torch.from_numpy(X)
    expected = 0.9 * (x @ module.weight.T)
    chip = xbar.Chip.sample(HARDWARE, 0)
    attach({"fc": module}, chip, {"fc": (1, 7, 19)}, {"fc": 1e4}, lambda name: None)
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


def test_the_error_budget_tells_it(toy, program):
    budget = xbar.simulate(program, X, budget=True).budget
    parts = {part.part: part for part in budget.parts}
    assert list(parts) == ["selection", "gain"]
    assert parts["gain"].error_alone == pytest.approx(0.1, rel=1e-9)
    assert parts["gain"].error_without == pytest.approx(parts["selection"].error_alone, rel=1e-9)


def test_the_compilers_expected_error_counts_it(toy):
    noisy = HARDWARE.model_copy(update={"variation": xbar.Variation(read_noise=0.03)})
    for hardware, noise in ((HARDWARE, 0.0), (noisy, 0.03)):
        expected = expected_error(hardware)
        assert expected.gain == pytest.approx(0.9, rel=1e-15)
        assert expected.noise == pytest.approx(noise, rel=1e-12)
    # a cell of conductance 2 that should be 1.5, made of resistors whose squares add up to 3
    assert expected.of(2.0, 1.5, 3.0) == pytest.approx(0.3**2 + (0.9 * 0.03) ** 2 * 3.0)


@pytest.mark.parametrize("scale_per", ["column", "layer"])
def test_scales_leave_room_for_it(monkeypatch, scale_per):
    """Read noise hides nothing more where all currents are smaller, noise and signal alike."""
    hardware = xbar.Hardware(variation=xbar.Variation(read_noise=0.03))
    weights = {"fc": np.random.default_rng(2).standard_normal((32, 19))}

    def error():
        options = xbar.Options(scale_per=scale_per)
        program = xbar.compile(weights, hardware, seed=0, options=options)
        exact = X @ weights["fc"].T
        return np.linalg.norm(program.run(X) - exact) / np.linalg.norm(exact)

    plain = error()
    known = xbar.effects.EFFECTS  # after the noise, which is smaller then too
    monkeypatch.setattr(xbar.effects, "EFFECTS", (*known, Gain()))
    assert error() == pytest.approx(plain, rel=1e-6)


def test_programming_for_wires_makes_up_for_it(monkeypatch):
    """The subsets and scales that suit the wires suit the gain too."""
    bank = xbar.Bank(resistors=8, nominal=20e3)
    tile = xbar.Tile(word_lines=32, bit_lines=32, word_wire=2.0, bit_wire=2.0)
    hardware = xbar.Hardware(bank=bank, tile=tile)

    def error():
        program = xbar.compile(WEIGHTS, hardware, seed=0, wire_aware=True)
        exact = X @ WEIGHTS["fc"].T
        missed = program.run(X, readout="nodal") - exact
        assert program.tiles[0].wire_errors[-1] == pytest.approx(
            np.linalg.norm(missed) / np.linalg.norm(exact), rel=0.5
        )
        return np.linalg.norm(missed) / np.linalg.norm(exact)

    plain = error()
    monkeypatch.setattr(xbar.effects, "EFFECTS", (*xbar.effects.EFFECTS, Gain()))
    assert error() < 2 * plain < 0.02


class Drift(Effect):
    """Cells that have lost a fifth of their conductance, and shake."""

    name = "creep"

    def conductance(self, conductance, cells):
        return 0.8 * conductance

    def variance(self, power, hardware):
        return 0.05**2 * power


@pytest.mark.parametrize("first", [False, True])
def test_the_expected_error_is_that_of_reads_wherever_an_effect_stands(monkeypatch, first):
    """Mean and variance of 20000 reads of one weight, with drift before and after read noise."""
    known = xbar.effects.EFFECTS
    chain = (known[0], known[1], Drift(), *known[2:], Gain())
    monkeypatch.setattr(xbar.effects, "EFFECTS", chain if first else (*known, Drift(), Gain()))
    hardware = xbar.Hardware(variation=xbar.Variation(read_noise=0.1))
    program = xbar.compile([[1.0]], hardware, seed=0)
    (tile,), expected = program.tiles, expected_error(hardware)
    achieved, power = tile.difference("ideal")[0][0, 0], tile.noise_power("ideal")[0][0, 0]
    reads = program.run(np.ones((20_000, 1)))[:, 0] * tile.blocks[0].scale[0]
    assert reads.mean() == pytest.approx(expected.gain * achieved, rel=0.005)
    assert reads.var() == pytest.approx(expected.of(0.0, 0.0, power), rel=0.05)


def test_a_layer_in_evaluation_is_without_noise_but_not_without_drift(monkeypatch):
    torch = pytest.importorskip("torch")
    from xbar.training.layer import attach

    monkeypatch.setattr(xbar.effects, "EFFECTS", (*xbar.effects.EFFECTS, Drift()))
    module = torch.nn.Linear(19, 7, bias=False).double().eval()
    x = torch.from_numpy(X)
    expected = 0.8 * (x @ module.weight.T)
    chip = xbar.Chip.sample(HARDWARE, 0)
    attach({"fc": module}, chip, {"fc": (1, 7, 19)}, {"fc": 1e4}, lambda name: None)
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


def test_it_is_gone_with_its_entry(program, plain):
    np.testing.assert_array_equal(program.run(X), plain["ideal"])
    assert expected_error(HARDWARE).gain == 1.0
