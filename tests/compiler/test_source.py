"""What xbar.compile takes: a torch module and a bare matrix beside graphs and matrices by name."""

import sys
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError, ToolError
from xbar.model import pytorch

HARDWARE = xbar.Hardware(tile=xbar.Tile(word_lines=16, bit_lines=16))
MATRIX = np.random.default_rng(0).standard_normal((5, 12))


def test_a_bare_matrix_is_the_same_program_as_one_that_is_called_matrix():
    bare = xbar.compile(MATRIX, HARDWARE, seed=3)
    named = xbar.compile({"matrix": MATRIX}, HARDWARE, seed=3)
    assert list(bare.weights) == ["matrix"]
    assert len(bare.tiles) == len(named.tiles)
    for one, other in zip(bare.tiles, named.tiles, strict=True):
        np.testing.assert_array_equal(one.packed, other.packed)


def test_a_bare_matrix_multiplies_bare_inputs():
    program = xbar.compile(MATRIX.tolist(), HARDWARE, seed=3)
    inputs = np.random.default_rng(1).standard_normal((7, 12))
    outputs = program.run(inputs)
    assert outputs.shape == (7, 5)
    np.testing.assert_allclose(outputs, inputs @ program.matrices()["matrix"].T, rtol=1e-12)
    np.testing.assert_allclose(outputs, inputs @ MATRIX.T, atol=0.05)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([[1.0, 2.0], [3.0]], "the matrix must be one rectangular array of numbers"),
        (np.ones((2, 2)) * 1j, "the matrix must hold real numbers, not complex128"),
        (np.ones(4), r"must have shape \(outputs, inputs\), not \(4,\)"),
        (np.ones((2, 2, 2)), r"must have shape \(outputs, inputs\), not \(2, 2, 2\)"),
        (np.ones((0, 4)), r"must have shape \(outputs, inputs\), none of them 0"),
        ([[1.0, np.nan]], "weights must be finite, not nan at output 0, input 1"),
        ([["a", "b"]], "the matrix must hold real numbers"),
        (np.float64(3.0), r"must have shape \(outputs, inputs\), not \(\)"),
    ],
)
def test_what_is_no_matrix_is_refused_in_one_line(matrix, words):
    with pytest.raises(SpecError, match=words) as error:
        xbar.compile(matrix, HARDWARE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrap", [lambda matrix: matrix, lambda matrix: {"fc": matrix}])
def test_masked_weights_are_refused(wrap):
    masked = np.ma.array(np.ones((2, 3)), mask=np.eye(2, 3, dtype=bool))
    with pytest.raises(SpecError, match="must have no masked values"):
        xbar.compile(wrap(masked), xbar.Hardware(), seed=0)


def test_complex_weights_are_refused_under_a_name_too():
    with pytest.raises(SpecError, match=r"fc: weights must hold real numbers, not complex128"):
        xbar.compile({"fc": np.ones((2, 2)) * 1j}, HARDWARE)


@pytest.mark.parametrize("source", ["model.pt2", Path("model.pt2"), b"model", 3, None, {1, 2}])
def test_what_can_not_be_compiled_is_told_how_a_file_is_read(source):
    with pytest.raises(SpecError, match=r"xbar\.read_model reads a file"):
        xbar.compile(source, HARDWARE)


def test_a_shape_is_refused_where_there_is_no_module():
    with pytest.raises(SpecError, match="input_shape must be left out"):
        xbar.compile(MATRIX, HARDWARE, input_shape=(12,))


def test_a_module_computes_on_an_ideal_chip_what_pytorch_computes():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(12, 9), torch.nn.ReLU(), torch.nn.Linear(9, 3))
    program = xbar.compile(module, HARDWARE, input_shape=(12,), seed=0)
    x = torch.randn(6, 12)
    np.testing.assert_allclose(program.run(x.numpy()), module(x).detach().numpy(), atol=0.02)
    assert program.graph is not None


def test_a_trained_tensor_is_a_matrix():
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.tensor([[0.5, -1.0], [0.25, 1.0]]))
    bare = xbar.compile(weight, HARDWARE, seed=0).weights["matrix"]
    named = xbar.compile({"fc": weight}, HARDWARE, seed=0).weights["fc"]
    for found in (bare, named):
        np.testing.assert_array_equal(found[0], [[0.5, -1.0], [0.25, 1.0]])


def test_a_module_without_its_shape_is_told_what_to_give():
    torch = pytest.importorskip("torch")
    with pytest.raises(SpecError, match=r"input_shape must be given for a torch module \(Linear\)"):
        xbar.compile(torch.nn.Linear(4, 2), HARDWARE)


@pytest.mark.parametrize("shape", [4, "4", (0,), (4.0,), None])
def test_a_shape_that_is_none_is_refused_in_one_line(shape):
    torch = pytest.importorskip("torch")
    with pytest.raises(SpecError, match=r"input_shape must be .* such as .*\(1, 28, 28\)"):
        xbar.compile(torch.nn.Linear(4, 2), HARDWARE, input_shape=shape)


def test_without_pytorch_a_module_asks_for_it(monkeypatch):
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(4, 2)
    monkeypatch.setattr(pytorch, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"needs PyTorch; install it with: pip install"):
        xbar.compile(module, HARDWARE, input_shape=(4,))


def test_a_matrix_needs_no_pytorch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    xbar.compile(MATRIX, HARDWARE, seed=0)
    assert "torch" not in sys.modules
