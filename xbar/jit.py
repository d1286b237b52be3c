"""How kernels are compiled, with types that survive it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Bools as Bools
from xbar.arrays import Floats as Floats
from xbar.arrays import Ints as Ints

Rows: TypeAlias = NDArray[np.int64] | NDArray[np.int32]

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def jit(kernel: _Kernel) -> _Kernel:
    """Compiled at the first call, kept on disk, and free of the interpreter lock."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(kernel)
    return cast(_Kernel, compiled)
