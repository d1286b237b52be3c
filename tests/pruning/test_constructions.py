"""Each construction, run by PyTorch with its mask, against its certificate and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn

import xbar
from xbar.pruning import approximate

pytestmark = pytest.mark.usefixtures("one_thread")
METHODS = ("malach", "pensia", "cnn", "neurons")


def _convolutions(seed):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, (2, 3), groups=2, dilation=(1, 1), padding=(0, 2)),
        nn.Sigmoid(),
        nn.AvgPool2d(2, padding=1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(48, 4),
    )
    with torch.no_grad():
        net[1].running_mean.uniform_(-1, 1)
        net[1].running_var.uniform_(0.5, 2)
        net[1].weight.uniform_(-1.5, 1.5)
        net[1].bias.uniform_(-1, 1)
    return net.eval()


def _double(model, inputs):
    import copy

    with torch.no_grad():
        return copy.deepcopy(model).double()(torch.tensor(inputs)).numpy()


@pytest.mark.parametrize("method", METHODS)
def test_the_pruned_network_is_the_random_one_times_its_mask(perceptron, method):
    rng = np.random.default_rng(0)
    ticket = approximate(perceptron(rng), method, 0.05, 12, seed=3)
    for name, mask in ticket.mask.items():
        random = ticket.random.get_submodule(name).weight.numpy()
        pruned = ticket.model.get_submodule(name).weight.numpy()
        assert (random != 0).all()
        assert np.array_equal(pruned, np.where(mask, random, 0.0))
    assert 0.0 < ticket.kept < 1.0
    assert ticket.kept == pytest.approx(ticket.certificate.kept_share)


def test_random_weights_are_uniform_and_independent(linear):
    rng = np.random.default_rng(1)
    ticket = approximate(nn.Sequential(linear(rng, 40, 30, 0.9)), "pensia", 0.05, 20, seed=5)
    second = np.sort(ticket.random.get_submodule("0.second").weight.numpy().ravel())
    steps = (np.arange(second.size) + 0.5) / second.size
    distance = np.abs((second + 1) / 2 - steps).max()  # Kolmogorov and Smirnov
    assert distance < 1.95 / math.sqrt(second.size)
    first = ticket.random.get_submodule("0.first").weight.numpy()
    assert (first > 0).all()
    assert abs(first.mean() - 0.5) < 4 / math.sqrt(12 * first.size)
    assert len(np.unique(second)) > 0.999 * second.size


@pytest.mark.parametrize("method", ["malach", "pensia", "neurons"])
def test_dense_matrices_with_the_mask_give_the_same_outputs(linear, method):
    """The theorem's two matrices, written out: x -> V s(U x), U with one entry a neuron."""
    rng = np.random.default_rng(2)
    net = nn.Sequential(linear(rng, 7, 4, 0.8))
    x = rng.uniform(-1, 1, (50, 7))
    ticket = approximate(net, method, 0.05, 10, 7, input_range=(-1, 1), inputs=x)
    replacement = ticket.replacements[0]
    neurons = replacement.fixed.shape[1]
    u = np.zeros((7 * neurons, 7))
    u[np.arange(7 * neurons), np.repeat(np.arange(7), neurons)] = replacement.fixed.ravel()
    v = ticket.model.get_submodule("0.second").weight.double().numpy()
    built = np.maximum(x @ u.T, 0.0) @ v.T + net[0].bias.detach().double().numpy()
    assert _double(ticket.model, x) == pytest.approx(built, abs=1e-13)
    error = np.abs(built - _double(net, x)).max()
    assert ticket.certificate.measured == pytest.approx(error, rel=1e-9)
    assert ticket.certificate.layers[0].measured == pytest.approx(error, rel=1e-9)


def test_the_convolutional_theorems_first_layer_never_meets_its_relu():
    """s(U * X) = U * X without the negative entries, so the sum over t of V_t U_t is the kernel."""
    net = _convolutions(1)
    x = np.random.default_rng(3).random((6, 2, 16, 16))
    ticket = approximate(net, "cnn", 0.1, 16, seed=2, inputs=x)
    first = ticket.model.get_submodule("0.first")
    second = ticket.model.get_submodule("0.second").weight.double().numpy()
    assert (first.weight >= 0).all()
    assert (ticket.random.get_submodule("0.first").weight < 0).any()
    hidden = _double(first, x)
    assert hidden.min() >= 0.0
    kernels = first.weight.double().numpy().reshape(4, 16, 2, 3, 3)
    summed = (second.reshape(4, 16, 1, 1, 1) * kernels).sum(axis=1)
    error = np.abs(summed - net[0].weight.detach().double().numpy())
    account = ticket.certificate.layers[0]
    assert account.weight_error.reshape(error.shape) == pytest.approx(error, abs=1e-12)
    norm = np.abs(net[0].weight.detach().numpy()).sum(axis=(1, 2, 3)).max()
    assert norm / 2 < account.scale / 2 < norm <= account.scale
    assert "l1 norm of its kernels is above the theorem's 1" in " ".join(ticket.certificate.notes)


