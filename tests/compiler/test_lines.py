from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import xbar
from xbar.compiler.lines import laid
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.options import Options
from xbar.compiler.placement import place
from xbar.errors import FileError, ModelError
from xbar.model.lines import NAME, as_text, lines_of


def design(**parts):
    return xbar.Hardware(tile=xbar.Tile(word_lines=8, bit_lines=12), **parts)


def ranks(seed, *shape):
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(shape[1]) for _ in range(shape[0])])


def test_inputs_and_outputs_of_every_block_lie_in_the_order_of_their_ranks():
    lines = {"fc": (ranks(0, 2, 11), ranks(1, 2, 9))}
    matrices = {"fc": np.ones((2, 9, 11)), "other": np.ones((1, 3, 4))}
    tiles = place(matrices, design(), DifferentialPair(), Options()).tiles
    moved = 0
    for before, after in zip(tiles, laid(tiles, lines), strict=True):
        for old, new in zip(before, after, strict=True):
            assert sorted(new.word_lines) == sorted(old.word_lines)
            assert sorted(new.columns) == sorted(old.columns)
            if old.layer == "other":
                assert new == old
                continue
            inputs, outputs = (each[old.group] for each in lines["fc"])
            assert (np.diff(inputs[new.inputs][np.argsort(new.word_lines)]) > 0).all()
            assert (np.diff(outputs[new.outputs][np.argsort(new.columns)]) > 0).all()
            moved += new != old
    assert moved > 2


def test_ranks_of_fewer_inputs_than_a_layer_has_are_refused():
    tiles = place({"fc": np.ones((1, 3, 4))}, design(), DifferentialPair(), Options()).tiles
    with pytest.raises(ModelError, match=r"fc: .* 3 inputs and 3 outputs"):
        laid(tiles, {"fc": (np.arange(3)[None], np.arange(3)[None])})


def test_the_order_of_lines_comes_back_from_its_text():
    lines = {"a": (ranks(0, 2, 5), ranks(1, 2, 3)), "b.c": (ranks(2, 1, 4), ranks(3, 1, 1))}
    found = lines_of(json.loads(as_text(lines)), "here")
    assert found.keys() == lines.keys()
    for name, each in lines.items():
        assert all(np.array_equal(a, b) for a, b in zip(found[name], each, strict=True))


@pytest.mark.parametrize(
    "data",
    [
        [1],
        {"fc": [[0]]},
        {"fc": {"inputs": [[0]]}},
        {"fc": {"inputs": [[0, 1], [0]], "outputs": [[0]]}},
        {"fc": {"inputs": [[-1]], "outputs": [[0]]}},
        {"fc": {"inputs": [[True]], "outputs": [[0]]}},
        {"fc": {"inputs": [[0.5]], "outputs": [[0]]}},
        {"fc": {"inputs": [[2**40]], "outputs": [[0]]}},
        {"fc": {"inputs": [], "outputs": [[0]]}},
    ],
)
def test_what_is_no_order_of_lines_is_refused_with_its_place(data):
    with pytest.raises(FileError, match=r"^here"):
        lines_of(data, "here")


def test_an_archive_with_a_damaged_order_of_lines_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    from xbar.model.export import export_module

    path = tmp_path / "net.pt2"
    path.write_bytes(export_module(torch.nn.Linear(3, 2), (3,), extra={NAME: '{"fc": 1}'}))
    with zipfile.ZipFile(path) as archive:
        assert any(name.endswith(f"extra/{NAME}") for name in archive.namelist())
    with pytest.raises(FileError, match=NAME):
        xbar.read_model(path)


def test_a_compiled_network_lies_in_its_order_and_answers_as_before():
    torch = pytest.importorskip("torch")
    from xbar.model.read import from_module

    torch.manual_seed(0)
    graph = from_module(torch.nn.Linear(6, 4), (6,))
    (name,) = (layer.name for layer in graph.layers)
    ordered = replace(graph, lines={name: (np.arange(6)[None, ::-1], np.arange(4)[None, ::-1])})
    chip = xbar.Chip.sample(design(), 0)
    x = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    first, turned = (xbar.compile(each, chip) for each in (graph, ordered))
    old, new = (program.tiles[0].blocks[0].block for program in (first, turned))
    assert np.array_equal(new.word_lines, old.word_lines[::-1])
    assert np.array_equal(new.columns, old.columns[::-1])
    wanted = np.asarray(graph.run(x))
    for program in (first, turned):
        missed = program.run(x, "ideal") - wanted
        assert np.sqrt((missed**2).mean() / (wanted**2).mean()) < 0.02


def test_a_saved_program_keeps_the_order_of_its_network(tmp_path):
    torch = pytest.importorskip("torch")
    from xbar.model.read import from_module

    torch.manual_seed(0)
    graph = from_module(torch.nn.Linear(6, 4), (6,))
    (name,) = (layer.name for layer in graph.layers)
    lines = {name: (ranks(4, 1, 6), ranks(5, 1, 4))}
    chip = xbar.Chip.sample(design(), 0)
    program = xbar.compile(replace(graph, lines=lines), chip)
    program.save(tmp_path / "out.xbar")
    kept = xbar.Program.load(tmp_path / "out.xbar").graph
    assert kept is not None
    assert all(np.array_equal(a, b) for a, b in zip(kept.lines[name], lines[name], strict=True))
    again = xbar.compile(kept, chip)
    for old, new in zip(program.tiles, again.tiles, strict=True):
        assert np.array_equal(old.packed, new.packed)
        assert [each.block for each in old.blocks] == [each.block for each in new.blocks]
