"""Single-threaded BLAS for many small factorisations.

Matrices of a few hundred rows gain nothing from a second thread, and on a loaded machine the
threads wait for each other: a 256 x 256 transfer matrix then takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context in which this process's BLAS uses one thread."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> Any:
    """Controller of the loaded BLAS libraries, including scipy's."""
    import scipy.linalg.blas  # noqa: F401 - loads its BLAS
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
