"""What a network in training reads, against the simulation's read-out of the same cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import xbar
from xbar.model.read import from_module
from xbar.simulation.blocks import BlockCells
from xbar.simulation.calibration import Calibration, calibrate
from xbar.simulation.ranges import arriving
from xbar.simulation.readout import AnalogProducts

torch = pytest.importorskip("torch")
nn = torch.nn

from xbar.training.live_graph import LiveGraph
from xbar.training.network_read import Cells, NetworkRead, StepRead, chain_of

WIRES = {"word_wire": 3.0, "bit_wire": 2.0, "source": 5.0, "load": 9.0}
SERIAL = xbar.Converter(bits=7, bit_serial=2, code="twos-complement")
EFFECTS = {
    "dac": {"dac": xbar.Converter(bits=5)},
    "serial dac": {"dac": SERIAL},
    "dac of elements": {"dac": xbar.Converter(bits=5, kind="string", mismatch=0.1)},
    "adc": {"adc": xbar.Converter(bits=5)},
    "adc a layer": {"adc": xbar.Converter(bits=5, ranging="layer")},
    "adc of a range": {"adc": xbar.Converter(bits=6, range=1e-4)},
    "adc of elements": {"adc": xbar.Converter(bits=5, kind="sar", mismatch=0.1)},
    "adc with offsets": {"adc": xbar.Converter(bits=7, offset=0.05, gain_error=0.1, noise=0.02)},
    "adc of a ramp": {"adc": xbar.Converter(bits=5, kind="ramp", mismatch=0.1, open_loop=50.0)},
    "amplifier": {"amplifier": {"gain_error": 0.1, "noise": 1e-6}},
    "amplifier with offset": {"amplifier": {"feedback": 1e5, "open_loop": 200.0, "offset": 5e-3}},
    "amplifier with swing": {"amplifier": {"feedback": 1e4, "swing": 0.02}},
    "read noise": {"variation": {"read_noise": 0.1}},
    "all": {"dac": SERIAL, "adc": xbar.Converter(bits=6), "variation": {"read_noise": 0.1}},
}


class Kinds(nn.Module):
    """Layers of several kinds, some of them cut into several tiles, one used twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, groups=2, padding=1, stride=(2, 1))
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2, output_padding=1, padding=1)
        self.line = nn.Conv1d(3, 2, 3, padding=2, dilation=2, bias=False)
        self.fc = nn.Linear(18, 18)

    def forward(self, x):
        y = torch.relu(self.up(torch.relu(self.conv(x))))
        y = self.line(y.flatten(2)).flatten(1)[:, :18]
        return self.fc(torch.relu(self.fc(y)))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return from_module(Kinds(), (2, 4, 4))


X = np.random.default_rng(1).normal(size=(3, 2, 4, 4))


def program(network, **effects):
    bank = xbar.Bank(resistors=4, nominal="10k", on_off_ratio=50)
    tile = xbar.Tile(word_lines=8, bit_lines=12, **WIRES)
    return xbar.compile(network, xbar.Hardware(bank=bank, tile=tile, **effects), seed=3)


def read_of(program, ranges=None):
    """A read of a program's own cells, as training has it of those that it trains."""
    tiles = tuple(tuple(placed.block for placed in tile.blocks) for tile in program.tiles)
    chain = chain_of(program.hardware, calibrated=ranges is not None)
    return NetworkRead(program.graph, tiles, chain, ranges)


def cells_of(program):
    """Its cells behind their wires, weight by weight."""
    found, lines = {}, {}
    for layer in program.graph.layers:
        names = ("conductance", "scale", "power", "programmed")
        each = {name: np.zeros(layer.shape) for name in names}
        for tile, number, placed in program.blocks_of(layer.name):
            block, cells = placed.block, BlockCells(tile, number)
            block.put(each["conductance"], cells.wired)
            block.put(each["scale"], np.broadcast_to(placed.scale, block.shape))
            block.put(each["power"], cells.noise_parts("nodal")[0])
            block.put(each["programmed"], arriving(cells, cells.wired, wires=True))
            lines[program.tiles.index(tile), number] = cells.lines("nodal")
        for name, matrix in each.items():
            found.setdefault(name, []).append(matrix.ravel())
    flat = {name: torch.from_numpy(np.concatenate(each)) for name, each in found.items()}
    return Cells(**flat, lines=lines)


def in_training(program, x, ranges=None, seed=5):
    """The network's outputs as training has them, with the simulation's own numbers of noise."""
    drawn = AnalogProducts(program, "nodal", seed)
    numbers = {layer.name: drawn.draw(layer.name) for layer in program.graph.layers}

    def normal(layer, dtype):
        return lambda shape: torch.from_numpy(np.asarray(numbers[layer](shape))).to(dtype)

    step = StepRead(read_of(program, ranges), cells_of(program), program.chip, normal)
    with torch.no_grad():
        return LiveGraph(program.graph)(torch.from_numpy(x), {}, step).numpy()


def assert_same(found, expected):
    __tracebackhide__ = True
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_network_in_training_reads_as_the_simulation_does(network, effect):
    p = program(network, **EFFECTS[effect])
    graph = replace(network, inputs=(replace(network.inputs[0], dtype="float64"),))
    found, expected = in_training(p, X), graph.run(X, AnalogProducts(p, "nodal", 5))
    assert_same(found, expected)
    plain = program(network)
    without = graph.run(X, AnalogProducts(plain, "nodal", 5))
    assert np.abs(found - without).max() > 1e-3 * np.abs(without).max()


