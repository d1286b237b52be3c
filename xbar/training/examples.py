"""What ``finetune`` learns from: inputs, the digital network's outputs, class numbers.

Importing this module imports PyTorch: import it inside functions.

Shapes: N inputs, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from xbar.errors import ModelError, SpecError

_LEAST = 1e-12
"""The smallest probability that is told from 0."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and what a network shall answer.

    Attributes:
        inputs: (N, ...).
        aims: (N, ...) outputs of the digital network.
        labels: (N,) class numbers; None where the aims alone are learned.
        probable: whether its outputs are probabilities of classes, not scores.
        each: whether each output is a probability by itself, as after a sigmoid.
        threshold: of a single output, above which it says class 1, not 0; None for others.
        spread: variance of the aims over all inputs, to which distances from them are relative.
    """

    inputs: torch.Tensor
    aims: torch.Tensor
    labels: torch.Tensor | None
    probable: bool = False
    each: bool = False
    threshold: float | None = None
    spread: float = 1.0

    @classmethod
    def of(
        cls,
        digital: Callable[[torch.Tensor], torch.Tensor],
        inputs: torch.Tensor,
        labels: torch.Tensor | None,
        threshold: float | None,
    ) -> Examples:
        """Inputs with what the digital network gives for them.

        Args:
            digital: the network.
            inputs: (N, ...).
            labels: (N,) class numbers; None without.
            threshold: of each output by the network's last operation, if it has one; 0.5 after a
                sigmoid.

        Raises:
            ModelError: it does not give one tensor of finite numbers for each input.
            SpecError: it has no output for a label.
        """
        with torch.no_grad():
            found = [digital(part) for part in inputs.split(256)]
        if not all(isinstance(each, torch.Tensor) for each in found):
            raise ModelError("the network must return one tensor to be trained")
        y = torch.cat(found)
        if len(y) != len(inputs) or not y.is_floating_point() or not bool(torch.isfinite(y).all()):
            raise ModelError(
                "the network must give finite real numbers for each input to be trained, not "
                f"{str(y.dtype).removeprefix('torch.')} {tuple(y.shape)} for {len(inputs)} inputs"
            )
        single = threshold if y.ndim > 1 and y[0].numel() == 1 else None
        if labels is None:
            sums = _are_probabilities(y)
            each = not sums and threshold == 0.5
            return cls(inputs, y, None, sums, each, single, _spread(y))
        threshold = single
        _check_classes(y, labels, threshold)
        probable = threshold == 0.5 if threshold is not None else _are_probabilities(y)
        return cls(inputs, y, labels, probable, threshold=threshold)

    def __len__(self) -> int:
        """Number of inputs."""
        return len(self.inputs)

    def at(self, chosen: torch.Tensor) -> Examples:
        """Some of them, by their numbers."""
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, inputs=self.inputs[chosen], aims=self.aims[chosen], labels=labels)

    def apart(self, share: float, draw: torch.Generator) -> tuple[Examples, Examples | None]:
        """Those to train on, and a share that is held apart; both in their given order.

        Raises:
            SpecError: one of the two would have none.
        """
        if not share:
            return self, None
        count = round(share * len(self))
        if not 0 < count < len(self):
            raise SpecError(
                f"validation must leave inputs to train on and to hold apart, not {count} of "
                f"{len(self)}, which a share of {share:g} holds apart"
            )
        order = torch.randperm(len(self), generator=draw)
        held, rest = order[:count].sort().values, order[count:].sort().values
        return self.at(rest), self.at(held)

    def loss(self, y: torch.Tensor) -> torch.Tensor:
        """Cross entropy of labels and of the digital network's answers, or distance from its aims.

        Without labels: cross entropy of the answers where they are probabilities, of all classes or
        each by itself; else the squared distance, relative to the variance of all aims.
        """
        if self.labels is None and self.each:
            # by hand: PyTorch's own raises for numbers that are lost, which are told elsewhere
            yes, no = (each.clamp(min=_LEAST).log() for each in (y, 1 - y))
            return -(self.aims * yes + (1 - self.aims) * no).sum() / len(y)
        if self.labels is None and self.probable:
            return functional.cross_entropy(self._scores(y), self.aims.flatten(1))
        if self.labels is None:
            return ((y - self.aims) ** 2).mean() / self.spread
        scores, aims = self._scores(y), self._scores(self.aims)
        own = functional.cross_entropy(scores, self.labels)
        return own + functional.cross_entropy(scores, aims.softmax(dim=1))

    def _scores(self, y: torch.Tensor) -> torch.Tensor:
        """(N, C) logarithms of what is in proportion to probabilities."""
        flat = y.flatten(1)
        if self.threshold is not None:
            flat = torch.cat([1 - flat if self.probable else torch.zeros_like(flat), flat], dim=1)
        return flat.clamp(min=_LEAST).log() if self.probable else flat

    def right(self, y: torch.Tensor) -> int:
        """Number of inputs whose largest output is the right one.

        Without labels that of the digital network; a single output must be on the same side of its
        threshold.
        """
        if self.labels is not None:
            return int((self._scores(y).argmax(dim=1) == self.labels).sum())
        if self.threshold is not None:
            alike = (y > self.threshold) == (self.aims > self.threshold)
            return int(alike.sum())
        return int((y.flatten(1).argmax(dim=1) == self.aims.flatten(1).argmax(dim=1)).sum())


def _spread(y: torch.Tensor) -> float:
    """Variance of outputs over inputs; where all are equal but for rounding, mean square or 1."""
    z = y.double()
    variance, square = float(((z - z.mean(dim=0)) ** 2).mean()), float((z**2).mean())
    least = (8 * torch.finfo(y.dtype).eps) ** 2 * square
    return variance if variance > least else square if square > 0 else 1.0


def _are_probabilities(y: torch.Tensor) -> bool:
    """Whether each row of outputs is one of several numbers from 0 that add up to 1."""
    flat = y.flatten(1)
    sums = flat.shape[1] > 1 and bool((flat.sum(dim=1) - 1).abs().max() < 1e-3)
    return sums and bool((flat >= 0).all())


def _check_classes(aims: torch.Tensor, labels: torch.Tensor, threshold: float | None) -> None:
    classes = int(labels.max()) + 1
    flat = aims.ndim >= 2 and aims[0].numel() == aims.shape[1]
    known = 2 if threshold is not None else aims.shape[1] if flat else 0
    if known < classes:
        raise SpecError(
            f"labels must be class numbers below the network's outputs {tuple(aims.shape[1:])}, "
            f"not up to {classes - 1}; without labels its own outputs are learned"
        )
