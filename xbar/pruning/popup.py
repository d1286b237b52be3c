"""Edge-popup: training by pruning (Ramanujan et al. 2020).

The weights are random and never change. Each has a score; the weights of the largest scores are
kept, the others count as nothing (on a chip, as what their open cells leak), and the scores are
trained as if every choice were the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.model.pytorch import require_torch
from xbar.pruning.initial import Source, random_states, shapes_of
from xbar.pruning.select import (
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

Choice: TypeAlias = Literal["largest", "drawn"]
Readout: TypeAlias = Literal["ideal", "nodal"]


@dataclass(frozen=True)
class Anneal:
    """How the kept share falls from all weights to the wanted one.

    Attributes:
        share: of the epochs, during which it falls; 0 keeps the wanted share throughout.
        power: of the fall, 1 - (1 - t)^power: large ones fall early.
    """

    share: float = 0.0
    power: float = 3.0

    def keep(self, keep: float, epoch: int, epochs: int) -> float:
        """The share in one epoch.

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
    choice: Choice = "largest",
    anneal: float = 0.0,
    readout: Readout = "ideal",
    analog: bool = False,
    recipe: Recipe = SCORES,
    progress: Callable[[int, int], None] | None = None,
) -> Ticket:
    """Find a subnetwork of a random network that solves a task, its weights untouched.

    The model gives the architecture; it is left as it was. Its biases are off in the ticket and
    its batch norms have no learned scale and shift, so that the mask is all that is learned. Deep
    networks of few kept weights need batch norms.

    Args:
        model: a torch module with linear layers or convolutions, taking (N, ...) to (N, classes).
        data: inputs (N, ...) and class numbers (N,) to train on.
        keep: share of weights to keep, of each layer or of all.
        weights: "kaiming" (normal), "constant" (one size, random signs), "given" (the model's
            own), or a chip whose own conductances they are.
        epochs: passes over the data; 0 keeps the weights of the largest random scores.
        seed: of weights, scores and order of the data. The same seed gives the same ticket.
        scope: whether ``keep`` holds in each layer ("layer") or over all of them ("global").
        structure: what has a score: single weights; or all weights into one output ("outputs", a
            neuron or filter, a bit line) or from one input ("inputs", a word line). The last
            layer's outputs and the first one's inputs stay, there single weights are chosen.
            Weights from neurons that are gone go too, where pruned weights leave nothing.
        choice: "largest" scores are kept; or each weight is "drawn" with a probability that its
            score sets, and the mask settles as a temperature falls.
        anneal: share of the epochs during which the kept share falls from 1 to ``keep``.
        readout: of a chip: "nodal" lets the mask be learned with the tiles' wires, by the exact
            transfer matrix of each tile under the mask of each epoch's beginning.
        analog: of a chip: the mask is learned with the converters and the read noise that the
            design has. Takes linear layers and two-dimensional convolutions, and much more time.
        recipe: how the scores are trained.
        progress: called after each epoch with epochs done and epochs in all.

    Raises:
        SpecError: an argument is out of range, the data do not fit, the chip is too small.
        ModelError: the network has nothing to prune or can't be run.
        ToolError: PyTorch is not installed.
    """
    require_torch("edge-popup")
    keep = check_keep(keep)
    check_count("epochs", epochs, 0)
    check_count("seed", seed, 0)
    for name, value, choices in (
        ("scope", scope, Scope),
        ("structure", structure, Structure),
        ("choice", choice, Choice),
        ("readout", readout, Readout),
    ):
        check_choice(name, value, choices)
    if structure != "weights" and scope == "global":
        raise SpecError("scope must be 'layer' with a structure: groups of layers differ in size")
    if not 0 <= anneal < 1:
        raise SpecError(f"anneal, a share of the epochs, must be from 0, below 1, not {anneal!r}")
    if readout != "ideal" and not isinstance(weights, Chip):
        raise SpecError(f"readout must be 'ideal' without a chip, which has the wires: {readout!r}")
    if analog and not (isinstance(weights, Chip) and choice == "largest"):
        raise SpecError(
            "analog needs weights from a chip, which has the converters, and choice 'largest'"
        )
    from xbar.training.loop import check_data, fit, reproducible

    checked = check_data(data)
    network = without_learned_offsets(own_copy(model))
    report = progress or (lambda done, total: None)
    with reproducible(seed) as draw:
        search = _Search.start(
            network, checked, keep, weights, draw, scope, structure, choice, readout, analog
        )

        def before_epoch(epoch: int) -> float:
            if epoch:
                report(epoch, epochs)
            return search.prepare(epoch, epochs, Anneal(anneal))

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
    return Ticket(network, masks, checked.input_shape, "edge-popup", int(seed), history, chip)


FIRST, LAST = 1.0, 0.05
"""Temperatures of drawn masks in the first and the last epoch, in units of a score."""


@dataclass(eq=False)
class _Search:
    """The scores of a network, and what they choose among."""

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
        scope: Scope,
        structure: Structure,
        choice: Choice,
        readout: Readout,
        analog: bool,
    ) -> _Search:
        """Random weights and random scores in the network's layers."""
        from xbar.pruning.masked import Scores

        layers = prunable(network)
        scored = structures(list(layers), structure)
        states = random_states(network, layers, weights, keep, data.input_shape, draw)
        wires = None
        if isinstance(weights, Chip) and (readout == "nodal" or analog):
            shapes = shapes_of(network, layers, data.input_shape)
            scales = {name: each.scale or 1.0 for name, each in states.items()}
            wires = Wires(weights, shapes, scales, layers)
        for each in network.parameters():
            each.requires_grad_(False)
        scores = Scores(layers, states, scope, scored, draw, drawn=choice == "drawn")
        if analog and wires is not None:
            from xbar.training.analog import attach

            attach(layers, wires.chip, wires.shapes, wires.scales, scores.mask)
        if readout == "ideal":
            wires = None
        search = cls(network, data, keep, states, scores, wires, analog, structure != "weights")
        scores.keep = keep
        scores.update()
        return search

    def prepare(self, epoch: int, epochs: int, anneal: Anneal) -> float:
        """Set the epoch's kept share, temperature and wires; gives the share."""
        scores = self.scores
        scores.keep = anneal.keep(self.keep, epoch, epochs)
        scores.temperature = FIRST * (LAST / FIRST) ** (epoch / max(1, epochs - 1))
        if self.wires is not None:
            scores.set_states(self.wires.states(scores.masks()))
        scores.update()
        return scores.keep

    def finish(self) -> dict[str, NDArray[np.bool_]]:
        """Plain weights in the network, as the final masks choose them.

        Batch norms are measured with the wires, if they were trained with them; the weights are
        those of ideal wires in any case, as the compiler takes them.
        """
        from xbar.training.loop import measure_norms

        self.scores.keep = self.keep
        masks = self.scores.masks()
        seen = self.states if self.wires is None else self.wires.states(masks)
        self.scores.settle(masks, seen)
        measure_norms(self.network, self.data)
        if self.analog:
            from xbar.training.analog import detach

            detach(self.scores.layers)
        set_weights(self.network, masks, self.states)
        if self.structured and all(each.off is None for each in self.states.values()):
            from xbar.pruning.dead import drop_dead

            masks = drop_dead(self.network, masks, self.data.input_shape)
            set_weights(self.network, masks, self.states)
        return masks
