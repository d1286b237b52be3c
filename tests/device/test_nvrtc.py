"""NVRTC compiles every kernel, without a card, and keeps all of it in registers."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from xbar.circuit.solvers import on_device as circuit
from xbar.compiler import on_device as programs
from xbar.device import Source, nvrtc, store
from xbar.errors import EngineError, ToolError
from xbar.hardware import on_device as hardware
from xbar.simulation import on_device as reading
from xbar.subset import on_device as subset


@pytest.fixture(autouse=True)
def compiler() -> None:
    """NVRTC; without it the test is skipped, or fails if it is required."""
    try:
        nvrtc.version()
    except ToolError as error:
        if os.environ.get("XBAR_REQUIRE_NVRTC"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def kernels(source: Source, capability: tuple[int, int] = (9, 0)) -> dict[str, int]:
    """Bytes of the stack frame of each kernel."""
    _, log = nvrtc.compiled(source, capability)
    names = re.findall(r"Function properties for (\w+)", log)
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes", log)
    return {name: sum(map(int, three)) for name, three in zip(names, frames, strict=True)}


def test_drawing_needs_no_stack() -> None:
    names = {"draw_normal", "draw_lognormal", "draw_uniform"}
    for capability in ((8, 0), (9, 0)):
        assert kernels(hardware.SOURCE, capability) == dict.fromkeys(names, 0)


def test_batches_of_tiles_need_no_stack() -> None:
    names = {"reaches", "aims", "closed"}
    for capability in ((8, 0), (9, 0)):
        assert kernels(programs.SOURCE, capability) == dict.fromkeys(names, 0)


def test_reading_needs_no_stack() -> None:
    for capability in ((8, 0), (9, 0)):
        assert kernels(reading.SOURCE, capability) == {"cells": 0, "differences": 0}


def test_transfer_matrices_need_no_stack() -> None:
    names = {"leaves", "joins_small", "joins", "joins_large", "joins_global"}
    for capability in ((8, 0), (9, 0)):
        assert kernels(circuit.SOURCE, capability) == dict.fromkeys(names, 0)


@pytest.mark.parametrize("k", range(subset.FEWEST, subset.MOST + 1))
def test_subsets_need_no_stack(k: int) -> None:
    names = {"exact"}
    names |= {"narrow"} if 11 <= k <= 18 else set()
    names |= {"wide"} if 11 <= k <= 16 else set()
    assert kernels(subset.source(k)) == dict.fromkeys(names, 0)


def test_binaries_are_kept_by_what_they_were_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = nvrtc.binary(hardware.SOURCE, (9, 0))
    (kept,) = store.folder().iterdir()
    assert kept.is_relative_to(tmp_path)
    monkeypatch.setattr(nvrtc, "compiled", lambda *_: (b"compiled again", ""))
    assert nvrtc.binary(hardware.SOURCE, (9, 0)) == made
    kept.write_bytes(kept.read_bytes()[:-1])  # cut short
    assert nvrtc.binary(hardware.SOURCE, (9, 0)) == b"compiled again"
    other = replace(hardware.SOURCE, constants={"ANY": 1}), replace(hardware.SOURCE, fuse=True)
    assert all(nvrtc.binary(source, (9, 0)) == b"compiled again" for source in other)
    assert nvrtc.binary(hardware.SOURCE, (8, 0)) == b"compiled again"
    assert len(list(store.folder().iterdir())) == 4


def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(nvrtc, "compiled", lambda *_: (b"binary", ""))
    assert nvrtc.binary(hardware.SOURCE, (9, 0)) == b"binary"


def test_a_text_that_is_no_cuda_is_refused_with_the_compilers_words(tmp_path: Path) -> None:
    (tmp_path / "wrong.cu").write_text("not C++")
    with pytest.raises(EngineError, match=r"can't compile wrong.cu for capability 9.0: .*error"):
        nvrtc.compiled(Source(tmp_path / "wrong.cu"), (9, 0))
