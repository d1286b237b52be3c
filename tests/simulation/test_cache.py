"""Layers' arrays on disk: the next run finds them, and nothing wrong is ever read."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xbar
from xbar.effects.chain import Chain
from xbar.model.work import activations
from xbar.simulation import cache, prepared, run, stage
from xbar.simulation.cache import LayerCache
from xbar.simulation.memory import memory_limit
from xbar.simulation.readout import AnalogProducts
from xbar.simulation.stage import LayerCells

RNG = np.random.default_rng(3)
WEIGHTS = {"w": RNG.standard_normal((9, 21)), "v": RNG.laplace(size=(3, 30))}
INPUTS = {name: RNG.standard_normal((5, w.shape[1])) for name, w in WEIGHTS.items()}


def program(seed: int = 6, wire: float = 3.0, **parts: Any) -> xbar.Program:
    tile = xbar.Tile(word_lines=12, bit_lines=9, word_wire=wire, bit_wire=2.0)
    design = xbar.Hardware(bank=xbar.Bank(resistors=3), tile=tile, **parts)
    return xbar.compile(WEIGHTS, design, seed=seed)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "xbar" / "layers"


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers whose tiles were solved."""
    found: list[str] = []

    class Counted(LayerCells):
        def whole(self) -> dict[str, Any]:
            found.append(self.layer)
            return super().whole()

        def stacked(self, piles: Any) -> dict[str, Any]:
            found.append(self.layer)
            return super().stacked(piles)

    monkeypatch.setattr(prepared, "LayerCells", Counted)
    return found


def equal(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name, y in wanted.items():
        np.testing.assert_array_equal(found[name], y)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"adc": xbar.Converter(bits=6)},
        {"variation": xbar.Variation(read_noise=0.02)},
        {"adc": xbar.Converter(bits=6), "variation": xbar.Variation(read_noise=0.02)},
    ],
)
def test_the_next_run_finds_the_layers_of_this_one(parts: Any, solved: list[str]) -> None:
    wanted = program(**parts).run(INPUTS, "nodal", seed=2)
    assert solved == ["w", "v"]
    for _ in range(2):
        equal(program(**parts).run(INPUTS, "nodal", seed=2, memory="4G"), wanted)
    assert solved == ["w", "v"] * 2


def test_layers_that_do_not_fit_leave_the_memory_after_each_product(solved: list[str]) -> None:
    made = program()
    reader = made.reader("nodal", memory=1000)
    wanted = program().run(INPUTS, "nodal")
    for _ in range(3):
        equal(reader(INPUTS), wanted)
    assert solved == ["w", "v"] * 2


def network() -> xbar.Program:
    import torch

    torch.manual_seed(0)
    layers = torch.nn.Linear(20, 13), torch.nn.ReLU(), torch.nn.Linear(13, 4)
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=3),
        tile=xbar.Tile(word_lines=12, bit_lines=9, word_wire=3.0, bit_wire=2.0),
    )
    module = torch.nn.Sequential(*layers).eval()
    return xbar.compile(module, design, seed=1, input_shape=(20,))


