from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

import xbar
from xbar.errors import ModelError, SpecError
from xbar.training.recipe import Recipe

torch = pytest.importorskip("torch")
nn = torch.nn

from xbar.pruning.initial import States
from xbar.pruning.masked import Masked, mean_shift
from xbar.training.loop import accuracy


def perceptron(hidden=64, inputs=64):
    torch.manual_seed(1)
    return nn.Sequential(
        OrderedDict(
            fc1=nn.Linear(inputs, hidden),
            norm=nn.BatchNorm1d(hidden),
            relu=nn.ReLU(),
            fc2=nn.Linear(hidden, 10),
        )
    )


def small(inputs=8):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, 3))


def find(data, **options):
    return xbar.pruning.edge_popup(small(), data, **{"epochs": 2, **options})


def test_choosing_among_random_weights_alone_solves_the_digits(digits):
    ticket = xbar.pruning.edge_popup(
        perceptron(), (digits.train, digits.train_labels), keep=0.5, epochs=15, seed=0
    )
    untrained = xbar.pruning.edge_popup(
        perceptron(), (digits.train, digits.train_labels), keep=0.5, epochs=0, seed=0
    )
    assert accuracy(ticket.model, digits.test, digits.test_labels) > 0.9
    assert accuracy(untrained.model, digits.test, digits.test_labels) < 0.3


@pytest.mark.parametrize("weights", ["kaiming", "constant"])
def test_weights_never_change_and_are_zero_where_pruned(blobs, weights):
    trained, start = find(blobs, weights=weights), find(blobs, weights=weights, epochs=0)
    for name in ("0", "2"):
        a, b = (t.model[int(name)].weight.detach().numpy() for t in (trained, start))
        both = trained.mask[name] & start.mask[name]
        assert both.any()
        np.testing.assert_array_equal(a[both], b[both])
        np.testing.assert_array_equal(a != 0, trained.mask[name])
        assert not np.array_equal(trained.mask[name], start.mask[name])


def test_kaiming_weights_have_the_variance_that_the_kept_share_asks_for():
    data = (np.zeros((4, 400), np.float32), np.arange(4))
    model = nn.Sequential(nn.Linear(400, 500))
    ticket = xbar.pruning.edge_popup(model, data, keep=0.25, weights="kaiming", epochs=0)
    values = ticket.model[0].weight.detach().numpy()[ticket.mask["0"]]
    assert np.var(values) == pytest.approx(2 / (400 * 0.25), rel=0.02)
    constant = xbar.pruning.edge_popup(model, data, keep=0.25, weights="constant", epochs=0)
    values = constant.model[0].weight.detach().numpy()[constant.mask["0"]]
    np.testing.assert_allclose(np.abs(values), np.sqrt(2 / 100), rtol=1e-6)
    assert abs(np.mean(np.sign(values))) < 0.02


def test_given_weights_are_the_models_own(blobs):
    model = small()
    before = [p.detach().clone() for p in model.parameters()]
    ticket = xbar.pruning.edge_popup(model, blobs, keep=0.3, weights="given", epochs=1)
    own, mask = model[0].weight.detach().numpy(), ticket.mask["0"]
    np.testing.assert_array_equal(ticket.model[0].weight.detach().numpy(), own * mask)
    for a, b in zip(before, model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_each_layer_keeps_its_share_to_the_nearest_weight(blobs):
    ticket = find(blobs, keep=0.3)
    assert {name: int(m.sum()) for name, m in ticket.mask.items()} == {"0": 77, "2": 29}


def test_a_global_share_holds_over_all_layers_together(blobs):
    ticket = find(blobs, keep=0.3, scope="global")
    assert sum(int(m.sum()) for m in ticket.mask.values()) == round(0.3 * (256 + 96))
    assert ticket.mask["0"].mean() != pytest.approx(0.3, abs=0.01)


def test_only_the_mask_is_learned(blobs):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    ticket = xbar.pruning.edge_popup(model, blobs, epochs=2)
    assert {n for n, _ in ticket.model.named_parameters()} == {"0.weight", "3.weight"}
    assert model[1].affine


def test_batch_norms_end_with_the_statistics_of_the_ticket_itself(blobs):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    ticket = xbar.pruning.edge_popup(model, blobs, epochs=1)
    value = blobs[0][:256] @ ticket.model[0].weight.detach().numpy().T
    rest = blobs[0][256:] @ ticket.model[0].weight.detach().numpy().T
    mean = (value.mean(0) + rest.mean(0)) / 2
    np.testing.assert_allclose(ticket.model[1].running_mean.numpy(), mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"choice": "drawn"}, {"weights": "constant", "anneal": 0.5}]
)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(blobs, options):
    first = find(blobs, seed=3, **options)
    torch.manual_seed(99)
    torch.rand(7)
    second, other = find(blobs, seed=3, **options), find(blobs, seed=4, **options)
    for name, value in first.model.state_dict().items():
        assert value.numpy().tobytes() == second.model.state_dict()[name].numpy().tobytes()
    assert first.history == second.history
    assert any((first.mask[n] != other.mask[n]).any() for n in first.mask)


