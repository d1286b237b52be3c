"""A card of this machine's C++ compiler and memory: kernels' text behind ``device="cuda"``."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.device import Buffer, Card, DeviceMemoryError, Source
from xbar.device.card import Kernel
from xbar.device.source import PORTABLE
from xbar.errors import EngineError

_C_TYPES = {
    "int32": ctypes.c_int32,
    "uint32": ctypes.c_uint32,
    "int64": ctypes.c_int64,
    "uint64": ctypes.c_uint64,
    "float64": ctypes.c_double,
}


class PlainCard(Card):
    """A card whose kernels are plain C++, with one thread a block.

    Attributes:
        folder: where compiled texts are kept.
        held: bytes that are allocated.
        peak: the most that was allocated at a time.
        most: bytes of its memory.
        launches: names of the kernels that were launched.
    """

    name = "plain C++"
    capability = (9, 0)
    processors = 1
    shared = 227 * 1024

    def __init__(self, folder: Path, compiler: str, most: int = 1 << 32) -> None:
        self.folder, self.compiler, self.most = folder, compiler, most
        self.held = self.peak = 0
        self.launches: list[str] = []
        self.claims_free: int | None = None
        self._arrays: dict[int, NDArray[np.uint8]] = {}
        self._libraries: dict[str, ctypes.CDLL] = {}

    def kernel(self, source: Source, name: str, shared: int = 0) -> Kernel:
        if shared > self.shared:
            raise EngineError("too much shared memory")
        digest = source.digest(*self._options(source))
        if digest not in self._libraries:
            self._libraries[digest] = ctypes.CDLL(str(self._compiled(source, digest)))
        return _Function(self, self._libraries[digest], name)

    def _options(self, source: Source) -> list[str]:
        fuse = "on" if source.fuse else "off"
        return ["-std=c++17", "-O2", f"-ffp-contract={fuse}", *source.definitions]

    def _compiled(self, source: Source, digest: str) -> Path:
        library = self.folder / f"{digest}.so"
        if not library.exists():
            made = library.with_suffix(f".{id(self)}")
            include = [f"-I{p.parent}" for p in (PORTABLE, *source.headers)]
            command = [self.compiler, *self._options(source), *include]
            command += [
                "-Wall",
                "-Wextra",
                "-Werror",
                "-Wno-unknown-pragmas",
                "-Wno-unused-parameter",
            ]
            command += ["-shared", "-fPIC", "-x", "c++", str(source.path), "-o", str(made)]
            subprocess.run(command, check=True, timeout=300)
            made.rename(library)
        return library

    def free(self) -> int:
        return self.most - self.held if self.claims_free is None else self.claims_free

    def allocate(self, size: int) -> Buffer:
        if self.held + size > self.most:
            raise DeviceMemoryError("the card has too little free memory")
        # what a kernel does not write is no number, and begins at a multiple of 16
        array = np.full(size + 16, 0xFF, np.uint8)
        address = -(-array.ctypes.data // 16) * 16
        self._arrays[address] = array
        self.held += size
        self.peak = max(self.peak, self.held)
        return Buffer(address, size)

    def release(self, buffer: Buffer) -> None:
        del self._arrays[buffer.address]
        self.held -= buffer.size

    def write(self, buffer: Buffer, values: NDArray[Any]) -> None:
        assert values.flags.c_contiguous
        assert values.nbytes <= buffer.size
        ctypes.memmove(buffer.address, values.ctypes.data, values.nbytes)

    def read(self, buffer: Buffer, values: NDArray[Any]) -> None:
        assert values.flags.c_contiguous
        assert values.nbytes <= buffer.size
        ctypes.memmove(values.ctypes.data, buffer.address, values.nbytes)

    def wait(self) -> None:
        pass


class _Function(Kernel):
    def __init__(self, card: PlainCard, library: ctypes.CDLL, name: str) -> None:
        self.card, self.library, self.name = card, library, name

    def launch(self, grid: tuple[int, int], threads: int, *arguments: Buffer | np.generic) -> None:
        self.card.launches.append(self.name)
        assert 0 < threads <= 1024
        assert grid[1] < 65536
        run, values = getattr(self.library, self.name), [_as_c(a) for a in arguments]
        for y in range(grid[1]):
            for x in range(grid[0]):
                self.library.place_block(x, y, grid[0])
                run(*values)


def _as_c(argument: Buffer | np.generic) -> Any:
    if isinstance(argument, Buffer):
        return ctypes.c_void_p(argument.address)
    return _C_TYPES[argument.dtype.name](argument.item())
