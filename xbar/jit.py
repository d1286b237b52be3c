"""Compilation of kernels, with their types kept, and a notice to waiting users."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numba.core import event
from numpy.typing import NDArray

from xbar.arrays import Bools as Bools
from xbar.arrays import Floats as Floats
from xbar.arrays import Ints as Ints

Rows: TypeAlias = NDArray[np.int64] | NDArray[np.int32]

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])

NOTICE = "xbar compiles its kernels once on this machine; do it in advance with xbar doctor --warm"


def jit(kernel: _Kernel) -> _Kernel:
    """Compile at the first call, with a cache on disk if possible, without the interpreter lock."""
    try:
        compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(kernel)
    except RuntimeError:  # neither xbar's folder nor the user's cache may be written to
        compiled = numba.njit(nogil=True, error_model="numpy")(kernel)
    return cast(_Kernel, compiled)


def inlined(kernel: _Kernel) -> _Kernel:
    """A function that becomes part of the kernels of its module that call it, loops included."""
    return cast(_Kernel, numba.njit(inline="always", error_model="numpy")(kernel))


@contextmanager
def watch_compilation(hear: Callable[[str], None]) -> Iterator[None]:
    """Call ``hear`` with each kernel's name before it is compiled, instead of the notice.

    Kernels in the cache on disk, or used before, are not compiled.
    """
    before, _LISTENER.hear = _LISTENER.hear, hear
    try:
        yield
    finally:
        _LISTENER.hear = before


@dataclass
class _Listener(event.Listener):
    """Listens to numba's compilations of xbar's kernels.

    Attributes:
        hear: function called with the kernel's name.
    """

    hear: Callable[[str], None]

    def on_start(self, event: Any) -> None:
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("xbar."):
            self.hear(f"{function.__module__}.{function.__name__}")

    def on_end(self, event: Any) -> None:
        """Ignore the end of a compilation."""


def _notice(kernel: str) -> None:
    """Print the notice once, on a terminal only."""
    del kernel
    _LISTENER.hear = _ignore
    if sys.stderr is not None and sys.stderr.isatty():
        print(NOTICE, file=sys.stderr)


def _ignore(kernel: str) -> None:
    del kernel


_LISTENER = _Listener(_notice)
event.register("numba:compile", _LISTENER)