def test_the_callers_random_numbers_are_left_alone(blobs):
    model = small()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    xbar.pruning.edge_popup(model, blobs, epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_the_gradient_passes_through_the_absolute_score_straight():
    rng = np.random.default_rng(0)
    on, off = (rng.normal(size=(3, 4)).astype(np.float32) for _ in range(2))
    masked = Masked(States(on, off), (3, 4))
    score = torch.from_numpy(rng.normal(size=(3, 4)).astype(np.float32)).requires_grad_()
    masked.choose(score.detach().numpy(), 0.5)
    wanted = rng.normal(size=(3, 4)).astype(np.float32)
    weight = masked(score)
    weight.backward(torch.from_numpy(wanted))
    values = score.detach().numpy()
    np.testing.assert_allclose(
        weight.detach().numpy(), np.where(np.abs(values) >= 0.5, on, off), rtol=1e-6
    )
    np.testing.assert_allclose(score.grad.numpy(), wanted * (on - off) * np.sign(values), rtol=1e-5)


def test_the_least_score_kept_is_exact_however_far_it_moved():
    rng = np.random.default_rng(0)
    score = rng.normal(size=(30, 40)).astype(np.float32)
    masked = Masked(States(np.ones_like(score)), score.shape)
    for change in (1e-3, 1e-3, 0.5, 0.0):
        score = score + np.float32(change) * rng.normal(size=score.shape).astype(np.float32)
        for kept in (1, 600, 606, 1200):
            found = masked.find_least(score, kept)
            assert found == np.sort(np.abs(score).ravel())[-kept]
            masked.choose(score, found)
            assert np.count_nonzero(masked.weight) == kept


@pytest.mark.parametrize("shape", [(30, 40), (30, 1)])
def test_the_number_kept_in_training_is_never_far_off(shape):
    rng = np.random.default_rng(0)
    score = rng.normal(size=shape).astype(np.float32)
    masked = Masked(States(np.ones((30, 40), np.float32)), shape)
    for change in (1e-4, 1e-3, 1e-2, 1.0, 1e-4):
        score = score + np.float32(change) * rng.normal(size=shape).astype(np.float32)
        masked.follow(score, score.size // 3)
        group = 1200 // score.size
        assert abs(np.count_nonzero(masked.weight) / group - score.size // 3) <= 0.8


def test_a_groups_score_gets_the_sum_of_its_weights_gradients():
    on = np.arange(6, dtype=np.float32).reshape(2, 3)
    masked = Masked(States(on), (2, 1))
    score = torch.tensor([[-1.0], [2.0]], requires_grad=True)
    masked.choose(score.detach().numpy(), 1.5)
    np.testing.assert_array_equal(masked(score).detach().numpy(), [[0, 0, 0], [3, 4, 5]])
    masked(score).backward(torch.ones(2, 3))
    np.testing.assert_array_equal(score.grad.numpy(), [[-3.0], [12.0]])


@pytest.mark.parametrize(
    ("structure", "axis", "layer", "other"), [("outputs", 1, "0", "2"), ("inputs", 0, "2", "0")]
)
def test_a_structure_switches_whole_lines(blobs, structure, axis, layer, other):
    ticket = find(blobs, keep=0.25, structure=structure)
    lines = ticket.mask[layer].all(axis)
    np.testing.assert_array_equal(lines, ticket.mask[layer].any(axis))
    assert lines.sum() == 8
    assert int(ticket.mask[other].sum()) <= round(0.25 * ticket.mask[other].size)
    if structure == "outputs":  # what came from removed neurons is gone
        assert not ticket.mask[other][:, ~lines].any()


def test_filters_are_the_outputs_of_a_convolution():
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 4, 2))
    data = (rng.normal(size=(40, 2, 4, 4)).astype(np.float32), np.arange(40) % 2)
    ticket = xbar.pruning.edge_popup(model, data, keep=0.5, structure="outputs", epochs=1)
    filters = ticket.mask["0"].reshape(8, -1)
    np.testing.assert_array_equal(filters.all(1), filters.any(1))
    assert filters.all(1).sum() == 4


def test_drawn_masks_learn_too(digits):
    ticket = xbar.pruning.edge_popup(
        perceptron(),
        (digits.train, digits.train_labels),
        keep=0.5,
        epochs=15,
        choice="drawn",
        recipe=Recipe(rate=10.0),
    )
    assert accuracy(ticket.model, digits.test, digits.test_labels) > 0.9
    assert ticket.kept == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_the_shift_makes_the_mean_probability_the_share(share):
    scores = np.random.default_rng(0).normal(size=1000) * 30
    shift = mean_shift(scores, share)
    assert np.mean(1 / (1 + np.exp(-(scores + shift)))) == pytest.approx(share, abs=1e-3)


def test_sharpening_lets_a_narrow_network_fit_and_changes_no_weight(digits):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    data = (digits.train, digits.train_labels)
    plain, sharp = (
        xbar.pruning.edge_popup(model, data, epochs=8, recipe=Recipe(rate=1.0, sharpen=sharpen))
        for sharpen in (False, True)
    )
    assert sharp.history[-1].loss < 0.6 * plain.history[-1].loss
    both = plain.mask["0"] & sharp.mask["0"]
    weights = [t.model[0].weight.detach().numpy()[both] for t in (plain, sharp)]
    np.testing.assert_array_equal(*weights)


def test_history_tells_the_annealed_share(blobs):
    ticket = find(blobs, keep=0.2, epochs=4, anneal=0.5)
    assert [e.kept for e in ticket.history] == pytest.approx([1.0, 0.2 + 0.8 / 8, 0.2, 0.2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"keep": 0},
            "keep, the fraction of weights to keep, must lie strictly between 0 and 1, not 0",
        ),
        ({"keep": 1.0}, "strictly between 0 and 1, not 1.0"),
        ({"keep": float("nan")}, "strictly between 0 and 1, not nan"),
        ({"epochs": -1}, "epochs must be a whole number of at least 0, not -1"),
        ({"weights": "uniform"}, "weights must be 'kaiming', 'constant', 'given' or a Chip"),
        ({"scope": "all"}, "scope must be one of 'layer', 'global', not 'all'"),
        ({"structure": "neurons"}, "structure must be one of 'weights', 'outputs', 'inputs'"),
        ({"structure": "outputs", "scope": "global"}, "scope must be 'layer' with a structure"),
        (
            {"anneal": 1.0},
            "anneal, a fraction of the epochs, must be at least 0 and below 1, not 1.0",
        ),
    ],
)
def test_an_argument_out_of_range_is_refused_in_one_line(blobs, options, message):
    with pytest.raises(SpecError, match=message) as error:
        find(blobs, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ((np.zeros((4, 8)), np.zeros(3, int)), SpecError, "labels must be 4 class numbers"),
        ((np.zeros((4, 8)), np.zeros(4)), SpecError, "labels must be .* not float64"),
        ((np.full((4, 8), np.nan), np.zeros(4, int)), SpecError, "inputs must be finite"),
        ((np.zeros((4, 9)), np.zeros(4, int)), ModelError, r"does not take inputs of shape \(9,\)"),
        ((np.zeros((4, 8)), np.full(4, 3)), ModelError, "one score for each of 4 classes"),
    ],
)
def test_data_that_do_not_fit_are_refused(data, error, message):
    with pytest.raises(error, match=message):
        xbar.pruning.edge_popup(small(), data, epochs=1)


def test_a_network_without_anything_to_prune_is_refused(blobs):
    with pytest.raises(ModelError, match="must have a linear layer or a convolution"):
        xbar.pruning.edge_popup(nn.Sequential(nn.ReLU()), blobs)


def test_structure_needs_a_hidden_layer(blobs):
    with pytest.raises(SpecError, match="never prunes the network's own inputs and outputs"):
        xbar.pruning.edge_popup(nn.Linear(8, 3), blobs, structure="outputs")


def test_two_layers_that_share_a_weight_are_refused(blobs):
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    model[2].weight = model[0].weight
    with pytest.raises(ModelError, match="2: it shares its weight with 0"):
        xbar.pruning.edge_popup(model, blobs)