def test_a_layer_comes_from_disk_once_for_as_many_inputs_as_have_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    real = AnalogProducts.__call__

    def counted(self: AnalogProducts, layer: str, x: Any) -> Any:
        calls.append(layer)
        return real(self, layer, x)

    monkeypatch.setattr(AnalogProducts, "__call__", counted)
    x = RNG.standard_normal((700, 20)).astype(np.float32)
    labels = RNG.integers(0, 4, 700)
    wanted = xbar.simulate(network(), x, labels, readout="nodal")
    assert calls == ["0", "2"] * 3
    calls.clear()
    # 312 weights of 8 bytes do not fit; the values of two batches of 256 do, those of three do not
    monkeypatch.setattr(run, "activations", lambda graph: 3)
    steps: list[tuple[int, int]] = []
    found = xbar.simulate(
        network(),
        x,
        labels,
        readout="nodal",
        memory=1700,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert calls == ["0", "0", "2", "2", "0", "2"]
    assert found.accuracy == wanted.accuracy
    assert [layer.snr_db for layer in found.layers] == pytest.approx(
        [layer.snr_db for layer in wanted.layers], rel=1e-9
    )
    assert steps[-1] == (6, 6)
    calls.clear()
    outputs = network().run(x, "nodal", memory=1700)
    assert calls == ["0", "0", "2", "2", "0", "2"]
    np.testing.assert_array_equal(outputs, network().run(x, "nodal"))


def test_values_needed_together_are_those_of_the_largest_step() -> None:
    graph = network().graph
    assert graph is not None
    # the first layer's input of 20 numbers and its output of 13, 8 bytes each
    assert activations(graph) == 8 * (20 + 13)


def test_a_damaged_file_is_made_again(home: Path, solved: list[str]) -> None:
    wanted = program().run(INPUTS, "nodal", memory="1G")
    for path in home.iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    equal(program().run(INPUTS, "nodal", memory="1G"), wanted)
    for path in home.iterdir():
        path.write_bytes(path.read_bytes()[:-5])
    equal(program().run(INPUTS, "nodal", memory="1G"), wanted)
    assert solved == ["w", "v"] * 3


def test_a_sound_file_under_anothers_name_is_not_used(home: Path) -> None:
    """Layers of one shape, whose files were exchanged: nothing but the name tells them apart."""
    same = {"a": RNG.standard_normal((4, 7)), "b": RNG.standard_normal((4, 7))}
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=3), tile=xbar.Tile(word_lines=12, bit_lines=9, word_wire=3.0)
    )
    x = {name: RNG.standard_normal((5, 7)) for name in same}
    wanted = xbar.compile(same, design, seed=0).run(x, "nodal", memory="1G")
    one, other = sorted(home.iterdir())
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    equal(xbar.compile(same, design, seed=0).run(x, "nodal", memory="1G"), wanted)


