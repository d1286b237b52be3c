"""The steps of ``finetune``, from any one of them on: Adam over epochs, of which one is kept.

    state ── batch ── forward, exact ── loss ── (here a state is good) ── backward ── Adam ── state

All that later steps depend on is in ``state``: what is trained, Adam's moments, the place in the
data, the generators, and the best epoch. A run that goes on from a state ends with the same bytes.
Importing this module imports PyTorch: import it inside functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.training.behind_wires import BehindWires
from xbar.training.examples import Examples
from xbar.training.on_chip import OnChip
from xbar.training.recipe import Epoch, Tuning
from xbar.training.schedule import Schedule

State: TypeAlias = Mapping[str, NDArray[Any]]
"""Arrays by name: of what is trained "net....", of Adam "adam...", of the best epoch "best....","""

CALIBRATION = 256
"""Inputs from which the ranges of converters are found."""
_AGAIN = 16
"""Steps after which they are found anew."""
_VALIDATED = 256
"""Inputs of a batch of those held apart."""
_FIELDS = ("loss", "accuracy", "kept", "validation_loss", "validation_accuracy", "stale")


class Descent:
    """A run of training.

    Args:
        net: network, trained in place.
        examples: what it learns.
        held: what is held apart; None without.
        schedule: epochs, seed, patience.
        tuning: settings.

    Attributes:
        history: the epochs that are done.
        best: number from 0 of the best epoch; -1 before there is one, or without inputs held apart.
    """

    def __init__(
        self,
        net: BehindWires | OnChip,
        examples: Examples,
        held: Examples | None,
        schedule: Schedule,
        tuning: Tuning,
    ) -> None:
        self.net, self.examples, self.held = net, examples, held
        self.schedule, self.tuning = schedule, tuning
        self.history: list[Epoch] = []
        self.best = -1
        self._kept: State = {}
        self._batch, self._total, self._right = 0, 0.0, 0
        self._adam = torch.optim.Adam(
            [{"params": params, "lr": 0.0, "factor": factor} for params, factor in net.groups()]
        )
        self._begin()

    @property
    def batches(self) -> int:
        """Steps of an epoch."""
        return math.ceil(len(self.examples) / self.tuning.batch)

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.schedule.epochs * self.batches

    @property
    def done(self) -> int:
        """Steps done."""
        return len(self.history) * self.batches + self._batch

    @property
    def ended(self) -> bool:
        """Whether there is no further epoch: all are done, or the last ones were no better."""
        patience, count = self.schedule.patience, len(self.history)
        waited = patience is not None and count - 1 - self.best >= patience
        return count >= self.schedule.epochs or waited

    def run(
        self,
        wanted: Callable[[], bool] = lambda: False,
        good: Callable[[dict[str, NDArray[Any]]], None] = lambda state: None,
        after_step: Callable[[int, int], None] = lambda done, steps: None,
        after_epoch: Callable[[Epoch], None] = lambda epoch: None,
    ) -> None:
        """Train to the end, and take the best epoch's network.

        Args:
            wanted: called before each step; whether its state is wanted.
            good: called with that state when it has proved good: its loss is finite.
            after_step: called with the steps done and their number.
            after_epoch: called with each epoch.

        Raises:
            ModelError: numbers are no longer finite.
        """
        while not self.ended:
            parts = self._order.split(self.tuning.batch)
            while self._batch < len(parts):
                state = self.state() if wanted() else None
                part = self.examples.at(parts[self._batch])
                with self.net.digital().trainable():
                    y, loss = self._forward(part)
                    if state is not None:
                        good(state)
                    self._step(part, y, loss)
                after_step(self.done, self.steps)
            self._end_epoch()
            after_epoch(self.history[-1])
        if self.held is None:  # the last step's network has not been used yet
            part = self.examples.at(torch.arange(1))
            with torch.no_grad():
                self._check(part.loss(self.net(part.inputs)), part)
        self.take_best()

    def take_best(self) -> None:
        """Make the network that of the best epoch, where there is one."""
        if self._kept:
            self.net.restore(self._kept)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that later steps depend on, as copies."""
        found = {f"net.{name}": value for name, value in self.net.state().items()}
        for number, moments in self._adam.state_dict()["state"].items():
            found |= {f"adam.{number}.{key}": each.numpy().copy() for key, each in moments.items()}
        found |= {f"best.{name}": np.array(value) for name, value in self._kept.items()}
        found["draw"] = self._draw.get_state().numpy()
        found["drawn"] = torch.get_rng_state().numpy()
        found["place"] = np.array([self._batch, self._right, self.best], np.int64)
        found["total"] = np.array(self._total)
        found["history"] = rows_of(self.history)
        return found

    def restore(self, state: State) -> None:
        """Go on from a state.

        Raises:
            ValueError: it is no state of such a run.
        """
        self.history = epochs_of(state["history"])
        self._begin()
        self._batch, self._right, self.best = map(int, state["place"])
        self._total = float(state["total"])
        self._kept, moments = under(state, "best."), dict[int, dict[str, torch.Tensor]]()
        self.net.restore(under(state, "net."))
        for name, value in under(state, "adam.").items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = torch.from_numpy(np.array(value))
        self._adam.load_state_dict({**self._adam.state_dict(), "state": moments})
        self._draw.set_state(torch.from_numpy(np.array(state["draw"])))
        torch.set_rng_state(torch.from_numpy(np.array(state["drawn"])))
        forms = [
            {k: (v.shape, v.dtype.str) for k, v in each.items()} for each in (state, self.state())
        ]
        count = sum(len(group["params"]) for group in self._adam.param_groups)
        within = 0 <= self._batch <= self.batches and -1 <= self.best < len(self.history)
        within &= moments.keys() <= set(range(count))
        if forms[0] != forms[1] or not within or len(self.history) > self.schedule.epochs:
            raise ValueError("its arrays are none of this run's")

    def _begin(self) -> None:
        """Begin the next epoch: another order of the data, another generator."""
        self._batch, self._total, self._right = 0, 0.0, 0
        self._draw = generator(self.schedule.seed, len(self.history))
        self._order = torch.randperm(len(self.examples), generator=self._draw)

    def _forward(self, part: Examples) -> tuple[torch.Tensor, torch.Tensor]:
        """Outputs and loss, with devices drawn."""
        if self._batch % _AGAIN == 0:
            self.net.calibrate(self.examples.inputs[:CALIBRATION])
        y = self.net(part.inputs, self._draw)
        loss = part.loss(y)
        self._check(loss, part)
        return y, loss

    def _step(self, part: Examples, y: torch.Tensor, loss: torch.Tensor) -> None:
        rate = self.tuning.rate * self.schedule.rate(self.done / self.steps)
        for group in self._adam.param_groups:
            group["lr"] = rate * group["factor"]
        self._adam.zero_grad()
        (loss + self.tuning.sparsity * self.net.load() if self.tuning.sparsity else loss).backward()
        self._adam.step()
        self._batch += 1
        self._total += float(loss.detach()) * len(part)
        self._right += part.right(y.detach())

    def _end_epoch(self) -> None:
        count = len(self.examples)
        loss, right = (None, None) if self.held is None else self._validate(self.held)
        means = self._total / count, self._right / count
        epoch = Epoch(*means, self.net.kept, loss, right, self.net.stale())
        self.history.append(epoch)
        losses = [each.validation_loss for each in self.history]
        if epoch.validation_loss is not None and epoch.validation_loss == min(
            each for each in losses if each is not None
        ):
            self.best, self._kept = len(self.history) - 1, self.net.state()
        self._begin()

    def _validate(self, held: Examples) -> tuple[float, float]:
        """Mean loss of what is held apart, and the share of right answers.

        The devices are drawn, the same ones in every epoch, so that epochs compare.
        """
        draw = generator(self.schedule.seed, 0, 2)
        total, right = 0.0, 0
        with torch.no_grad():
            for chosen in torch.arange(len(held)).split(_VALIDATED):
                part = held.at(chosen)
                y = self.net(part.inputs, draw)
                loss = part.loss(y)
                self._check(loss, part)
                total += float(loss) * len(chosen)
                right += part.right(y)
        return total / len(held), right / len(held)

    def _check(self, loss: torch.Tensor, part: Examples) -> None:
        if math.isfinite(float(loss.detach())):
            return
        where = self.net.first_bad(part.inputs)
        raise ModelError(
            f"training came to a loss that is not finite in epoch {len(self.history) + 1}, step "
            f"{self.done + 1} of {self.steps}{where}; a lower rate helps where it was too high"
        )


def generator(*seeds: int) -> torch.Generator:
    """Random numbers of one's own for every seed and purpose."""
    words = np.random.SeedSequence(seeds).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(words @ [1, 2**31]))


def rows_of(history: Sequence[Epoch]) -> NDArray[np.float64]:
    """Epochs as an array (E, 6), NaN for what they have not."""
    rows = [[getattr(epoch, name) for name in _FIELDS] for epoch in history]
    return np.array(rows, np.float64).reshape(len(rows), len(_FIELDS))


def epochs_of(rows: NDArray[np.float64]) -> list[Epoch]:
    """The epochs of such an array."""
    return [
        Epoch(*row[:3], *(None if math.isnan(each) else each for each in row[3:]))
        for row in rows.tolist()
    ]


def under(state: State, prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin so, without that."""
    return {
        name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)
    }
