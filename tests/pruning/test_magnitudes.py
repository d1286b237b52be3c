from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError

torch = pytest.importorskip("torch")
nn = torch.nn

from xbar.training.loop import accuracy


def network(inputs=8, hidden=32, classes=3):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes)).eval()


def weight(ticket, name):
    return ticket.model[int(name)].weight.detach().numpy()


def test_one_shot_keeps_the_largest_of_each_layer(blobs):
    model = network()
    ticket = xbar.pruning.magnitude(model, blobs, keep=0.25, epochs=0, tune=0)
    for name in ("0", "2"):
        own = model[int(name)].weight.detach().numpy()
        kept = np.sort(np.abs(own).ravel())[-own.size // 4 :]
        np.testing.assert_array_equal(ticket.mask[name], np.abs(own) >= kept[0])
        np.testing.assert_array_equal(weight(ticket, name), own * ticket.mask[name])


def test_a_global_share_keeps_the_largest_of_all(blobs):
    model = network()
    ticket = xbar.pruning.magnitude(model, blobs, keep=0.25, epochs=0, tune=0, scope="global")
    sizes = [np.abs(model[i].weight.detach().numpy()) for i in (0, 2)]
    bar = np.sort(np.concatenate([s.ravel() for s in sizes]))[-88]
    for name, size in zip(("0", "2"), sizes, strict=True):
        np.testing.assert_array_equal(ticket.mask[name], size >= bar)


def test_structured_pruning_removes_the_neurons_of_smallest_norm(blobs):
    model = network()
    ticket = xbar.pruning.magnitude(model, blobs, keep=0.5, epochs=0, tune=0, structure="outputs")
    norm = np.linalg.norm(model[0].weight.detach().numpy(), axis=1)
    np.testing.assert_array_equal(ticket.mask["0"].all(1), norm >= np.sort(norm)[16])
    np.testing.assert_array_equal(ticket.mask["0"].any(1), ticket.mask["0"].all(1))
    np.testing.assert_array_equal(ticket.mask["2"], np.tile(ticket.mask["0"].all(1), (3, 1)))


def test_what_was_pruned_stays_zero_through_all_rounds_of_training(blobs):
    ticket = xbar.pruning.magnitude(network(), blobs, keep=0.1, epochs=2, rounds=3, tune=2)
    assert [round(e.kept, 2) for e in ticket.history] == [1, 1, 0.47, 0.47, 0.22, 0.22, 0.1, 0.1]
    for name in ("0", "2"):
        np.testing.assert_array_equal(weight(ticket, name) != 0, ticket.mask[name])


def test_a_pruned_network_still_tells_the_digits(digits):
    data = (digits.train, digits.train_labels)
    model = network(64, 64, 10)
    for ticket in (
        xbar.pruning.magnitude(model, data, keep=0.2, rounds=2),
        xbar.pruning.lottery_ticket(model, data, keep=0.2, rounds=2, epochs=10),
    ):
        assert ticket.kept == pytest.approx(0.2, abs=1e-3)
        assert accuracy(ticket.model, digits.test, digits.test_labels) > 0.93


def test_a_lottery_ticket_starts_from_the_initial_weights(blobs):
    """Its last training is that of the masked initial network with the same batches."""
    model = network()
    ticket = xbar.pruning.lottery_ticket(model, blobs, keep=0.3, epochs=1, rounds=1)
    loss = ticket.history[1].loss
    longer = xbar.pruning.magnitude(model, blobs, keep=0.3, epochs=1, tune=1)
    assert ticket.history[0] == longer.history[0]
    assert loss > longer.history[1].loss  # from the start again, not from what was learned


def test_rewinding_goes_back_to_the_end_of_that_epoch(blobs):
    model = network()
    options = {"keep": 0.9, "epochs": 6, "rounds": 1}
    first = xbar.pruning.lottery_ticket(model, blobs, rewind=0, **options)
    late = xbar.pruning.lottery_ticket(model, blobs, rewind=5, **options)
    assert first.history[:6] == late.history[:6]
    assert late.history[6].loss < first.history[6].loss


def test_a_random_mask_has_the_share_and_depends_on_the_seed(blobs):
    a, b = (xbar.pruning.random(network(), blobs, keep=0.25, epochs=0, seed=s) for s in (0, 1))
    assert int(a.mask["0"].sum()) == int(b.mask["0"].sum()) == 64
    assert (a.mask["0"] != b.mask["0"]).any()
    own = network()[0].weight.detach().numpy()
    np.testing.assert_array_equal(weight(a, "0"), own * a.mask["0"])


@pytest.mark.parametrize("method", ["magnitude", "lottery_ticket", "random"])
def test_the_same_seed_gives_the_same_bytes(blobs, method):
    find = getattr(xbar.pruning, method)
    a, b = (find(network(), blobs, keep=0.5, epochs=2, seed=7) for _ in range(2))
    for name, value in a.model.state_dict().items():
        assert value.numpy().tobytes() == b.model.state_dict()[name].numpy().tobytes()


@pytest.mark.parametrize("method", ["magnitude", "lottery_ticket", "random"])
def test_the_model_is_left_as_it_was(blobs, method):
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    getattr(xbar.pruning, method)(model, blobs, keep=0.5, epochs=1)
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items())


@pytest.mark.parametrize("method", ["magnitude", "lottery_ticket", "random"])
@pytest.mark.parametrize("keep", [0, 1, 1.5, "half"])
def test_a_share_out_of_range_is_refused(blobs, method, keep):
    with pytest.raises(SpecError, match="must lie strictly between 0 and 1"):
        getattr(xbar.pruning, method)(network(), blobs, keep=keep)


def test_rewinding_beyond_the_training_is_refused(blobs):
    with pytest.raises(SpecError, match=r"epochs, more than rewind, must be .* at least 4, not 3"):
        xbar.pruning.lottery_ticket(network(), blobs, epochs=3, rewind=3)
