"""Edge-popup: training by pruning (Ramanujan et al. 2020).

The weights are random and fixed. Each has a score; the weights with the largest scores are kept,
the others are zero (on a chip, the leakage of their open cells), and the scores are trained with a
straight-through gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.effects.readout import MatrixReadout
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.model.pytorch import require_torch
from xbar.pruning.initial import Source, random_states, shapes_of
from xbar.pruning.select import (
    Choice,
    Scope,
    Structure,
    check_choice,
    check_count,
    check_keep,
    structures,
)
from xbar.pruning.ticket import Ticket
from xbar.pruning.wires import Wires
from xbar.training.layers import States, own_copy, prunable, set_weights, without_learned_offsets
from xbar.training.recipe import SCORES, Recipe

if TYPE_CHECKING:
    import torch
    from torch import nn

    from xbar.pruning.masked import Scores
    from xbar.training.loop import Data

PopupChoice: TypeAlias = Literal["largest", "drawn"]


@dataclass(frozen=True)
class Anneal:
    """Schedule of the kept fraction, from 1 to the target.

    Attributes:
        share: fraction of the epochs during which it falls; 0 holds the target throughout.
        power: exponent of the schedule 1 - (1 - t)^power; large values fall early.
    """

    share: float = 0.0
    power: float = 3.0

    def keep(self, keep: float, epoch: int, epochs: int) -> float:
        """The kept fraction in one epoch.

        >>> [Anneal(0.5, power=1).keep(0.2, epoch, 4) for epoch in range(4)]
        [1.0, 0.6000000000000001, 0.2, 0.2]
        """
        end = self.share * epochs
        left = max(0.0, 1 - epoch / end) if end else 0.0
        return float(keep + (1 - keep) * left**self.power)


def edge_popup(
    model: nn.Module,
    data: tuple[ArrayLike, ArrayLike],
    keep: float = 0.5,
    weights: Source | Chip = "kaiming",
    epochs: int = 30,
    seed: int = 0,
    *,
    scope: Scope = "layer",
    structure: Structure = "weights",
    choice: PopupChoice = "largest",
    anneal: float = 0.0,
    readout: MatrixReadout = "ideal",
    analog: bool = False,
    recipe: Recipe = SCORES,
    progress: Callable[[int, int], None] | None = None,
) -> Ticket:
    """Find a subnetwork of a random network that solves a task, without training its weights.

    The model defines the architecture and is not modified. The ticket has no biases and its batch
    norms have no learned scale and shift, so that only the mask is learned. Deep networks with few
    kept weights need batch norms.

    Args:
        model: torch module with linear layers or convolutions, mapping (N, ...) to (N, classes).
        data: training inputs (N, ...) and class indices (N,).
        keep: fraction of weights to keep, per layer or overall.
        weights: "kaiming" (normal), "constant" (constant magnitude, random signs), "given" (the
            model's own), or a chip whose conductances are the weights.
        epochs: number of epochs; 0 keeps the weights with the largest random scores.
        seed: seed of weights, scores and data order. The same seed gives the same ticket.
        scope: whether ``keep`` applies per layer ("layer") or over all layers ("global").
        structure: unit that has a score: single weights; or all weights into one output
            ("outputs", a neuron or filter, a bit line) or from one input ("inputs", a word line).
            In the last layer's outputs and the first layer's inputs single weights are chosen.
            Weights from removed neurons are removed too, if pruned weights are exactly zero.
        choice: "largest" keeps the largest scores; "drawn" keeps each weight with a probability
            set by its score, becoming deterministic as the temperature falls.
        anneal: fraction of the epochs during which the kept fraction falls from 1 to ``keep``.
        readout: read-out of a chip: "nodal" trains the mask with the tiles' wires, using each
            tile's exact transfer matrix under the mask at the start of each epoch.
        analog: for a chip: whether to train the mask with the design's converters and read noise.
            Supports linear layers and two-dimensional convolutions; much slower.
        recipe: training settings.
        progress: callback, called after each epoch with epochs done and epochs in total.

    Raises:
        SpecError: an argument is out of range, the data do not fit, the chip is too small.
        ModelError: the network has nothing to prune or can't be run.
        ToolError: PyTorch is not installed.
    """
    require_torch("edge-popup")
    check_choice("choice", choice, PopupChoice)
    if not 0 <= anneal < 1:
        raise SpecError(
            f"anneal, a fraction of the epochs, must be at least 0 and below 1, not {anneal!r}"
        )
    if analog and not (isinstance(weights, Chip) and choice == "largest"):
        raise SpecError("analog needs weights=chip, for its converters, and choice='largest'")
    task = Task("edge-popup", scope, structure, choice, readout, analog, Anneal(anneal))
    return train_mask(model, data, keep, weights, epochs, seed, task, recipe, progress)


@dataclass(frozen=True)
class Task:
    """What is to be trained, and how a mask follows from its scores.

    Attributes:
        method: name of the method.
        scope: whether the kept fraction applies per layer or over all.
        structure: unit that has a score.
        choice: how the scores choose.
        readout: read-out of a chip.
        analog: whether converters and read noise are included.
        anneal: schedule of the kept fraction.
    """

    method: str
    scope: Scope = "layer"
    structure: Structure = "weights"
    choice: Choice = "largest"
    readout: MatrixReadout = "ideal"
    analog: bool = False
    anneal: Anneal = Anneal()

    def check(self, weights: Source | Chip) -> None:
        """Check the choices, and that they fit each other and the source of the weights.

        Raises:
            SpecError: they don't.
        """
        check_choice("scope", self.scope, Scope)
        check_choice("structure", self.structure, Structure)
        check_choice("readout", self.readout, MatrixReadout)
        if self.structure != "weights" and self.scope == "global":
            raise SpecError(
                "scope must be 'layer' with a structure: groups of layers differ in size"
            )
        if self.readout != "ideal" and not isinstance(weights, Chip):
            raise SpecError(f"readout must be 'ideal' without a chip, not {self.readout!r}")


def train_mask(
    model: nn.Module,
    data: tuple[ArrayLike, ArrayLike],
    keep: float,
    weights: Source | Chip,
    epochs: int,
    seed: int,
    task: Task,
    recipe: Recipe,
    progress: Callable[[int, int], None] | None,
) -> Ticket:
    """Train the mask of a random network; arguments and errors as for `edge_popup`."""
    keep = check_keep(keep)
    check_count("epochs", epochs, 0)
    check_count("seed", seed, 0)
    task.check(weights)
    from xbar.training.loop import check_data, fit, reproducible

    checked = check_data(data)
    network = without_learned_offsets(own_copy(model))
    report = progress or (lambda done, total: None)
    with reproducible(seed) as draw:
        search = _Search.start(network, checked, keep, weights, draw, task)

        def before_epoch(epoch: int) -> float:
            if epoch:
                report(epoch, epochs)
            return search.prepare(epoch, epochs, task.anneal)

        history = fit(
            network,
            checked,
            epochs,
            recipe,
            draw,
            before_epoch=before_epoch,
            after_step=search.scores.update,
        )
        masks = search.finish()
    report(epochs, epochs)
    chip = weights if isinstance(weights, Chip) else None
    return Ticket(network, masks, checked.input_shape, task.method, int(seed), history, chip)


FIRST, LAST = 1.0, 0.05
"""Temperatures of drawn masks in the first and last epoch, in units of the score."""


@dataclass(eq=False)
class _Search:
    """A network with its scores and the weights they choose from."""

    network: nn.Module
    data: Data
    keep: float
    states: dict[str, States]
    scores: Scores
    wires: Wires | None
    analog: bool
    structured: bool

    @classmethod
    def start(
        cls,
        network: nn.Module,
        data: Data,
        keep: float,
        weights: Source | Chip,
        draw: torch.Generator,
        task: Task,
    ) -> _Search:
        """Initialise weights and scores."""
        from xbar.pruning.masked import Scores

        layers = prunable(network)
        scored = structures(list(layers), task.structure)
        states = random_states(network, layers, weights, keep, data.input_shape, draw)
        wires = None
        if isinstance(weights, Chip) and (task.readout == "nodal" or task.analog):
            shapes = shapes_of(network, layers, data.input_shape)
            scales = {name: each.scale or 1.0 for name, each in states.items()}
            wires = Wires(weights, shapes, scales, layers)
        for each in network.parameters():
            each.requires_grad_(False)
        scores = Scores(layers, states, task.scope, scored, draw, choice=task.choice)
        if task.analog and wires is not None:
            from xbar.training.layer import attach

            attach(layers, wires.chip, wires.shapes, wires.scales, scores.mask)
        if task.readout == "ideal":
            wires = None
        structured = task.structure != "weights"
        search = cls(network, data, keep, states, scores, wires, task.analog, structured)
        scores.keep = keep
        scores.update()
        return search

    def prepare(self, epoch: int, epochs: int, anneal: Anneal) -> float:
        """Set the epoch's kept fraction, temperature and wires; returns the fraction."""
        scores = self.scores
        scores.keep = anneal.keep(self.keep, epoch, epochs)
        scores.temperature = FIRST * (LAST / FIRST) ** (epoch / max(1, epochs - 1))
        if self.wires is not None:
            scores.set_states(self.wires.states(scores.masks()))
        scores.update()
        return scores.keep

    def finish(self) -> dict[str, NDArray[np.bool_]]:
        """Replace the scores by plain weights, as chosen by the final masks.

        Batch-norm statistics include the wires if the mask was trained with them; the weights are
        always those of ideal wires, as the compiler expects.
        """
        from xbar.training.loop import measure_norms

        self.scores.keep = self.keep
        masks = self.scores.masks()
        seen = self.states if self.wires is None else self.wires.states(masks)
        self.scores.settle(masks, seen)
        measure_norms(self.network, self.data)
        if self.analog:
            from xbar.training.layer import detach

            detach(self.scores.layers)
        set_weights(self.network, masks, self.states)
        if self.structured and all(each.off is None for each in self.states.values()):
            from xbar.pruning.dead import drop_dead

            masks = drop_dead(self.network, masks, self.data.input_shape)
            set_weights(self.network, masks, self.states)
        return masks
