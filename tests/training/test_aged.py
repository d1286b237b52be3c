"""Networks trained at moments of a design's life, and their devices against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from handwritten import digits

import xbar
from xbar.errors import SpecError, XbarWarning
from xbar.model.read import from_module
from xbar.training import Tuning, finetune

torch = pytest.importorskip("torch")
nn = torch.nn

from xbar.training.behind_wires import BehindWires


def curve(value):
    return {"polynomial": (value,)}


def law(mean=0.06, sigma=0.0):
    return xbar.DeviceLaw(drift={"first": 20.0, "mean": curve(mean), "sigma": curve(sigma)})


def design(**parts):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=4, nominal="10k"),
        tile=xbar.Tile(word_lines=8, bit_lines=12, word_wire=2.0, bit_wire=2.0),
        **parts,
    )


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return from_module(nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 6)), (10,))


def factors(network, hardware, **settings):
    """Aged over programmed conductances of all weights outside the dead zone."""
    net = BehindWires(network, hardware, Tuning(dead=0.0, **settings), wired=True)
    now = net._now(torch.Generator().manual_seed(0))
    return (now.aged / now.d).detach().numpy()


def test_devices_drift_and_warm_as_their_law_says(network):
    drifted = factors(network, design(device=law()), times=("30 d",))
    np.testing.assert_allclose(drifted, (30 * 86400 / 20.0) ** -0.06, rtol=1e-6)
    heat = xbar.Temperature(resistors=0.002, wires="copper")
    warm = factors(network, design(temperature=heat), temperatures=("360 K",))
    np.testing.assert_allclose(warm, 1 / (1 + 0.002 * 60), rtol=1e-6)


def test_cells_of_more_resistors_drift_apart_less(network):
    """Each resistor has its own exponent: of n equal ones the logarithm spreads by 1/sqrt(n)."""
    hardware = design(device=law(sigma=0.02)).model_copy(
        update={"bank": xbar.Bank(resistors=4, nominal="10k", sigma=0.0)}
    )
    spreads = []
    for count in (1.0, 4.0):
        net = BehindWires(network, hardware, Tuning(grain=0.0, times=("1 y",)), wired=False)
        with torch.no_grad():
            net.v.fill_(count)
        found = [net._ages.factors(net.v, 0, seed).numpy() for seed in range(20)]
        spreads.append(np.log(found).std())
    one = 0.02 * np.log(365.25 * 86400 / 20)
    assert spreads[0] == pytest.approx(one, rel=0.05)
    assert spreads[1] == pytest.approx(one / 2, rel=0.1)


def test_hot_wires_let_less_through_in_training_too(network):
    heat = xbar.Temperature(wires="copper")
    cold, hot = (
        BehindWires(network, design(temperature=heat), Tuning(grain=0.0, **settings), wired=True)
        for settings in ({}, {"temperatures": ("400 K",)})
    )
    with torch.no_grad():
        d = cold._now(torch.Generator().manual_seed(0)).d
        found = hot._now(torch.Generator().manual_seed(0)).e.numpy()
    wire = 2.0 * (1 + 0.00393 * 100)
    warm = design().model_copy(
        update={"tile": xbar.Tile(word_lines=8, bit_lines=12, word_wire=wire, bit_wire=wire)}
    )
    net = BehindWires(network, warm, Tuning(grain=0.0), wired=True)
    np.testing.assert_allclose(found, net._fresh.arriving(d, exact=True).numpy(), rtol=1e-6)


def test_what_a_design_has_no_law_for_is_refused(network):
    x = np.zeros((4, 10), np.float32)
    for settings, message in (({"times": ("1 h",)}, "law"), ({"temperatures": ("85 C",)}, "temp")):
        with pytest.raises(SpecError, match=message):
            finetune(network, x, design(), epochs=1, tuning=Tuning(**settings))
    with pytest.raises(SpecError, match="times must be"):
        Tuning(times="1 h")


def test_settings_of_designs_are_refused_for_a_chip(network):
    x, chip = np.zeros((4, 10), np.float32), xbar.Chip.sample(design(device=law()), 0)
    settings = {"times": ("1 h",), "weight_noise": 0.1, "lora": 2}
    settings |= {"largest": 3.0, "dead": 0.0, "gradient": "exact", "grain": 0.0, "stale": 0.0}
    for name, value in settings.items():
        with pytest.raises(SpecError, match=f"{name} is a setting of training for a design"):
            finetune(network, x, chip, epochs=1, tuning=Tuning(**{name: value}))


def test_only_moments_that_training_leaves_out_are_told(network):
    x = np.random.default_rng(0).normal(size=(8, 10)).astype(np.float32)
    hardware = design(device=law(), temperature=xbar.Temperature(resistors=0.001))
    with pytest.warns(XbarWarning, match="leaves out device, temperature of the design; for mom"):
        finetune(network, x, hardware, epochs=1)
    with pytest.warns(XbarWarning, match=r"leaves out temperature .* give Tuning\(temperatures="):
        finetune(network, x, hardware, epochs=1, tuning=Tuning(times=("1 h",)))
    later = Tuning(times=("1 h",), temperatures=("320 K", "300 K"))
    with pytest.warns(XbarWarning, match="activation"):
        assert finetune(network, x, hardware, epochs=1, tuning=later).notes == ()


def test_a_loss_that_all_devices_share_is_taken_back(network):
    """By compensation: with one exponent for all and no wires the network is what it was."""
    hardware = design(device=law()).model_copy(update={"tile": xbar.Tile(bit_lines=64)})
    x, found = torch.randn(5, 10), {}
    for name, settings in (
        ("programmed", {}), ("lost", {"times": ("1 y",)}),
        ("taken back", {"times": ("1 y",), "compensate": True}),
    ):  # fmt: skip
        net = BehindWires(network, hardware, Tuning(grain=0.0, **settings), wired=False)
        with torch.no_grad():
            found[name] = net(x, torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_allclose(found["taken back"], found["programmed"], rtol=1e-4, atol=1e-6)
    assert np.abs(found["lost"] - found["programmed"]).max() > 0.1


def test_networks_trained_at_a_moment_answer_better_then():
    """Digits, devices whose drift spreads them apart, a year after programming."""
    x, y, held, labels = digits()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(100):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimiser.step()
    network = from_module(model, (64,))
    hardware = replace_tile(design(device=law(0.03, 0.03)))

    def a_year_later(tuning):
        """Mean of six chips, which differ by up to a fifth."""
        trained = finetune(network, (x, y), hardware, epochs=4, tuning=tuning)
        chips = [xbar.Chip.sample(hardware, seed) for seed in range(6)]
        programs = [xbar.compile(trained.graph, chip, wire_aware=True) for chip in chips]
        read = {"readout": "nodal", "time": "1 y"}
        return np.mean([xbar.simulate(each, held, labels, **read).accuracy for each in programs])

    with pytest.warns(XbarWarning, match="device"):
        without = a_year_later(Tuning())
    assert a_year_later(Tuning(times=("1 y",))) > without + 0.02


def replace_tile(hardware):
    tile = xbar.Tile(word_lines=64, bit_lines=64, word_wire=5.0, bit_wire=5.0)
    return hardware.model_copy(update={"tile": tile})