@pytest.mark.parametrize("method", ["malach", "pensia", "cnn"])
@pytest.mark.parametrize("minimise", ["error", "size"])
def test_convolutions_run_with_stride_padding_and_groups_and_keep_their_bounds(method, minimise):
    net = _convolutions(4)
    x = np.random.default_rng(5).random((20, 2, 16, 16))
    ticket = approximate(net, method, 0.05, 18, seed=1, inputs=x, minimise=minimise)
    account = ticket.certificate
    error = np.abs(_double(ticket.model, x) - _double(net, x)).max()
    assert account.measured == pytest.approx(error, rel=1e-9)
    assert 0 < account.measured <= account.bound
    for layer in account.layers:
        assert 0 < layer.measured <= layer.bound
        if layer.failures == 0:
            assert layer.bound <= layer.promised
            assert layer.weight_error.max() <= 0.05
    with torch.no_grad():  # and in the model's own precision
        single = ticket.model(torch.from_numpy(x).float()).numpy()
    assert single == pytest.approx(_double(ticket.model, x), abs=1e-4)


def test_the_bound_is_never_violated_in_1000_random_small_targets(perceptron):
    rng = np.random.default_rng(6)
    close = 0.0
    for trial in range(1000):
        method = METHODS[trial % 4]
        widths = rng.integers(1, 6, 3)
        net = perceptron(rng, widths, reach=rng.choice([0.3, 1.0, 3.0]))
        low = 0.0 if method == "cnn" else rng.choice([0.0, -1.0])
        corners = rng.choice([low, 1.0], (8, widths[0]))  # where layer errors are largest
        x = np.concatenate([corners, rng.uniform(low, 1.0, (8, widths[0]))])
        samples = int(rng.integers(1, 11))
        minimise = "size" if trial % 8 < 3 else "error"
        ticket = approximate(
            net, method, 0.02, samples, trial, minimise=minimise, inputs=x, input_range=(low, 1.0)
        )
        account = ticket.certificate
        assert account.measured <= account.bound
        assert all(layer.measured <= layer.bound for layer in account.layers)
        if account.failures == 0:
            assert account.bound <= account.promised
        close = max(close, account.layers[0].measured / account.layers[0].bound)
    assert close > 0.99  # the first layer's bound is attained at a corner


def test_a_layers_bound_is_what_the_worst_input_reaches(linear):
    rng = np.random.default_rng(7)
    net = nn.Sequential(linear(rng, 9, 3, 0.5))
    ticket = approximate(net, "pensia", 0.1, 6, seed=1, input_range=(-1, 1))
    replacement = ticket.replacements[0]
    plus, minus = replacement.error[:, :, 0, 0], replacement.error[:, :, 0, 1]
    worst = []
    for o in range(3):
        # a positive input counts its plus error, a negative one its minus error
        signs = np.where(np.abs(plus[o]) > np.abs(minus[o]), 1.0, -1.0)
        lean = np.where(signs > 0, np.sign(plus[o]), np.sign(minus[o]))
        for way in (1.0, -1.0):
            x = np.where(lean == way, signs, np.where(signs > 0, -1e-300, 1e-300))[None]
            worst.append(np.abs(_double(ticket.model, x) - _double(net, x)).max())
    sums = np.maximum(np.abs(plus), np.abs(minus)).sum(axis=1)
    assert ticket.certificate.layers[0].bound == pytest.approx(sums.max(), rel=1e-9)
    assert sums.max() / 2 <= max(worst) <= sums.max()


def test_weights_above_one_are_rescaled_and_it_is_said(linear):
    rng = np.random.default_rng(16)
    net = nn.Sequential(linear(rng, 30, 20, 5.0))
    ticket = approximate(net, "pensia", 0.01, 20, seed=0)
    assert ticket.certificate.layers[0].scale == 8.0
    assert any(
        "0: its largest weight is above the theorem's 1" in n for n in ticket.certificate.notes
    )
    assert np.abs(ticket.random.get_submodule("0.second").weight.numpy()).max() > 4.0
    assert ticket.certificate.failures < 10


