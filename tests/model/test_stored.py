"""Constants that stay in their files against the same constants in memory."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace

import numpy as np
import pytest

import xbar
from xbar.errors import FileError, ModelError, SpecError
from xbar.model.graph import Graph
from xbar.model.stored import Stored, StoredArrays

torch = pytest.importorskip("torch")

NUMBERS = np.random.default_rng(3).standard_normal((6, 5))


def written(path, array, held):
    """An array in a file behind a few other bytes, written by PyTorch."""
    tensor = torch.from_numpy(np.array(array)).to(getattr(torch, held)).contiguous()
    path.write_bytes(b"headxyz" + tensor.view(torch.uint8).numpy().tobytes() + b"tail")
    return tensor


@pytest.mark.parametrize("held", ["float32", "float16", "bfloat16", "float8_e4m3fn", "float64"])
def test_an_array_in_a_file_is_what_pytorch_wrote_there(tmp_path, held):
    tensor = written(tmp_path / "w", NUMBERS, held)
    stored = Stored(tmp_path / "w", 7, (6, 5), held, "float32")
    np.testing.assert_array_equal(stored.read(), tensor.to(torch.float32).numpy())
    assert stored.size == tensor.nbytes


def in_files(graph, folder):
    """The same graph with its floating-point constants in files."""
    items = {}
    for number, (name, array) in enumerate(graph.constants.items()):
        items[name] = array
        if array.dtype.kind == "f":
            path = folder / str(number)
            path.write_bytes(array.tobytes())
            items[name] = Stored(path, 0, array.shape, str(array.dtype), str(array.dtype))
    return replace(graph, constants=StoredArrays(items))


class Network(torch.nn.Module):
    """Convolutions, one of them grouped, attention, and products with parameters on either side."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(4, 8, 3, groups=2)
        self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        self.left = torch.nn.Parameter(torch.randn(3, 16))
        self.heads = torch.nn.Parameter(torch.randn(2, 4, 5))

    def forward(self, x):
        x = self.conv(x).flatten(2).transpose(1, 2)
        x = self.left @ self.attention(x, x, x, need_weights=False)[0]
        return torch.einsum("nthd,hde->nthe", x.unflatten(-1, (2, 4)), self.heads)


@pytest.fixture(scope="module")
def graph():
    torch.manual_seed(1)
    return xbar.model.from_module(Network(), (4, 6, 6))


def test_a_network_in_files_runs_and_compiles_to_the_same_bits(graph, tmp_path):
    stored = in_files(graph, tmp_path)
    x = np.random.default_rng(0).standard_normal((3, 4, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(stored.run(x), graph.run(x))
    for ours, theirs in zip(stored.layers, graph.layers, strict=True):
        assert (ours.name, ours.kind, ours.nodes) == (theirs.name, theirs.kind, theirs.nodes)
        assert ours.shape == theirs.shape == theirs.matrix.shape
        np.testing.assert_array_equal(ours.matrix, theirs.matrix)
    one, other = (xbar.compile(each, xbar.Hardware(), seed=2) for each in (stored, graph))
    for ours, theirs in zip(one.tiles, other.tiles, strict=True):
        np.testing.assert_array_equal(ours.packed, theirs.packed)
    np.testing.assert_array_equal(one.run(x), other.run(x))


def test_what_is_delegated_is_not_read(graph, tmp_path):
    stored = in_files(graph, tmp_path)
    x = np.random.default_rng(0).standard_normal((2, 4, 6, 6)).astype(np.float32)
    matrices = {layer.name: layer.matrix for layer in graph.layers}

    def multiply(layer, v):
        return np.einsum("goi,ngi->ngo", matrices[layer], v)

    want = stored.run(x, multiply)
    weights = [name for name in stored.constants if len(stored.constants.shape(name)) > 1]
    for name in weights:
        stored.constants.reference(name)[0].unlink()
    np.testing.assert_array_equal(stored.run(x, multiply), want)
    with pytest.raises(FileError, match="can't be read"):
        stored.run(x)


def test_of_a_large_table_only_the_rows_that_are_looked_up_are_read(tmp_path):
    torch.manual_seed(0)
    table = torch.nn.Embedding(3000, 40)
    module = torch.nn.Sequential(table, torch.nn.Linear(40, 3))
    graph = xbar.model.from_module(module, (5,), input_dtype="int64")
    stored, x = in_files(graph, tmp_path), np.array([[0, 7, 2999, 7, 1], [2, 2, 2, 2, 1500]])
    np.testing.assert_array_equal(stored.run(x), graph.run(x))
    (name,) = (n for n in stored.constants if stored.constants.shape(n) == (3000, 40))
    path = stored.constants.reference(name)[0]
    numbers = np.fromfile(path, np.float32).reshape(3000, 40)
    others = np.delete(np.arange(3000), x)
    numbers[others] = np.nan
    path.write_bytes(numbers.tobytes())
    np.testing.assert_array_equal(stored.run(x), graph.run(x))
    for each in (stored, graph):
        with pytest.raises(ModelError, match=r"from 0 to 2999, the rows of the table, not 3000"):
            each.run(np.full((1, 5), 3000))
        with pytest.raises(SpecError, match="of type int64, which 18446744073709551615 is not"):
            each.run(np.full((1, 5), 2**64 - 1, np.uint64))


@pytest.mark.parametrize("held", ["float32", "bfloat16"])
def test_rows_are_those_of_the_whole_array(tmp_path, held):
    written(tmp_path / "w", NUMBERS, held)
    stored = Stored(tmp_path / "w", 7, (6, 5), held, "float32")
    for index in ([3], [[5, 0], [2, 2]]):
        np.testing.assert_array_equal(stored.rows(np.array(index)), stored.read()[np.array(index)])


def test_a_graph_with_its_record_and_its_copy_still_reads_its_files(graph, tmp_path):
    stored = in_files(graph, tmp_path)
    again = Graph.from_json(stored.to_json(), stored.constants)
    copy = pickle.loads(pickle.dumps(stored))
    assert stored.to_json() == graph.to_json()
    for each in (again, copy):
        for ours, theirs in zip(each.layers, graph.layers, strict=True):
            np.testing.assert_array_equal(ours.matrix, theirs.matrix)


def test_a_weight_that_is_not_finite_is_refused_when_it_is_read(graph, tmp_path):
    stored = in_files(graph, tmp_path)
    path = stored.constants.reference("left")[0]
    path.write_bytes(np.full(48, np.nan, np.float32).tobytes())
    with pytest.raises(ModelError, match=r"left.*every weight.*nan"):
        _ = [layer.matrix for layer in stored.layers]


@pytest.mark.parametrize("change", ["shorter", "longer", "touched", "gone"])
def test_a_file_that_changed_is_refused(tmp_path, change):
    path = tmp_path / "w"
    path.write_bytes(NUMBERS.tobytes())
    at = path.stat()
    stored = Stored(path, 0, (6, 5), "float64", "float64", (at.st_size, at.st_mtime_ns))
    np.testing.assert_array_equal(stored.read(), NUMBERS)
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(
            (NUMBERS.tobytes() * 2)[: {"shorter": 100, "longer": 480}.get(change, 240)]
        )
        os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns + 10**9))  # clocks of files are coarse
    with pytest.raises(FileError, match=r"changed while|can't be read"):
        stored.read()


def test_a_file_without_a_stamp_that_is_too_short_is_refused(tmp_path):
    (tmp_path / "w").write_bytes(NUMBERS.tobytes()[:-1])
    with pytest.raises(FileError, match="must have 240 bytes, not 239"):
        Stored(tmp_path / "w", 0, (6, 5), "float64", "float64").read()
