"""Claims: relaxed Bernoulli gates find tickets, and are differentiable as they stand."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError

torch = pytest.importorskip("torch")
nn = torch.nn

from xbar.pruning.masked import Gated
from xbar.training.layers import States
from xbar.training.loop import accuracy

CHIP = xbar.Hardware(
    bank=xbar.Bank(resistors=1, on_off_ratio=100), tile=xbar.Tile(word_lines=64, bit_lines=64)
)


def perceptron():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))


def find(data, **options):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    return xbar.pruning.gates(model, data, **{"epochs": 2, **options})


@pytest.fixture(scope="module")
def layer():
    """A gated layer with odds, and the gates that it has in evaluation."""
    rng = np.random.default_rng(0)
    on = rng.normal(size=(40, 50)).astype(np.float32)
    off = 0.01 * np.abs(on)
    gated = Gated(States(on, off), on.shape)
    gated.set_shift(-0.7)
    return gated, torch.from_numpy(rng.normal(size=on.shape).astype(np.float32) / 7)


def test_gates_among_random_weights_alone_solve_the_digits(digits):
    pair = (digits.train, digits.train_labels)
    ticket = xbar.pruning.gates(perceptron(), pair, keep=0.2, epochs=12, seed=0)
    untrained = xbar.pruning.gates(perceptron(), pair, keep=0.2, epochs=0, seed=0)
    assert accuracy(ticket.model, digits.test, digits.test_labels) > 0.9
    assert accuracy(untrained.model, digits.test, digits.test_labels) < 0.3


def test_weights_never_change_and_exactly_the_fraction_is_kept(blobs):
    trained, start = find(blobs, keep=0.3), find(blobs, keep=0.3, epochs=0)
    assert {name: int(m.sum()) for name, m in trained.mask.items()} == {"0": 77, "2": 29}
    for name in ("0", "2"):
        a, b = (t.model[int(name)].weight.detach().numpy() for t in (trained, start))
        both = trained.mask[name] & start.mask[name]
        np.testing.assert_array_equal(a[both], b[both])
        np.testing.assert_array_equal(a != 0, trained.mask[name])
        assert not np.array_equal(trained.mask[name], start.mask[name])


def test_a_gates_gradient_is_that_of_finite_differences(layer):
    gated, score = layer
    direction = torch.randn(score.shape, generator=torch.Generator().manual_seed(3))
    way = torch.randn(score.shape, generator=torch.Generator().manual_seed(4))

    def value(at):
        torch.manual_seed(5)  # the same noise
        return (gated.train()(at) * way).sum()

    at = score.double().requires_grad_()
    value(at).backward()
    slope = float((at.grad * direction).sum())
    step = 1e-5
    with torch.no_grad():
        above, below = (value(score.double() + s * step * direction) for s in (1, -1))
    assert slope == pytest.approx(float(above - below) / (2 * step), rel=1e-4)


def test_a_gate_is_above_one_half_with_its_bernoulli_probability(layer):
    gated, score = layer
    torch.manual_seed(0)
    step = torch.from_numpy(gated.step)
    shares = torch.stack(
        [((gated.train()(score) - torch.from_numpy(gated.off)) / step) > 0.5 for _ in range(800)]
    )
    odds = score.numpy() * np.sqrt(50) - 0.7
    expected = 1 / (1 + np.exp(-odds))
    deviation = shares.double().mean(0).numpy() - expected
    scores = deviation / np.sqrt(expected * (1 - expected) / 800)
    assert np.abs(scores).max() < 5
    assert np.std(scores) == pytest.approx(1, abs=0.1)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(blobs):
    first = find(blobs, seed=3)
    torch.manual_seed(99)
    again, other = find(blobs, seed=3), find(blobs, seed=4)
    for name, mask in first.mask.items():
        np.testing.assert_array_equal(mask, again.mask[name])
    assert any(not np.array_equal(mask, other.mask[name]) for name, mask in first.mask.items())
    assert first.history == again.history


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
def test_a_chip_with_the_gates_switches_answers_as_the_ticket_does(blobs, readout):
    chip = xbar.Chip.sample(CHIP, 2)
    ticket = find(blobs, weights=chip, readout=readout)
    program = xbar.compile(ticket, chip)
    with torch.no_grad():
        own = ticket.model(torch.from_numpy(blobs[0])).numpy()
    np.testing.assert_allclose(program.run(blobs[0]), own, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("structure", ["outputs", "inputs"])
def test_a_structures_gates_open_and_close_whole_groups(blobs, structure):
    mask = find(blobs, structure=structure, keep=0.25).mask
    lines = mask["0"].all(axis=1) if structure == "outputs" else mask["2"].all(axis=0)
    assert lines.sum() == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 1.0}, "strictly between 0 and 1"),
        ({"scope": "layers"}, "scope must be one of"),
        ({"scope": "global", "structure": "outputs"}, "scope must be 'layer'"),
        ({"readout": "nodal"}, "readout must be 'ideal' without a chip"),
        ({"weights": "none"}, "weights must be"),
        ({"epochs": -1}, "epochs"),
    ],
)
def test_options_that_do_not_fit_are_refused(blobs, options, message):
    with pytest.raises(SpecError, match=message):
        find(blobs, **options)
