"""One BLAS thread for many small factorisations.

Matrices of a few hundred rows gain nothing from a second thread, and where other work runs on the
machine the threads wait for each other: a 256 x 256 transfer matrix then takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS of this process uses one thread until the block ends, then as many as before."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> Any:
    """What finds the loaded BLAS libraries; scipy's is loaded before it looks."""
    import scipy.linalg.blas  # noqa: F401 - loads its BLAS
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
