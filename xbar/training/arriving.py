"""What arrives of conductances, solved now and then and followed in between.

    arrives of a weight  =  alone, by its cells' own lines   every step: two passes along the lines
                         +  astray, through other cells      solved every few steps

The share that a cell's own word line and bit line leave of its conductance follows every change of
all cells on them. What is left is the current that goes astray through cells of other lines, which
is small and changes slowly, so it may stay as it was when the arrays were last solved. The error is
in proportion to what changed meanwhile, as is that of a transfer matrix which is not followed at
all, but a fiftieth of it, and a sixth of what its first order in each cell's own conductance leaves
(LeNet-5 of the demo, tiles of 256 x 256, 2 ohm a segment, 8 steps: 0.3, 15 and 2 %).

The grain, drawn anew in each step, counts for what arrives alone, not for what goes astray, where
it is a thirtieth of itself at 10 ohm and an eightieth at 2.

Each time the arrays are solved again that error is found; the number of steps to the next time
follows from it, so that it stays near ``Tuning.stale``. The default of that, 0.5 %, is a tenth of
the error that the grain has in every step, and of what programming a chip leaves.

Importing this module imports PyTorch: import it inside functions.

Shapes: M weights of all layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from xbar.arrays import Floats
from xbar.training.arrays import Arrays
from xbar.training.recipe import Tuning

_MOST = 32
"""Steps after which arrays are solved again, however slowly they change."""
_WAIT, _SPAN, _WORST = range(3)


class Arriving(nn.Module):
    """What arrives of signed conductances (M,) in resistors, with its gradient.

    Its buffers are all that it keeps from step to step.

    Args:
        arrays: the design's arrays.
        resistor: siemens of a usual resistor.
        tuning: gradient, and largest error.
    """

    def __init__(self, arrays: Arrays, resistor: float, tuning: Tuning) -> None:
        super().__init__()
        self.arrays, self.resistor, self.tuning = arrays, resistor, tuning
        self.follows = arrays.wired and tuning.stale > 0 and tuning.gradient == "own"
        self.astray: torch.Tensor
        self.plan: torch.Tensor
        self.register_buffer("astray", torch.zeros(len(arrays.plus), dtype=torch.float64))
        # steps to the next solution, steps from one to the next, largest error
        self.register_buffer("plan", torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))

    def forward(
        self, d: torch.Tensor, usual: torch.Tensor | None = None, *, exact: bool
    ) -> torch.Tensor:
        """(M,) resistors that arrive.

        Args:
            d: (M,) conductances in resistors.
            usual: the same without grain, whose current goes astray; None for d.
            exact: as solved now, with no trace left in what is kept.
        """
        if not self.arrays.wired:
            return d
        found: torch.Tensor = _arrive(d, self, None if exact else d if usual is None else usual)
        return found

    def anew(self) -> None:
        """Have the arrays solved in the next step: their devices are others."""
        self.plan[_WAIT] = 0.0

    def told(self) -> float:
        """The largest error since this was last asked."""
        worst = float(self.plan[_WORST])
        self.plan[_WORST] = 0.0
        return worst

    def read(self, alone: Floats, usual: Floats) -> Floats:
        """(M,) siemens of the next step.

        Args:
            alone: (M,) siemens by cells' own lines.
            usual: (M,) siemens of conductances whose current goes astray.
        """
        plan = self.plan.numpy()
        plan[_WAIT] -= 1
        if plan[_WAIT] <= 0:
            crossings = self.arrays.crossings(usual)
            own = self.arrays.alone(crossings, self.arrays.shares(crossings))
            exact = self.arrays.effective(crossings)
            if plan[_WAIT] == 0:
                self._space(self.arrays.misses(own + self.astray.numpy(), exact))
            plan[_WAIT] = plan[_SPAN]
            self.astray.copy_(torch.from_numpy(exact - own))
        found: Floats = alone + self.astray.numpy()
        return found

    def _space(self, error: float) -> None:
        """Choose the steps to the next solution by the error at this one."""
        plan = self.plan.numpy()
        span = plan[_SPAN]
        if span > 1:
            plan[_WORST] = max(plan[_WORST], error)
        fits = span * self.tuning.stale / error if error else np.inf
        plan[_SPAN] = np.clip(np.floor(min(fits, 2 * span)), 1, _MOST)


class _Arrive(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, d: torch.Tensor, arriving: Arriving, usual: torch.Tensor | None
    ) -> torch.Tensor:
        """What arrives, and what the gradient needs; usual: None to have the arrays solved."""
        arrays, resistor = arriving.arrays, arriving.resistor
        signed = d.detach().numpy().astype(np.float64) * resistor
        crossings = arrays.crossings(signed)
        share = arrays.shares(crossings)
        if usual is None or not arriving.follows:
            found = arrays.effective(crossings)
        else:
            clean = usual.detach().numpy().astype(np.float64) * resistor
            found = arriving.read(arrays.alone(crossings, share), clean)
        ctx.arrays, ctx.signed = arrays, signed
        own = arriving.tuning.gradient == "own"
        ctx.own = torch.from_numpy(arrays.own(share, signed)).to(d.dtype) if own else None
        ctx.crossings = None if own else crossings
        return torch.from_numpy(found / resistor).to(d.dtype)

    @staticmethod
    def backward(ctx: Any, *bars: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Each cell's own attenuation, or the adjoint of the circuit."""
        bar = bars[0]
        if ctx.own is not None:
            return bar * ctx.own, None, None
        found = ctx.arrays.adjoint(ctx.crossings, ctx.signed, bar.numpy().astype(np.float64))
        return torch.from_numpy(found).to(bar.dtype), None, None


_arrive: Any = _Arrive.apply