def test_signed_inputs_take_both_halves_and_positive_ones_one(perceptron):
    rng = np.random.default_rng(17)
    net = perceptron(rng)
    ticket = approximate(net, "pensia", 0.05, 12, input_range=(-1, 1))
    first, last = ticket.certificate.layers
    assert (first.instances, last.instances) == (2 * 30, 15)
    assert (first.candidates, last.candidates) == (2 * 30 * 12, 15 * 12)
    assert first.fixed == 6 * 24
    assert first.dense == 6 * 24 * (6 + 5)


def test_counts_are_those_of_the_published_experiment():
    """784-500-10 without biases, n = 21: 397,000 weights and 8,337,000 random ones."""
    zero = nn.Sequential(nn.Linear(784, 500, bias=False), nn.ReLU(), nn.Linear(500, 10, bias=False))
    with torch.no_grad():
        for parameter in zero.parameters():
            parameter.zero_()
    account = approximate(zero, "pensia", 0.01, 21, minimise="size").certificate
    assert (account.weights, account.candidates) == (397_000, 8_337_000)
    assert account.over_parameterisation == 21.0
    assert (account.kept_share, account.bound) == (0.0, 0.0)


def test_a_network_too_large_for_a_module_is_realised_by_what_its_subsets_sum_to(
    perceptron, monkeypatch
):
    from xbar.pruning.constructions import realise

    rng = np.random.default_rng(18)
    net, x = perceptron(rng), rng.uniform(-1, 1, (40, 6))
    whole = approximate(net, "pensia", 0.05, 12, inputs=x, input_range=(-1, 1))
    monkeypatch.setattr(realise, "MOST_WEIGHTS", 100)
    small = approximate(net, "pensia", 0.05, 12, inputs=x, input_range=(-1, 1))
    assert sum(p.numel() for p in small.model.parameters()) < 150
    assert "too many for a module" in " ".join(small.certificate.notes)
    assert small.certificate.bound == whole.certificate.bound
    assert small.certificate.measured == pytest.approx(whole.certificate.measured, abs=1e-6)
    for own, other in zip(small.replacements, whole.replacements, strict=True):
        assert np.array_equal(own.mask(), other.mask())
    kernels = approximate(net, "cnn", 0.05, 12).certificate
    assert kernels.measured <= kernels.bound
    neurons = approximate(net, "neurons", 0.05, 12)
    assert neurons.mask["0.second"].shape == (5, 6)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_network(perceptron, method):
    rng = np.random.default_rng(19)
    net = perceptron(rng)
    one, same, other = (approximate(net, method, 0.05, 10, seed) for seed in (4, 4, 5))
    for name, mask in one.mask.items():
        assert np.array_equal(mask, same.mask[name])
        weights = [t.random.get_submodule(name).weight.numpy() for t in (one, same, other)]
        assert np.array_equal(weights[0], weights[1])
        assert not np.array_equal(weights[0], weights[2])


def test_blocks_of_outputs_do_not_change_the_result(perceptron, monkeypatch):
    from xbar.pruning.constructions import replacement

    rng = np.random.default_rng(20)
    net = perceptron(rng)
    whole = approximate(net, "pensia", 0.05, 12)
    monkeypatch.setattr(replacement, "CELLS", 100)
    parts = approximate(net, "pensia", 0.05, 12)
    assert all(np.array_equal(whole.mask[name], parts.mask[name]) for name in whole.mask)


def test_whole_neurons_are_removed_and_the_masks_are_those_of_exhaustive_search(linear):
    rng = np.random.default_rng(21)
    net = nn.Sequential(linear(rng, 5, 4, 0.7))
    ticket = approximate(net, "neurons", 0.1, 9, seed=3, group=2)
    replacement = ticket.replacements[0]
    wanted = net[0].weight.detach().double().numpy()
    u = ticket.random.get_submodule("0.second").weight.double().numpy().reshape(4, 5, 2, 9)
    masks = ((np.arange(512)[:, None] >> np.arange(9)) & 1).astype(float)
    for c in range(5):
        for g in range(2):
            v = replacement.fixed.reshape(5, 2, 9)[c, g]
            every = masks @ (u[2 * g : 2 * g + 2, c, g] * v).T  # (512, 2)
            far = np.abs(every - wanted[2 * g : 2 * g + 2, c]).max(axis=1)
            error = np.abs(replacement.error[2 * g : 2 * g + 2, c, 0, 0]).max()
            assert error == pytest.approx(far.min(), abs=1e-12)
    removed = ~replacement.neurons.reshape(-1)
    assert removed.any()
    assert not ticket.model.get_submodule("0.second").weight.numpy()[:, removed].any()
    assert not ticket.model.get_submodule("0.first").weight.numpy()[removed].any()
    assert ticket.kept == pytest.approx(1 - removed.mean())


