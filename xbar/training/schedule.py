"""How long ``finetune`` trains, and by what it stops."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xbar.arrays import one_integer
from xbar.errors import SpecError, shown

_WARM = 0.2
"""Share of the steps in which the rate rises."""


@dataclass(frozen=True)
class Schedule:
    """Passes over the data, and the inputs that tell which pass was best.

    Attributes:
        epochs: passes over the data, at most.
        seed: random seed of the order of the data, of devices and of what is held apart.
        validation: share of the inputs that are held apart: never trained on, they choose the epoch
            that is kept. 0: the last one is.
        patience: epochs without a better one after which training stops; None: never.

    Raises:
        SpecError: a value is out of range.
    """

    epochs: int = 3
    seed: int = 0
    validation: float = 0.0
    patience: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", one_integer(self.epochs, "epochs", 1))
        object.__setattr__(self, "seed", one_integer(self.seed, "seed", 0, 2**63 - 1))
        if self.patience is not None:
            object.__setattr__(self, "patience", one_integer(self.patience, "patience", 1))
        share = self.validation
        good = isinstance(share, int | float) and not isinstance(share, bool)
        if not good or not 0 <= share < 1:
            raise SpecError(f"validation must be a share from 0, below 1, not {shown(share)}")
        object.__setattr__(self, "validation", float(share))
        if self.patience is not None and not share:
            raise SpecError(
                "patience needs inputs held apart, which tell whether an epoch was better; give "
                "validation too, such as 0.2"
            )

    @staticmethod
    def rate(share: float) -> float:
        """Rate over the largest one, after a share of all steps: it rises, then falls to zero."""
        if share < _WARM:
            return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * share / _WARM))
        return 0.5 * (1 + math.cos(math.pi * (share - _WARM) / (1 - _WARM)))
