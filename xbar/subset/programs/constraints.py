"""Side constraints on a subset: sizes, exclusive groups, budgets, stuck resistors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.errors import SpecError
from xbar.subset.variants.common import check_stuck

_BUDGET_ROUNDING = 2.0**-40


@dataclass(frozen=True)
class Constraints:
    """Constraints on a subset of K elements.

    Attributes:
        at_least: minimum number of chosen elements.
        at_most: maximum number of chosen elements; None for no limit.
        exclusive: groups of element indices of which at most one may be chosen.
        exactly_one: groups of element indices of which exactly one must be chosen.
        cost: (K,) non-negative cost of each element; requires budget.
        budget: maximum cost of the subset, accurate to 2**-40 of the sum of all costs.
        stuck: (K,) -1 stuck open, 0 free, +1 stuck closed.
    """

    at_least: int = 0
    at_most: int | None = None
    exclusive: Sequence[Sequence[int]] = ()
    exactly_one: Sequence[Sequence[int]] = ()
    cost: Sequence[float] | None = None
    budget: float | None = None
    stuck: Sequence[int] | None = None

    def check(self, elements: int) -> None:
        """Raise SpecError unless the constraints fit a bank of that many elements."""
        most = elements if self.at_most is None else self.at_most
        if not 0 <= self.at_least <= most:
            raise SpecError(
                f"at_least must be from 0 to at_most = {most} (K = {elements}), not {self.at_least}"
            )
        if self.at_least > elements:
            raise SpecError(f"at_least must be at most K = {elements}, not {self.at_least}")
        for group in (*self.exclusive, *self.exactly_one):
            if len(set(group)) != len(group) or any(not 0 <= e < elements for e in group):
                raise SpecError(
                    f"a group must hold different element numbers from 0 to {elements - 1}, "
                    f"not {list(group)}"
                )
        if (self.cost is None) != (self.budget is None):
            raise SpecError("cost and budget go together; give both or neither")
        if self.cost is not None and self.budget is not None:
            cost = np.asarray(self.cost, np.float64)
            if cost.shape != (elements,) or not (np.isfinite(cost) & (cost >= 0)).all():
                raise SpecError(f"cost must be {elements} finite, non-negative numbers")
            if not (np.isfinite(self.budget) and self.budget >= 0):
                raise SpecError(f"budget must be finite and not negative, not {self.budget!r}")
        check_stuck(self.stuck, (elements,))

    def fixed(self, elements: int) -> NDArray[np.int64]:
        """(K,) -1 stuck open, 0 free, +1 stuck closed."""
        return check_stuck(self.stuck, (elements,))

    def counts(self, elements: int) -> Iterator[tuple[list[int], int, int]]:
        """All but the budget, as (elements, minimum count, maximum count)."""
        if self.at_least > 0 or self.at_most is not None:
            most = elements if self.at_most is None else self.at_most
            yield list(range(elements)), self.at_least, most
        for group in self.exclusive:
            yield list(group), 0, 1
        for group in self.exactly_one:
            yield list(group), 1, 1
        for e, state in enumerate(self.fixed(elements).tolist()):
            if state != 0:
                yield [e], int(state > 0), int(state > 0)

    def met_by(self, mask: NDArray[np.bool_]) -> bool:
        """Whether a mask (K,) satisfies all constraints."""
        counts = self.counts(len(mask))
        counted = all(least <= mask[group].sum() <= most for group, least, most in counts)
        return counted and self._affordable(mask)

    def _affordable(self, mask: NDArray[np.bool_]) -> bool:
        if self.cost is None or self.budget is None:
            return True
        cost = np.asarray(self.cost, np.float64)
        return bool(cost[mask].sum() <= self.budget + _BUDGET_ROUNDING * cost.sum())

    @property
    def symmetric(self) -> bool:
        """Whether all elements are treated equally, so that equal elements are interchangeable."""
        return not (self.exclusive or self.exactly_one or self.cost is not None or self.stuck)
