from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from handwritten import digits

import xbar
from xbar.errors import FileError, ModelError, SpecError
from xbar.model.read import from_module
from xbar.training import Tuning, finetune

torch = pytest.importorskip("torch")
nn = torch.nn


def design(wire=200.0, size=64, **parts):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal="8k"),
        tile=xbar.Tile(word_lines=size, bit_lines=size, word_wire=wire, bit_wire=wire),
        **parts,
    )


@pytest.fixture(scope="module")
def network():
    """A perceptron trained on the digits."""
    x, y, *_ = digits()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimiser.step()
    return from_module(model, (64,))


def right(outputs, labels):
    return float((np.asarray(outputs).argmax(axis=1) == labels).mean())


def on_chips(graph, hardware, seeds=(0, 1)):
    """Mean held-out accuracy of chips programmed for their wires."""
    *_, x, y = digits()
    chips = [xbar.Chip.sample(hardware, seed) for seed in seeds]
    programs = [xbar.compile(graph, chip, wire_aware=True) for chip in chips]
    return float(np.mean([right(program.run(x, "nodal"), y) for program in programs]))


@pytest.fixture(scope="module")
def trained(network):
    x, y, *_ = digits()
    return finetune(network, (x, y), design(), epochs=5)


def test_chips_of_a_design_answer_better_with_weights_trained_through_its_wires(network, trained):
    hardware = design()
    *_, x, y = digits()
    digital = right(network.run(x), y)
    before, after = on_chips(network, hardware), on_chips(trained.graph, hardware)
    assert digital > 0.95
    assert before < 0.6
    assert after > before + 0.15
    assert trained.history[-1].loss < trained.history[0].loss


def test_a_chip_finds_the_trained_conductances_again_in_the_order_that_they_were_trained_in(
    trained, tmp_path
):
    trained.save(tmp_path / "tuned.pt2")
    written = xbar.read_model(tmp_path / "tuned.pt2")
    chip = xbar.Chip.sample(design(), 0)

    def error(graph):
        tiles = xbar.compile(graph, chip, wire_aware=True).tiles
        return np.sqrt(np.mean([tile.wire_errors[-1] ** 2 for tile in tiles]))

    found = error(trained.graph)
    assert error(written) == found
    assert found < 0.75 * error(replace(trained.graph, lines={}))


def test_with_labels_left_out_the_networks_own_answers_are_learned(network):
    x, _, held, _ = digits()
    learned = finetune(network, x, design(), epochs=5)
    agree = right(learned.graph.run(held), np.asarray(network.run(held)).argmax(axis=1))
    assert agree > 0.85
    assert learned.history[-1].accuracy > 0.85
    same = finetune(network, (x, None), design(), epochs=1)
    again = finetune(network, x, design(), epochs=1)
    assert same.history == again.history


def test_the_same_seed_gives_the_same_network_and_another_one_another(network):
    x, y, *_ = digits()
    data = x[:128], y[:128]
    one, two, three = (finetune(network, data, design(), epochs=1, seed=s) for s in (3, 3, 4))
    for name, value in one.graph.constants.items():
        np.testing.assert_array_equal(value, two.graph.constants[name])
    assert one.history == two.history != three.history


