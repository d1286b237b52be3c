"""What the methods of the registry have in common, so that each is one class with one search."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.parallel import cpus
from xbar.subset.problem import Banks, Batch, SubsetSolution, check_bank, pair
from xbar.tables import Outline


@dataclass(frozen=True)
class Method(ABC):
    """A way of choosing subsets; its attributes are its settings.

    Attributes:
        name: what the registry calls it.
        max_elements: the largest K that it takes.
    """

    name: ClassVar[str]
    max_elements: ClassVar[int]

    def prepare(self, bank: ArrayLike) -> PreparedBanks:
        """Checks a bank (..., K).

        Raises:
            SpecError: it is empty, too long, not of real numbers or not finite.
        """
        return PreparedBanks(check_bank(bank, self.max_elements, self.name), self)

    def within(self, time_limit: float) -> Method:
        """The same with a limit of so many seconds for each problem.

        A method that needs no more than a fraction of a second for the longest bank that it takes
        has no limit, and returns itself.

        Raises:
            SpecError: the limit is not finite and positive.
        """
        check_time_limit(time_limit)
        return self

    @abstractmethod
    def solve_batch(self, batch: Batch, tolerance: float) -> SubsetSolution:
        """The subset of each of M problems that were checked."""


@dataclass(frozen=True, eq=False, repr=False)
class PreparedBanks(Outline):
    """Banks that were checked.

    Attributes:
        banks: R of them.
        method: how they are searched.
    """

    banks: Banks
    method: Method

    def solve(self, targets: ArrayLike, tolerance: float = 0.0) -> SubsetSolution:
        """A subset for each target (...), as close as the method's description says.

        Raises:
            SpecError: targets are not finite or do not broadcast, or the tolerance is negative.
        """
        batch = pair(self.banks, targets, tolerance, self.method.name)
        return self.method.solve_batch(batch, tolerance)


@dataclass(frozen=True)
class Threaded(Method):
    """A method that works on several threads; its answers do not depend on how many.

    Attributes:
        threads: threads to use; None means as many as this process may have CPUs.
    """

    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise SpecError(f"threads must be at least 1, or None for all, not {self.threads}")

    @property
    def workers(self) -> int:
        """How many threads that makes."""
        return self.threads or cpus()


@dataclass(frozen=True)
class Limited(Method):
    """A method whose search may be long, and can be stopped with what it has found so far.

    Attributes:
        time_limit: seconds for the search of each problem, None for no limit. Where it ends a
            search the answer depends on the machine's speed.
    """

    time_limit: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.time_limit is not None:
            check_time_limit(self.time_limit)

    def within(self, time_limit: float) -> Method:
        """The same with that limit.

        Raises:
            SpecError: the limit is not finite and positive.
        """
        return replace(self, time_limit=time_limit)


def check_time_limit(seconds: float) -> None:
    """Raises SpecError unless the limit is finite and positive."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise SpecError(f"time_limit must be finite and positive, not {seconds!r} s")


@contextmanager
def alarm(seconds: float | None) -> Iterator[NDArray[np.int64]]:
    """A number (1,) that is 0, and 1 once so many seconds are over; kernels look at it.

    >>> with alarm(None) as over:
    ...     over
    array([0])
    """
    over = np.zeros(1, np.int64)
    if seconds is None:
        yield over
        return
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), over.fill, (1,))
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
        timer.join()