def test_more_outputs_that_share_a_mask_cost_bits(linear):
    rng = np.random.default_rng(22)
    net = nn.Sequential(linear(rng, 12, 6, 0.5))
    medians = []
    for group in (1, 2, 3):
        ticket = approximate(net, "neurons", 0.1, 16, seed=3, group=group)
        medians.append(-math.log2(np.median(ticket.certificate.layers[0].weight_error)))
    assert medians[0] > medians[1] + 3 > medians[2] + 4
    assert medians[0] - 1 < 2 * medians[1] < medians[0] + 6  # about n/d bits


def test_the_ticket_is_a_network_that_the_compiler_takes(perceptron):
    rng = np.random.default_rng(23)
    net, x = perceptron(rng), rng.random((9, 6))
    for method in ("pensia", "cnn"):
        ticket = approximate(net, method, 0.05, 8, inputs=x)
        graph = ticket.graph()
        assert set(ticket.mask) <= {layer.name for layer in graph.layers}
        with torch.no_grad():
            own = ticket.model(torch.from_numpy(x).float()).numpy()
        assert graph.run(x) == pytest.approx(own, abs=1e-5)


def test_a_construction_is_programmed_on_a_chip_like_any_network(perceptron):
    rng = np.random.default_rng(29)
    net, x = perceptron(rng, (4, 3, 2)), rng.random((9, 4))
    ticket = approximate(net, "cnn", 0.05, 8, inputs=x)
    bank = xbar.Bank(resistors=12, nominal=1e5, spread="lognormal", sigma=0.4)
    chip = xbar.Chip.sample(
        xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=32, bit_lines=32)), 1
    )
    with torch.no_grad():
        own = ticket.model(torch.from_numpy(x).float()).numpy()
    error = np.abs(xbar.compile(ticket, chip).run(x) - own).max()
    assert error < 0.02 * np.abs(own).max()


def test_progress_is_told_layer_by_layer(perceptron):
    seen = []
    rng = np.random.default_rng(24)
    approximate(perceptron(rng), samples=4, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_the_certificate_is_json(perceptron):
    import json

    rng = np.random.default_rng(25)
    account = approximate(perceptron(rng), samples=6).certificate
    content = json.loads(json.dumps(account.to_json()))
    assert content["weights"] == 45
    assert content["layers"][0]["predicted"]["low"] <= content["layers"][0]["predicted"]["value"]


def test_modules_that_stand_in_several_places_run_in_each(linear):
    rng = np.random.default_rng(26)
    relu, twice = nn.ReLU(inplace=True), linear(rng, 5, 5, 0.6)
    net = nn.Sequential(relu, twice, relu, nn.Sequential(twice, relu), linear(rng, 5, 2))
    x = rng.uniform(-1, 1, (30, 5))
    before = x.copy()
    ticket = approximate(net, "pensia", 0.02, 18, inputs=x, input_range=(-1, 1))
    assert [layer.name for layer in ticket.certificate.layers] == ["1", "3.0", "4"]
    assert ticket.certificate.failures == 0
    assert np.abs(_double(ticket.model, x) - _double(net, x)).max() < 1e-3
    assert not np.array_equal(ticket.mask["1.second"], ticket.mask["3.0.second"])
    assert np.array_equal(x, before)


def test_neurons_of_1x1_convolutions_are_filters():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 4, 1, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    x = np.random.default_rng(27).random((9, 3, 5, 5))
    account = approximate(net, "neurons", 0.05, 16, inputs=x).certificate
    assert account.layers[0].candidates == 3 * 2 * 16
    assert account.measured <= account.bound


def test_without_inputs_errors_are_measured_on_random_ones(perceptron):
    rng = np.random.default_rng(28)
    account = approximate(perceptron(rng), samples=9, input_range=(-2, 3)).certificate
    assert account.inputs == 64
    assert 0 < account.measured <= account.bound
