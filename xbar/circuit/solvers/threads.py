"""Single-threaded BLAS for many small factorisations.

Matrices of a few hundred rows gain nothing from a second thread, and on a loaded machine the
threads wait for each other: a 256 x 256 transfer matrix then takes ten times as long.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

_MAKING = threading.Lock()  # ``cache`` alone would let two threads make a limit each


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context in which this process's BLAS uses one thread.

    The limit holds for the whole process, so threads that are inside at the same time share it: the
    first one sets it and the last one restores what was before. Were it restored earlier, the
    others' factorisations would go on with another number of threads, and other last bits.
    """
    with _MAKING:
        limit = _limit()
    limit.enter()
    try:
        yield
    finally:
        limit.leave()


@dataclass(eq=False)
class _Limit:
    """A limit of one thread on the loaded BLAS libraries, shared by all who need it.

    Attributes:
        controller: controller of the libraries.
    """

    controller: Any
    _inside: int = 0
    _set: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._let_any_thread_set()
                self._set = self.controller.limit(limits=1, user_api="blas")
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._let_any_thread_set()
                self._set.restore_original_limits()
                self._let_any_thread_set()

    def _let_any_thread_set(self) -> None:
        """Undo what threadpoolctl 3.8 and newer do: only the thread that set a limit may change it.

        The first thread to come in need not be the last one to leave.
        """
        for library in self.controller.lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)


@cache
def _limit() -> _Limit:
    """The limit on the loaded BLAS libraries, including scipy's."""
    import scipy.linalg.blas  # noqa: F401 - loads its BLAS
    from threadpoolctl import ThreadpoolController

    return _Limit(ThreadpoolController())
