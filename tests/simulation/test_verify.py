"""ngspice confirms programmed tiles driven by real activations, and its absence is told."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError, ToolError
from xbar.simulation.dataset import read_dataset
from xbar.simulation.verify import activations, real_voltages, tile_voltage

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=4, on_off_ratio=100),
    tile=xbar.Tile(
        word_lines=24,
        bit_lines=20,
        word_wire=2.0,
        bit_wire=1.0,
        source=50.0,
        load=20.0,
        drive="both",
    ),
    dac=xbar.Converter(bits=6),
)


@pytest.fixture(scope="module")
def program(trained):
    return xbar.compile(xbar.read_model(trained.path), HARDWARE, seed=1)


@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
def test_ngspice_confirms_every_layer_with_real_activations(ngspice, program, trained, detail):
    inputs = read_dataset(trained.data).inputs
    found = xbar.verify(program, inputs=inputs, detail=detail)
    assert [check.layer for check in found.tiles] == ["conv", "hidden", "out"]
    assert found.passed
    assert 0 < found.worst < 1e-9


def test_random_voltages_serve_bare_matrices(ngspice):
    program = xbar.compile({"fc": np.random.default_rng(0).random((9, 30))}, HARDWARE, seed=0)
    found = xbar.verify(program, tiles=[0, 1], seed=3)
    assert [check.tile for check in found.tiles] == [0, 1]
    assert found.passed


def test_a_wrong_current_fails(ngspice, program, monkeypatch):
    tile = program.tiles[0]
    lossy = xbar.Crossbar(tile.conductance, word_wire=2.1, bit_wire=1.0, source=50, load=20)
    read = xbar.Crossbar.read
    monkeypatch.setattr(xbar.Crossbar, "read", lambda _, volts: read(lossy, volts))
    found = xbar.verify(program, tiles=[0])
    assert not found.passed
    assert found.worst > 1e-6


def test_activations_are_what_the_network_really_feeds_its_layers(program, trained):
    torch = pytest.importorskip("torch")

    inputs = read_dataset(trained.data).inputs
    vectors = activations(program, inputs)
    with torch.no_grad():
        hidden = trained.module[:4](torch.from_numpy(inputs[:1])).numpy()
    np.testing.assert_allclose(vectors["hidden"], hidden, rtol=1e-5, atol=1e-6)
    tile = program.tiles_of("hidden")[1]
    block = tile.blocks[0].block
    volts = tile_voltage(tile, vectors["hidden"])
    wanted = hidden[0, block.inputs] / hidden.max() * 0.2
    np.testing.assert_allclose(volts[block.word_lines], wanted, atol=0.2 / 31 / 2 * 1.001)
    assert (np.delete(volts, block.word_lines) == 0).all()


def test_a_missing_ngspice_is_told_with_the_way_to_install_it(program, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="apt-get install ngspice"):
        xbar.verify(program)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tiles": [99]}, "tile must be from 0 to"),
        ({"tiles": []}, "at least one tile"),
        ({"engine": "abacus"}, "abacus"),
        ({"inputs": np.zeros((1, 3))}, "takes inputs"),
        ({"detail": "atom"}, "detail must be one of cell, resistor, bank"),
    ],
)
def test_bad_arguments_are_refused(program, arguments, message):
    with pytest.raises(SpecError, match=message):
        xbar.verify(program, **arguments)


def test_every_block_of_a_shared_tile_is_driven_by_its_own_activations(ngspice, tmp_path):
    torch = pytest.importorskip("torch")

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 4))
    x = torch.randn(2, 6)
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(module.eval(), (x,), dynamic_shapes=(batch,))
    torch.export.save(exported, tmp_path / "m.pt2")
    hardware = HARDWARE.model_copy(update={"dac": None})
    program = xbar.compile(xbar.read_model(tmp_path / "m.pt2"), hardware, seed=0)
    (tile,) = program.tiles
    volts = real_voltages(tile, activations(program, x.numpy()))
    hidden = module[1](module[0](x)).detach().numpy()
    expected = np.zeros(24)
    for part in tile.blocks:
        vector = {"0": x.numpy(), "2": hidden}[part.block.layer][0]
        expected[part.block.word_lines] = vector[part.block.inputs] * 0.2 / np.abs(vector).max()
    np.testing.assert_allclose(volts, expected, atol=1e-6)
    assert np.count_nonzero(expected) > 6
    found = xbar.verify(program, inputs=x.numpy())
    assert [check.layer for check in found.tiles] == ["0, 2"]
    assert found.passed


def test_layers_that_the_network_does_not_use_are_told(program):
    with pytest.raises(SpecError, match="conv: is not used by the network"):
        real_voltages(program.tiles[0], {})
