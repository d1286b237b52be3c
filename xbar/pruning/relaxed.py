"""Relaxed Bernoulli gates: edge-popup's differentiable rival.

Each weight of a random network has a gate, a relaxed Bernoulli variable whose logarithmic odds are
trained; no gradient passes straight through a choice. (I. Tsayag, O. Lindenbaum, "Uncovering a
winning lottery ticket with continuously relaxed Bernoulli gates", arXiv:2603.08914, propose such
gates with a penalty on the expected number of open ones. The relaxation here is the concrete
distribution of Maddison, Mnih and Teh; the penalty's weight is not chosen but follows from the
fraction to keep: the odds of all gates are shifted together so that their mean probability is it.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from xbar.effects.readout import MatrixReadout
from xbar.hardware.chip import Chip
from xbar.model.pytorch import require_torch
from xbar.pruning.initial import Source
from xbar.pruning.popup import Task, train_mask
from xbar.pruning.select import Scope, Structure
from xbar.pruning.ticket import Ticket
from xbar.training.recipe import SCORES, Recipe

if TYPE_CHECKING:
    from torch import nn


def gates(
    model: nn.Module,
    data: tuple[ArrayLike, ArrayLike],
    keep: float = 0.5,
    weights: Source | Chip = "kaiming",
    epochs: int = 30,
    seed: int = 0,
    *,
    scope: Scope = "layer",
    structure: Structure = "weights",
    readout: MatrixReadout = "ideal",
    recipe: Recipe = SCORES,
    progress: Callable[[int, int], None] | None = None,
) -> Ticket:
    """Find a subnetwork of a random network by training relaxed Bernoulli gates.

    The weights are not trained. The final mask keeps exactly the fraction, by the best odds.

    Args:
        model: torch module with linear layers or convolutions, mapping (N, ...) to (N, classes).
        data: training inputs (N, ...) and class indices (N,).
        keep: fraction of weights to keep, per layer or overall.
        weights: "kaiming", "constant", "given" or a chip, as for `edge_popup`.
        epochs: number of epochs; 0 keeps the weights with the best random odds.
        seed: seed of weights, odds, noise and data order. The same seed gives the same ticket.
        scope: whether ``keep`` applies per layer ("layer") or over all layers ("global").
        structure: unit that has a gate, as for `edge_popup`.
        readout: read-out of a chip: "nodal" trains the gates with the tiles' wires, exact for the
            mask that they would give at the start of each epoch.
        recipe: training settings.
        progress: callback, called after each epoch with epochs done and epochs in total.

    Raises:
        SpecError: an argument is out of range, the data do not fit, the chip is too small.
        ModelError: the network has nothing to prune or can't be run.
        ToolError: PyTorch is not installed.
    """
    require_torch("training gates")
    task = Task("gates", scope, structure, "relaxed", readout)
    return train_mask(model, data, keep, weights, epochs, seed, task, recipe, progress)