def test_cells_of_later_are_read_as_the_simulation_reads_them(network):
    """Drifted and warm, with the read noise of then, and converters made for them as programmed."""
    curves = {"mean": {"polynomial": (0.06,)}, "sigma": {"polynomial": (0.03,)}}
    law = xbar.DeviceLaw(
        drift={"first": 20.0, **curves},
        noise={"relative": {"polynomial": (0.02,)}, "reading": 1e-6},
        activation=0.2,
    )
    heat = xbar.Temperature(resistors=0.002, resistors_sigma=0.001, wires="copper")
    parts = {"device": law, "temperature": heat, "variation": {"read_noise": 0.01}}
    p = program(network, adc=xbar.Converter(bits=7), **parts)
    later = p.on(p.chip.at("30 d", "350 K"))
    graph = replace(network, inputs=(replace(network.inputs[0], dtype="float64"),))
    expected = graph.run(X, AnalogProducts(later, "nodal", 5))
    assert_same(in_training(later, X), expected)
    then = graph.run(X, AnalogProducts(p, "nodal", 5))
    assert np.abs(then - expected).max() > 0.1 * np.abs(then).max()


@pytest.mark.parametrize("method", ["max", "percentile", "least-squares"])
def test_ranges_are_calibrated_as_the_simulation_calibrates_them(network, method):
    parts = {"dac": xbar.Converter(bits=6), "adc": xbar.Converter(bits=6, ranging="converter")}
    p = program(network, variation={"read_noise": 0.1}, **parts)
    how = Calibration(method, 98.0)
    expected = calibrate(p, lambda products: network.run(X, products), how, "nodal")
    live, cells = LiveGraph(network), cells_of(p)

    def run(read, watch):
        with torch.no_grad():
            live(torch.from_numpy(X), {}, StepRead(read, cells, p.chip, None, watch))

    found = read_of(p).calibrated(run, how)
    assert found.inputs == pytest.approx(expected.inputs, rel=1e-6)
    assert found.currents.keys() == expected.currents.keys()
    for key, currents in expected.currents.items():
        np.testing.assert_allclose(found.currents[key], currents, rtol=1e-6)
    read = AnalogProducts(p, "nodal", 5, ranges=found)
    graph = replace(network, inputs=(replace(network.inputs[0], dtype="float64"),))
    assert_same(in_training(p, X, found), graph.run(X, read))


def test_gradients_go_straight_through_converters():
    """On a column far below its range they are those of the matrix that arrives."""
    torch.manual_seed(0)
    graph = from_module(nn.Linear(6, 3), (6,))
    parts = {"dac": xbar.Converter(bits=4), "adc": xbar.Converter(bits=9, range=1.0)}
    p = program(graph, **parts)
    cells, x = cells_of(p), torch.randn(5, 6, dtype=torch.float64)
    leaf = cells.conductance.requires_grad_()
    x.requires_grad_()
    out = LiveGraph(graph)(x, {}, StepRead(read_of(p), cells, p.chip))
    out.sum().backward()
    weights = (leaf.detach() / cells.scale).reshape(3, 6)
    np.testing.assert_allclose(x.grad, weights.sum(0).expand(5, 6), rtol=1e-9)
    codes = torch.round(x.detach() / x.detach().abs().amax(1, keepdim=True) * 7) / 7
    rows = codes * x.detach().abs().amax(1, keepdim=True)
    expected = (rows.sum(0) / cells.scale.reshape(3, 6)).ravel()
    np.testing.assert_allclose(leaf.grad, expected, rtol=1e-9)


def test_read_noise_of_cells_in_training_has_the_variance_of_their_resistors():
    """Against 20,000 draws of each resistor, ideal wires, and weights of whole resistors."""
    from xbar.training.behind_wires import BehindWires
    from xbar.training.recipe import Tuning

    torch.manual_seed(0)
    graph = from_module(nn.Linear(5, 4, bias=False), (5,))
    bank = xbar.Bank(resistors=4, nominal="10k", sigma=0.0, on_off_ratio=20)
    hardware = xbar.Hardware(
        bank=bank, tile=xbar.Tile(word_lines=5, bit_lines=8), variation={"read_noise": 0.1}
    )
    net = BehindWires(graph, hardware, Tuning(grain=0.0), wired=False)
    rng = np.random.default_rng(0)
    counts = rng.integers(-4, 5, (4, 5))
    step = 1e-4 * (1 - 1 / 20)
    with torch.no_grad():
        net.v.copy_(torch.from_numpy(counts.ravel().astype(np.float32)))
        net.gain.zero_()
    x = rng.normal(size=5).astype(np.float32)
    with torch.no_grad():
        batch = torch.from_numpy(np.tile(x, (20_000, 1)))
        found = net(batch, torch.Generator().manual_seed(1)).numpy()
    open_, closed = 1e-4 / 20, 1e-4
    squares = np.abs(counts) * closed**2 + (8 - np.abs(counts)) * open_**2
    expected = 0.1 * np.sqrt(squares @ x**2) / step
    np.testing.assert_allclose(found.std(axis=0), expected, rtol=0.03)
    np.testing.assert_allclose(
        found.mean(axis=0), counts @ x, atol=5 * expected.max() / 20_000**0.5
    )
