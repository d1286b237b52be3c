"""Magnitude pruning: remove the smallest weights of a trained network, then train the rest.

One round is one-shot pruning; with more, each removes the same fraction of the remaining weights
(Han et al. 2015). With rewinding (``lottery_ticket``) the remaining weights are reset to their
values early in training, and the sparse network is trained from there (Frankle and Carbin 2019).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.model.pytorch import require_torch
from xbar.pruning.select import (
    Scope,
    Structure,
    check_choice,
    check_count,
    check_keep,
    group_scores,
    structures,
    top_masks,
)
from xbar.pruning.ticket import Ticket
from xbar.training.layers import apply_masks, own_copy, prunable, weights_of
from xbar.training.recipe import WEIGHTS, Epoch, Recipe

if TYPE_CHECKING:
    import torch
    from torch import nn

    from xbar.training.loop import Data

Masks = dict[str, NDArray[np.bool_]]


def magnitude(
    model: nn.Module,
    data: tuple[ArrayLike, ArrayLike],
    keep: float = 0.5,
    epochs: int = 15,
    seed: int = 0,
    *,
    rounds: int = 1,
    tune: int = 5,
    scope: Scope = "layer",
    structure: Structure = "weights",
    recipe: Recipe = WEIGHTS,
) -> Ticket:
    """Train, remove the smallest weights and fine-tune the rest, in one round or several.

    Args:
        model: torch module whose weights training starts from; it is not modified.
        data: training inputs (N, ...) and class indices (N,).
        keep: fraction of the layers' weights kept at the end.
        epochs: epochs of training before the first pruning; 0 for a trained model.
        seed: seed of the data order. The same seed gives the same ticket.
        rounds: rounds of pruning and fine-tuning; 1 is one-shot.
        tune: epochs of fine-tuning after each round.
        scope: whether weights are ranked per layer or over all layers.
        structure: "weights", or whole "outputs" or "inputs" by their root mean square. The last
            layer's outputs and the first layer's inputs are all kept.
        recipe: training settings.

    Raises:
        SpecError: an argument is out of range or the data do not fit.
        ModelError: the network has nothing to prune or can't be run.
        ToolError: PyTorch is not installed.
    """
    run = _Run.start(model, data, keep, seed, scope, structure, recipe)
    for name, value, least in (("epochs", epochs, 0), ("rounds", rounds, 1), ("tune", tune, 0)):
        check_count(name, value, least)
    with run.reproducible() as draw:
        run.train(epochs, draw)
        for number in range(rounds):
            run.prune(number + 1, rounds)
            run.train(tune, draw)
    return run.ticket("magnitude")


def lottery_ticket(
    model: nn.Module,
    data: tuple[ArrayLike, ArrayLike],
    keep: float = 0.5,
    epochs: int = 15,
    seed: int = 0,
    *,
    rounds: int = 3,
    rewind: int = 0,
    scope: Scope = "layer",
    structure: Structure = "weights",
    recipe: Recipe = WEIGHTS,
) -> Ticket:
    """Train, remove the smallest weights, rewind the rest to early values, and train again.

    Args:
        model: torch module with its initial weights; it is not modified.
        data: training inputs (N, ...) and class indices (N,).
        keep: fraction of the layers' weights kept at the end.
        epochs: epochs of training in each round, from the rewound values.
        seed: seed of the data order. The same seed gives the same ticket.
        rounds: rounds of pruning.
        rewind: epoch of the first training to whose end weights are rewound; 0 is the start.
        scope: whether weights are ranked per layer or over all layers.
        structure: "weights", or whole "outputs" or "inputs" by their root mean square.
        recipe: training settings.

    Raises:
        SpecError: an argument is out of range or the data do not fit.
        ModelError: the network has nothing to prune or can't be run.
        ToolError: PyTorch is not installed.
    """
    run = _Run.start(model, data, keep, seed, scope, structure, recipe)
    check_count("epochs", epochs, 1)
    check_count("rounds", rounds, 1)
    check_count("rewind", rewind, 0)
    if rewind >= epochs:
        check_count("epochs, more than rewind,", epochs, rewind + 1)
    with run.reproducible() as draw:
        early = run.train(epochs, draw, remember=rewind)
        for number in range(rounds):
            run.prune(number + 1, rounds)
            run.network.load_state_dict(early)
            run.train(epochs, draw)
    return run.ticket("lottery ticket")


def random(
    model: nn.Module,
    data: tuple[ArrayLike, ArrayLike],
    keep: float = 0.5,
    epochs: int = 15,
    seed: int = 0,
    *,
    scope: Scope = "layer",
    structure: Structure = "weights",
    recipe: Recipe = WEIGHTS,
) -> Ticket:
    """Keep random weights and train them; the baseline for any other mask.

    Args:
        model: torch module with its initial weights; it is not modified.
        data: training inputs (N, ...) and class indices (N,).
        keep: fraction of the layers' weights kept.
        epochs: epochs of training.
        seed: seed of the mask and the data order. The same seed gives the same ticket.
        scope: whether ``keep`` applies per layer or over all layers.
        structure: "weights", or whole "outputs" or "inputs".
        recipe: training settings.

    Raises:
        SpecError: an argument is out of range or the data do not fit.
        ModelError: the network has nothing to prune or can't be run.
        ToolError: PyTorch is not installed.
    """
    run = _Run.start(model, data, keep, seed, scope, structure, recipe)
    check_count("epochs", epochs, 0)
    rng = np.random.default_rng(seed)
    run.choose({name: rng.random(w.shape) for name, w in run.scores().items()}, keep)
    with run.reproducible() as draw:
        run.train(epochs, draw)
    return run.ticket("random")


@dataclass(eq=False)
class _Run:
    """A network that is alternately trained and pruned."""

    network: nn.Module
    data: Data
    keep: float
    seed: int
    scope: Scope
    scored: dict[str, Structure]
    recipe: Recipe
    masks: Masks
    history: list[Epoch] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        model: nn.Module,
        data: tuple[ArrayLike, ArrayLike],
        keep: float,
        seed: int,
        scope: Scope,
        structure: Structure,
        recipe: Recipe,
    ) -> _Run:
        """Check the arguments common to all methods."""
        require_torch("pruning")
        from xbar.training.loop import check_data

        keep = check_keep(keep)
        check_count("seed", seed, 0)
        check_choice("scope", scope, Scope)
        check_choice("structure", structure, Structure)
        checked = check_data(data)
        network = own_copy(model)
        scored = structures(list(prunable(network)), structure)
        if structure != "weights":
            scored = {name: each for name, each in scored.items() if each != "weights"}
        masks = {name: np.ones(w.shape, np.bool_) for name, w in weights_of(network).items()}
        return cls(network, checked, keep, int(seed), scope, scored, recipe, masks)

    def reproducible(self) -> Any:
        """See ``xbar.training.loop.reproducible``."""
        from xbar.training.loop import reproducible

        return reproducible(self.seed)

    def scores(self) -> dict[str, NDArray[np.floating[Any]]]:
        """Magnitude of each group of each pruned layer; 0 for removed groups."""
        weights = weights_of(self.network)
        return {name: group_scores(weights[name], each) for name, each in self.scored.items()}

    def prune(self, number: int, rounds: int) -> None:
        """Keep the largest groups; after round ``rounds`` the target fraction is left."""
        self.choose(self.scores(), self.keep ** (number / rounds))

    def choose(self, scores: dict[str, NDArray[np.floating[Any]]], keep: float) -> None:
        """Keep a fraction of the groups, those with the largest scores."""
        for name, mask in top_masks(scores, keep, self.scope).items():
            self.masks[name] = np.array(np.broadcast_to(mask, self.masks[name].shape))

    def train(self, epochs: int, draw: torch.Generator, remember: int = 0) -> dict[str, Any]:
        """Train the kept weights; returns the state after ``remember`` epochs."""
        import torch

        from xbar.training.loop import fit

        layers = prunable(self.network)
        factors = [(layers[name].weight, torch.from_numpy(m)) for name, m in self.masks.items()]
        for name, each in self.masks.items():  # a removed output has no bias either
            alive = each.reshape(len(each), -1).any(axis=1)
            if layers[name].bias is not None and not alive.all():
                factors.append((layers[name].bias, torch.from_numpy(alive)))
        kept = sum(int(m.sum()) for m in self.masks.values()) / sum(
            m.size for m in self.masks.values()
        )
        early = copy.deepcopy(self.network.state_dict())

        def mask() -> None:
            with torch.no_grad():
                for weight, factor in factors:
                    weight.mul_(factor)

        def before_epoch(epoch: int) -> float:
            if epoch == remember:
                early.update(copy.deepcopy(self.network.state_dict()))
            return kept

        mask()
        self.history += fit(
            self.network,
            self.data,
            epochs,
            self.recipe,
            draw,
            before_epoch=before_epoch,
            after_step=mask if kept < 1 else lambda: None,
        )
        return early

    def ticket(self, method: str) -> Ticket:
        """The result, without weights from removed neurons."""
        shape = self.data.input_shape
        if "outputs" in self.scored.values():
            from xbar.pruning.dead import drop_dead

            self.masks = drop_dead(self.network, self.masks, shape)
            apply_masks(self.network, self.masks)
        return Ticket(self.network, self.masks, shape, method, self.seed, tuple(self.history))