def test_files_that_another_run_removes_meanwhile_are_no_fault(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LayerCache(home).keep("other", {"a": np.ones(3)})
    real_files, real_replace = LayerCache._files, Path.replace

    def removed(self: LayerCache) -> Any:
        found = list(real_files(self))
        (home / "other.layer").unlink(missing_ok=True)
        return iter(found)

    def renamed(self: Path, target: Path) -> Path:
        real_replace(self, target).unlink()
        return target

    monkeypatch.setattr(LayerCache, "_files", removed)
    monkeypatch.setattr(Path, "replace", renamed)
    kept = LayerCache(home).keep("mine", {"a": np.arange(4.0)})
    np.testing.assert_array_equal(kept.arrays["a"], np.arange(4.0))


@pytest.mark.parametrize(
    "other",
    [
        {"readout": "ideal"},
        {"precision": "float32"},
        {"program": program(seed=7)},
        {"program": program(wire=4.0)},
    ],
)
def test_another_chip_readout_or_precision_has_files_of_its_own(
    other: dict[str, Any], solved: list[str]
) -> None:
    program().run(INPUTS, "nodal", memory="1G")
    made = other.pop("program", None) or program()
    given = {"readout": "nodal", **other}
    found = made.run(INPUTS, **given, memory="1G")
    assert solved == ["w", "v"] * 2
    equal(found, replace(made).run(INPUTS, **given))
    first = program().run(INPUTS, "nodal")
    assert all((found[name] != first[name]).all() for name in first)


def test_a_chip_has_files_of_its_own_for_each_time(solved: list[str]) -> None:
    now = program(device={"law": "pcm"})
    later = now.on(now.chip.at(time="1 d"))
    latest = now.on(now.chip.at(time="1 y"))
    found = [each.run(INPUTS, "nodal", memory="1G") for each in (now, later, latest)]
    assert solved == ["w", "v"] * 3
    for y, each in zip(found, (now, later, latest), strict=True):
        equal(y, replace(each).run(INPUTS, "nodal"))
    assert all((found[1][name] != found[2][name]).all() for name in INPUTS)


def test_other_switches_have_files_of_their_own(solved: list[str]) -> None:
    made = program()
    made.run(INPUTS, "nodal", memory="1G")
    first = made.tiles[0]
    packed = first.packed.copy()
    packed[0, 0] ^= 1
    changed = replace(made, tiles=(replace(first, packed=packed), *made.tiles[1:]))
    found = changed.run(INPUTS, "nodal", memory="1G")
    equal(found, replace(changed).run(INPUTS, "nodal"))
    assert solved[:3] == ["w", "v", "w"]


def test_a_full_disk_is_one_line_and_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(xbar.FileError, match=r"No space left on device.*XDG_CACHE_HOME"):
        program().run(INPUTS, "nodal", memory="1G")
    assert not list(home.iterdir())


def test_a_killed_run_leaves_no_layer_and_the_next_one_works(home: Path, tmp_path: Path) -> None:
    wanted = program().run(INPUTS, "nodal")
    program().save(tmp_path / "p.xbar")
    killed = (
        "import os, signal, sys\n"
        "from xbar.simulation import cache\n"
        "def dies(file, digest, piece):\n"
        "    file.write(piece); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "cache._put = dies\n"
        "import xbar, numpy as np\n"
        "p = xbar.Program.load(sys.argv[1])\n"
        "p.run({'w': np.ones((1, 21))}, 'nodal', memory='1G')\n"
    )
    ended = subprocess.run([sys.executable, "-c", killed, str(tmp_path / "p.xbar")], check=False)
    assert ended.returncode == -9
    assert [path.name[0] for path in home.iterdir()] == ["."]
    equal(program().run(INPUTS, "nodal", memory="1G"), wanted)


def test_the_longest_unused_files_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = {"a": np.zeros(50_000)}
    for i, key in enumerate(("old", "older", "oldest")):
        LayerCache(tmp_path).keep(key, block)
        os.utime(tmp_path / f"{key}.layer", (1e9 - i, 1e9 - i))
    abandoned = tmp_path / ".oldest.1234"
    abandoned.write_bytes(b"half")
    os.utime(abandoned, (1e9, 1e9))
    real = os.statvfs(tmp_path)

    def small(path: Any) -> os.statvfs_result:
        free = 1_000_000 // real.f_frsize  # with the three files 2.2 MB, of which half is ours
        return os.statvfs_result([*real[:4], free, *real[5:]])

    monkeypatch.setattr(cache.os, "statvfs", small)
    LayerCache(tmp_path).keep("new", block)
    assert {path.name for path in tmp_path.iterdir()} == {"old.layer", "new.layer"}


@pytest.mark.parametrize("parts", [{}, {"adc": xbar.Converter(bits=6)}])
def test_arrays_come_back_as_they_were(tmp_path: Path, parts: Any) -> None:
    made = program(**parts)
    chain = Chain.of(made.hardware, "nodal")
    layer = LayerCells(made, "w", chain, "float32")
    arrays = layer.stacked(stage.piles_of(made, "w", chain)) if parts else layer.whole()
    LayerCache(tmp_path).keep("k", arrays)
    found = LayerCache(tmp_path).load("k")
    assert found is not None
    assert found.arrays.keys() == arrays.keys()
    for name, each in arrays.items():
        assert found.arrays[name].dtype == each.dtype
        np.testing.assert_array_equal(found.arrays[name], each)
    found.release()
    np.testing.assert_array_equal(found.arrays[name], arrays[name])


@pytest.mark.parametrize(
    ("given", "limit"), [("4G", 4 * 10**9), ("500 MB", 5 * 10**8), ("7", 7), (12, 12), (None, None)]
)
def test_limits_are_bytes_or_text(given: Any, limit: int | None) -> None:
    assert memory_limit(given) == limit


@pytest.mark.parametrize("given", ["", "4 GiB", "-1G", 0, -5, True, 1.5, "nan", "inf", "G"])
def test_other_limits_are_refused(given: Any) -> None:
    with pytest.raises(xbar.SpecError, match="memory must be"):
        program().reader(memory=given)