class Mixed(nn.Module):
    """Layers of several kinds, one of them cut into several tiles."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, groups=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.fc = nn.Linear(3 * 8 * 8, 5, bias=False)
        self.mix = nn.Parameter(torch.randn(5, 4))

    def forward(self, x):
        y = torch.relu(self.up(torch.relu(self.conv(x)))).flatten(1)
        return self.fc(y) @ self.mix


def test_where_all_arrives_and_nothing_is_learned_the_network_stays_what_it_was():
    torch.manual_seed(0)
    module = Mixed()
    x = np.random.default_rng(1).normal(size=(6, 2, 4, 4)).astype(np.float32)
    still = Tuning(rate=1e-12, dead=0.0, grain=0.0, batch=4)
    found = finetune(
        module, (x, None), design(size=48), "ideal", epochs=1, input_shape=(2, 4, 4), tuning=still
    )
    with torch.no_grad():
        wanted = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found.graph.run(x), wanted, rtol=1e-4, atol=1e-5)
    assert found.history[0].loss < 1e-8


def test_both_gradients_lead_to_as_good_a_network(network):
    x, y, *_ = digits()
    hardware = design(20.0)
    data = x[:256], y[:256]
    losses = [
        finetune(network, data, hardware, epochs=2, tuning=Tuning(gradient=g)).history
        for g in ("own", "exact")
    ]
    assert losses[1][-1].loss == pytest.approx(losses[0][-1].loss, rel=0.2)
    assert losses[0] != losses[1]


def test_the_trained_graph_keeps_the_callers_own(network):
    before = {name: np.array(value) for name, value in network.constants.items()}
    x, y, *_ = digits()
    finetune(network, (x[:64], y[:64]), design(), epochs=1)
    for name, value in before.items():
        np.testing.assert_array_equal(network.constants[name], value)


X, Y = np.zeros((4, 64), np.float32), np.arange(4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hardware": "pcm"}, r"a design \(xbar.Hardware\) or a chip \(xbar.Chip\), not str"),
        ({"data": (X, Y[:3])}, r"labels must have shape \(4,\), one an input"),
        ({"data": (X, Y + 0.5)}, r"class numbers from 0, not float64 such as \[0.5"),
        ({"data": (X, Y - 1)}, r"class numbers from 0, not int64 such as \[-1\]"),
        ({"data": (X, np.array(list("abcd")))}, "class numbers from 0, not <U1"),
        ({"data": (X, Y + 9)}, "not up to 12"),
        ({"data": (X[:, :5], Y)}, "the network takes inputs"),
        ({"data": (X * np.nan, Y)}, "inputs"),
        ({"readout": "nonlinear"}, "readout must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"seed": -1}, "seed"),
        ({"input_shape": (64,)}, "must be left out for a Graph"),
        ({"tuning": {"rate": 0.1}}, "tuning must be an xbar.training.Tuning"),
        ({"checkpoint": 3}, "checkpoint must be the path"),
        ({"tuning": Tuning(lora=65)}, "lora must be at most"),
    ],
)
def test_what_does_not_fit_is_told(network, change, message):
    given = {"data": (X, Y), "hardware": design(), **change}
    with pytest.raises(SpecError, match=message):
        finetune(network, **given)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0.0},
        {"rate": True},
        {"batch": 0},
        {"largest": -1},
        {"dead": np.nan},
        {"gradient": "none"},
        {"calibrate": "mean"},
        {"sparsity": -0.1},
        {"weight_noise": np.inf},
        {"rate": 1e300},
        {"sparsity": 1e300},
        {"lora": 1.5},
        {"dead": 2.0},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SpecError, match=f"{next(iter(wrong))} must be"):
        Tuning(**wrong)


def test_numbers_of_numpy_are_settings_like_others_and_no_loss_is_compensated_for_at_no_moment():
    assert Tuning(rate=np.float32(0.5), batch=np.int64(4)) == Tuning(rate=0.5, batch=4)
    with pytest.raises(SpecError, match="give times or temperatures"):
        Tuning(compensate=True)


def test_a_rate_that_leads_nowhere_is_told_with_its_step(network):
    with pytest.raises(ModelError, match=r"not finite in epoch 1, step \d+"):
        finetune(network, (X + 1, Y), design(), epochs=1, tuning=Tuning(rate=1e6, batch=1))


def test_a_network_with_nothing_on_tiles_is_refused():
    with pytest.raises(ModelError, match="no layer on tiles"):
        finetune(nn.ReLU(), (X, Y), design(), input_shape=(64,))


def test_a_trained_network_is_the_same_when_read_back(network, tmp_path):
    x, y, held, _ = digits()
    trained = finetune(network, (x[:128], y[:128]), design(), epochs=1)
    trained.save(tmp_path / "tuned.pt2")
    read = xbar.read_model(tmp_path / "tuned.pt2")
    np.testing.assert_array_equal(read.run(held), trained.graph.run(held))
    assert [layer.name for layer in read.layers] == [layer.name for layer in network.layers]
    with pytest.raises(FileError, match="tuned"):
        trained.save(tmp_path / "tuned.pt2")


def test_chips_with_coarse_converters_answer_better_when_trained_through_them(network):
    coarse = design(50.0, dac=xbar.Converter(bits=4), adc=xbar.Converter(bits=4))
    x, y, held, labels = digits()

    def on_coarse_chips(graph):
        found = []
        for seed in range(2):
            program = xbar.compile(graph, xbar.Chip.sample(coarse, seed), wire_aware=True)
            result = xbar.simulate(
                program, held, labels, readout="nodal", calibrate="max", calibration=x[:256]
            )
            found.append(result.accuracy)
        return np.mean(found)

    through, without = (
        finetune(network, (x, y), hardware, epochs=5, tuning=Tuning(calibrate="max"))
        for hardware in (coarse, design(50.0))
    )
    assert on_coarse_chips(through.graph) > on_coarse_chips(without.graph) + 0.01


def test_sparsity_leaves_less_conductance_and_noise_of_weights_is_drawn_anew(network):
    x, y, *_ = digits()
    data = x[:256], y[:256]
    plain, sparse, noisy = (
        finetune(network, data, design(50.0), epochs=3, tuning=Tuning(**settings))
        for settings in ({}, {"sparsity": 100.0}, {"weight_noise": 0.5})
    )
    assert sparse.history[-1].kept < 0.8 * plain.history[-1].kept
    assert noisy.history[-1].loss > 1.5 * plain.history[-1].loss


def test_with_noise_on_weights_none_leaves_its_layers_full_scale(network):
    x, y, *_ = digits()
    noisy, free = (
        finetune(
            network, (x[:256], y[:256]), design(), "ideal",
            tuning=Tuning(rate=0.2, dead=0.0, grain=0.0, weight_noise=noise),
        )
        for noise in (0.1, 0.0)
    )  # fmt: skip
    grown = [
        [np.abs(each.matrix).max() / np.abs(own.matrix).max() for each, own in pairs]
        for pairs in (
            zip(trained.graph.layers, network.layers, strict=True) for trained in (noisy, free)
        )
    ]
    assert max(grown[0]) <= 1 + 1e-6
    assert max(grown[1]) > 1.1


class InPlace(nn.Module):
    """A block whose sum is written over what its gradient needs."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 5)

    def forward(self, x):
        y = torch.sigmoid(self.first(x))
        y += self.second(y)
        return torch.relu_(y * 2)


@pytest.mark.parametrize("parts", [{}, {"adc": xbar.Converter(bits=12)}])
def test_networks_with_operations_in_place_are_trained_as_those_without(parts):
    torch.manual_seed(0)
    module = InPlace()
    x = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)

    class Plain(InPlace):
        def forward(self, x):
            y = torch.sigmoid(self.first(x))
            return torch.relu((y + self.second(y)) * 2)

    plain = Plain()
    plain.load_state_dict(module.state_dict())
    one, two = (
        finetune(each, x, design(2.0, **parts), epochs=3, input_shape=(6,))
        for each in (module, plain)
    )
    assert one.history[-1].loss < one.history[0].loss
    for first, second in zip(one.graph.layers, two.graph.layers, strict=True):
        np.testing.assert_allclose(first.matrix, second.matrix, rtol=1e-4, atol=1e-5)
