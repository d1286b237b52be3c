"""Weights of a program that stay in the model's own file, by reference."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import xbar
from xbar.compiler import store
from xbar.compiler.store import check_store
from xbar.errors import FileError
from xbar.model.stored import Stored, StoredArrays

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=9, stuck_open=0.01),
    tile=xbar.Tile(word_lines=6, bit_lines=7, word_wire=1.0, bit_wire=2.0),
    adc=xbar.Converter(bits=8),
)


def graph_of_file(tmp_path):
    """A graph whose weights lie in a file of the model's."""
    rng = np.random.default_rng(0)
    flat = rng.standard_normal(9 * 7 + 7 * 9).astype(np.float32)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"header.." + flat.tobytes())
    module = torch.nn.Sequential(
        torch.nn.Linear(9, 7, bias=False), torch.nn.Linear(7, 9, bias=False)
    )
    graph = xbar.model.from_module(module, (9,))
    path, arrays, offset = tmp_path / "model" / "weights.bin", {}, 8
    for name, array in graph.constants.items():
        arrays[name] = Stored(path, offset, array.shape, "float32", "float32")
        offset += array.nbytes
    return replace(graph, constants=StoredArrays(arrays))


@pytest.mark.parametrize("whole", [True, False])
def test_weights_that_lie_in_the_models_file_are_referred_to(tmp_path, whole, monkeypatch):
    if not whole:
        monkeypatch.setattr(store, "WHOLE", -1)
    graph = graph_of_file(tmp_path)
    kept = {name: array.copy() for name, array in graph.constants.items()}
    (tmp_path / "out").mkdir()
    program = xbar.compile(graph, HARDWARE, seed=0, output=tmp_path / "out" / "a.xbar")
    assert not [*(tmp_path / "out").rglob("weights")]
    loaded = xbar.Program.load(tmp_path / "out" / "a.xbar")
    inputs = np.random.default_rng(1).standard_normal((3, 9))
    np.testing.assert_array_equal(loaded.run(inputs), program.run(inputs))
    for name, array in kept.items():
        np.testing.assert_array_equal(loaded.graph.constants[name], array)
    loaded.save(tmp_path / "whole.xbar", embed=True)
    (tmp_path / "moved").mkdir()
    shutil.move(tmp_path / "model", tmp_path / "moved" / "model")
    shutil.move(tmp_path / "out", tmp_path / "moved" / "out")
    moved = xbar.Program.load(tmp_path / "moved" / "out" / "a.xbar")
    np.testing.assert_array_equal(moved.run(inputs), program.run(inputs))
    shutil.move(tmp_path / "moved" / "model", tmp_path / "gone")
    with pytest.raises(FileError, match=r"can't be read .*; put the model back there, or compile"):
        xbar.Program.load(tmp_path / "moved" / "out" / "a.xbar").run(inputs)
    alone = xbar.Program.load(tmp_path / "whole.xbar")
    np.testing.assert_array_equal(alone.run(inputs), program.run(inputs))


def test_a_models_file_that_changed_is_told_and_never_used(tmp_path):
    graph = graph_of_file(tmp_path)
    xbar.compile(graph, HARDWARE, seed=0, output=tmp_path / "a.xbar")
    path = tmp_path / "model" / "weights.bin"
    content = path.read_bytes()
    for changed in (content[:-4] + b"abcd", content[:-4], b""):
        path.write_bytes(changed)
        with pytest.raises(FileError, match=r"weights\.bin, which .*put the model back") as told:
            xbar.Program.load(tmp_path / "a.xbar")
        assert "\n" not in str(told.value)
        assert check_store(tmp_path / "a.xbar")[1] != []
    path.write_bytes(b"HEADER.." + content[8:])  # what is no weight may change
    assert check_store(tmp_path / "a.xbar")[1] == []


def test_a_reference_is_the_same_through_links_to_folders(tmp_path):
    graph = graph_of_file(tmp_path)
    deep = tmp_path / "deep" / "deeper"
    deep.mkdir(parents=True)
    (tmp_path / "link").symlink_to(deep)
    program = xbar.compile(graph, HARDWARE, seed=0, output=tmp_path / "link" / "a.xbar")
    (tmp_path / "b.xbar").symlink_to(deep / "a.xbar")
    for path in (tmp_path / "link" / "a.xbar", deep / "a.xbar", tmp_path / "b.xbar"):
        loaded = xbar.Program.load(path)
        for name, matrix in program.matrices().items():
            np.testing.assert_array_equal(loaded.matrices()[name], matrix)
