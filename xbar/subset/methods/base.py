"""Base classes of the methods in the registry: each method is one class with one search."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import one_number
from xbar.device import find as find_card
from xbar.errors import SpecError, warn
from xbar.parallel import cpus
from xbar.subset.problem import Banks, Batch, SubsetSolution, broadcast, check_bank
from xbar.tables import Outline


@dataclass(frozen=True)
class Method(ABC):
    """A method of subset selection; its attributes are its settings.

    Attributes:
        name: name in the registry.
        max_elements: largest K.
    """

    name: ClassVar[str]
    max_elements: ClassVar[int]

    def prepare(self, bank: ArrayLike) -> PreparedBanks:
        """Validate a bank (..., K).

        Raises:
            SpecError: it is empty, too large, not real or not finite.
        """
        return PreparedBanks(check_bank(bank, self.max_elements, self.name), self)

    def within(self, time_limit: float) -> Method:
        """The same method with a time limit in seconds per problem.

        A method that takes only a fraction of a second for its largest bank has no limit and
        returns itself.

        Raises:
            SpecError: the limit is not finite and positive.
        """
        check_time_limit(time_limit)
        return self

    def on(self, device: str) -> Method:
        """The same method on a device: "cpu", "cuda" for a card or "auto" for one if it works.

        A method that a card does not run returns itself, with a warning for "cuda".

        Raises:
            SpecError: there is no such device.
            ToolError: "cuda" without a card.
        """
        if find_card(device) is not None and device == "cuda":
            warn(f"{self.name} runs on the CPU; a card runs meet-in-the-middle, up to 20 elements")
        return self

    @abstractmethod
    def solve_batch(self, batch: Batch, tolerance: float) -> SubsetSolution:
        """Subsets of M validated problems."""


@dataclass(frozen=True, eq=False, repr=False)
class PreparedBanks(Outline):
    """Validated banks.

    Attributes:
        banks: R banks.
        method: search method.
    """

    banks: Banks
    method: Method

    def solve(self, targets: ArrayLike, tolerance: float = 0.0) -> SubsetSolution:
        """A subset for each target (...), as close as the method guarantees.

        Raises:
            SpecError: targets are not finite or do not broadcast, or the tolerance is negative.
        """
        batch = broadcast(self.banks, targets, tolerance, self.method.name)
        return self.method.solve_batch(batch, tolerance)


@dataclass(frozen=True)
class Threaded(Method):
    """A multi-threaded method; results do not depend on the number of threads.

    Attributes:
        threads: number of threads; None for the number of CPUs available to the process.
    """

    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise SpecError(f"threads must be at least 1, or None for all, not {self.threads}")

    @property
    def workers(self) -> int:
        """Effective number of threads."""
        return self.threads or cpus()


@dataclass(frozen=True)
class Limited(Method):
    """A method with a possibly long search, which can be stopped with the best result so far.

    Attributes:
        time_limit: seconds per problem, None for no limit. If it ends a search, the result depends
            on the machine's speed.
    """

    time_limit: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.time_limit is not None:
            check_time_limit(self.time_limit)

    def within(self, time_limit: float) -> Method:
        """The same method with a time limit.

        Raises:
            SpecError: the limit is not finite and positive.
        """
        return replace(self, time_limit=time_limit)


def check_time_limit(seconds: float) -> None:
    """Raise SpecError unless the limit is finite and positive."""
    one_number(seconds, "time_limit", 0, above=True)


@contextmanager
def alarm(seconds: float | None) -> Iterator[NDArray[np.int64]]:
    """A flag array (1,), set from 0 to 1 at the deadline; kernels poll it.

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
