"""Training of a network for a design, through its exact wires.

What is trained are conductances, one cell of each pair open, columns' gains and biases; what the
network multiplies by is what arrives of them. New devices are drawn in every step, so the result
suits any chip of the design: ``xbar.compile(trained.graph, chip, wire_aware=True)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import one_integer
from xbar.compiler.checks import check_hardware
from xbar.compiler.mapping import DifferentialPair
from xbar.errors import ModelError, SpecError, shown, warn
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.model.pytorch import require_torch
from xbar.parallel import Progress
from xbar.training.recipe import TUNING, Epoch, Tuning

if TYPE_CHECKING:
    import torch

    from xbar.training.behind_wires import BehindWires

Data: TypeAlias = "tuple[ArrayLike, ArrayLike | None] | NDArray[Any]"
"""Inputs (N, ...) and class numbers (N,), or inputs alone."""

_WARM = 0.2
"""Share of the steps in which the rate rises."""
_BIAS_RATE = 0.25
"""Rate of biases, relative to their size, over that of conductances."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A network trained for a design.

    Attributes:
        graph: the network with its effective weights, for ``xbar.compile``.
        history: of each epoch its loss, the share of right answers (of the digital network's
            answers where there are no labels) and of weights that are not 0.
        notes: what training left out, one sentence each.
    """

    graph: Graph
    history: tuple[Epoch, ...]
    notes: tuple[str, ...] = ()

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the network as a torch.export archive, which ``xbar.read_model`` reads.

        Raises:
            FileError: it exists and ``force`` is not set, or can't be written.
            ModelError: PyTorch can't export the network; one with inputs of any size, for example.
        """
        from xbar.files import refuse_existing, write_bytes
        from xbar.model.export import export_module
        from xbar.training.live_graph import LiveGraph

        path, taken = Path(path), self.graph.inputs[0]
        refuse_existing(path, force=force)
        shape = [size for size in taken.shape[1:] if size is not None]
        if len(shape) < len(taken.shape) - 1:
            raise ModelError(
                "a network whose inputs may have any size can't be written; keep trained.graph"
            )
        content = export_module(LiveGraph(self.graph), tuple(shape), input_dtype=taken.dtype)
        write_bytes(path, content, force=force)


def finetune(
    model: Graph | torch.nn.Module,
    data: Data,
    hardware: Hardware,
    readout: Literal["ideal", "nodal"] = "nodal",
    *,
    epochs: int = 3,
    seed: int = 0,
    input_shape: Sequence[int] | None = None,
    tuning: Tuning = TUNING,
    progress: Progress | None = None,
) -> Trained:
    """Train a network for a design, so that its chips do with their wires what it was made for.

    Args:
        model: graph (``xbar.read_model``), or a torch module with its ``input_shape``.
        data: a pair (inputs (N, ...), class numbers (N,)). Inputs alone, or None for the labels:
            the network's own outputs are what is learned (distillation).
        hardware: the design.
        readout: "nodal" through the exact wires; "ideal" without wires.
        epochs: passes over the data.
        seed: random seed of the order of the data and of devices; the same seed gives the same
            network.
        input_shape: shape of one input without the batch axis, for a module only.
        tuning: settings.
        progress: called with the steps done and their total.

    Raises:
        SpecError: data, a setting or the design does not fit; a chip is given.
        ModelError: the network can't be trained, or training comes to numbers that are not finite.
        ToolError: PyTorch is not installed.

    Warns:
        XbarWarning: the design has effects that training leaves out; which ones.
    """
    require_torch("training")
    from xbar.training.loop import reproducible

    if readout not in ("ideal", "nodal"):
        raise SpecError(f'readout must be "ideal" or "nodal" to train with, not {shown(readout)}')
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise SpecError(f"epochs must be a whole number of at least 1, not {epochs!r}")
    seed = one_integer(seed, "seed", 0, 2**63 - 1)
    graph = _graph(model, input_shape)
    inputs, labels = _data(graph, data)
    notes = _check_design(hardware)
    for note in notes:
        warn(note)
    with reproducible(seed):
        from xbar.training.behind_wires import BehindWires

        net = BehindWires(graph, hardware, tuning, wired=readout == "nodal" and hardware.wired)
        history = _train(net, (inputs, labels), (epochs, seed), tuning, progress)
        return Trained(net.graph(), history, notes)


def _graph(model: Graph | torch.nn.Module, input_shape: Sequence[int] | None) -> Graph:
    if not isinstance(model, Graph):
        from xbar.model.read import from_module

        if input_shape is None:
            raise SpecError(
                "input_shape must be given for a torch module: one input's shape without the batch "
                "axis, such as input_shape=(1, 28, 28)"
            )
        model = from_module(model, input_shape)
    elif input_shape is not None:
        raise SpecError("input_shape must be left out for a Graph, which has its own")
    if not model.layers:
        raise ModelError(
            "the network has no layer on tiles, so there is nothing to train for them; "
            "graph.digital says why each of its products stays digital"
        )
    if model.batch is not None:
        raise ModelError(
            f"the network was exported for batches of {model.batch}; export it for any batch size "
            "to train it"
        )
    return model


def _data(graph: Graph, data: Data) -> tuple[Any, Any]:
    """Inputs and class numbers as tensors; None without labels."""
    import torch

    from xbar.training.loop import check_data

    given, labels = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    inputs = graph.check_inputs(given)
    if labels is not None:
        check_data((inputs, labels))
        labels = torch.from_numpy(np.asarray(labels).astype(np.int64))
    return torch.from_numpy(np.array(inputs)), labels


def _check_design(hardware: object) -> tuple[str, ...]:
    """What training leaves out of a design.

    Raises:
        SpecError: it is no design, or one whose arrays can't be trained for.
    """
    if not isinstance(hardware, Hardware):
        what = type(hardware).__name__
        raise SpecError(
            f"hardware must be a design (xbar.Hardware), not {what}; that of a chip is "
            "chip.hardware"
        )
    check_hardware(hardware, DifferentialPair())
    tile = hardware.tile
    if (tile.topology, tile.idle) != ("input-source", "ground"):
        raise SpecError(
            "training needs tile.topology 'input-source' and tile.idle 'ground', not "
            f"{tile.topology!r} and {tile.idle!r}"
        )
    parts = ("dac", "adc", "amplifier", "selector", "device", "temperature")
    left = [name for name in parts if getattr(hardware, name) is not None]
    left += ["read noise"] if hardware.variation.read_noise else []
    left += ["nonlinearity"] if hardware.bank.nonlinearity is not None else []
    return (f"training leaves out {', '.join(left)} of the design",) if left else ()


def _train(
    net: BehindWires,
    data: tuple[Any, Any],
    length: tuple[int, int],
    tuning: Tuning,
    progress: Progress | None,
) -> tuple[Epoch, ...]:
    """Train for some epochs, with a seed."""
    import torch

    (inputs, labels), (epochs, seed) = data, length
    aims = _outputs(net, inputs)
    if labels is not None:
        _check_classes(aims, labels)
    optimiser = torch.optim.Adam(
        [
            {"params": [net.v, net.gain], "lr": 0.0},
            {"params": [*net.shift], "lr": 0.0, "factor": _BIAS_RATE},
        ]
    )
    steps, done, history = epochs * math.ceil(len(inputs) / tuning.batch), 0, []
    for epoch in range(epochs):
        draw = torch.Generator().manual_seed(_own_seed(seed, epoch))
        total, right = 0.0, 0
        order = torch.randperm(len(inputs), generator=draw)
        for chosen in order.split(tuning.batch):
            for group in optimiser.param_groups:
                group["lr"] = tuning.rate * _rise_and_fall(done / steps) * group.get("factor", 1.0)
            y = net(inputs[chosen], draw)
            loss = _loss(y, aims[chosen], None if labels is None else labels[chosen])
            _check_loss(loss, epoch, done)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            done += 1
            total += float(loss.detach()) * len(chosen)
            right += _right(y.detach(), aims[chosen], None if labels is None else labels[chosen])
            if progress is not None:
                progress(done, steps)
        history.append(Epoch(total / len(inputs), right / len(inputs), net.kept))
    return tuple(history)


def _own_seed(seed: int, epoch: int) -> int:
    """Of each epoch one of its own."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint32) @ [1, 2**31])


def _rise_and_fall(share: float) -> float:
    """Rate over the largest one, after a share of all steps."""
    if share < _WARM:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * share / _WARM))
    return 0.5 * (1 + math.cos(math.pi * (share - _WARM) / (1 - _WARM)))


def _outputs(net: BehindWires, inputs: torch.Tensor) -> torch.Tensor:
    """What the digital network gives for the inputs."""
    import torch

    digital = net.digital()
    with torch.no_grad():
        found = [digital(part) for part in inputs.split(256)]
    if not all(isinstance(each, torch.Tensor) for each in found):
        raise ModelError("the network must return one tensor to be trained")
    y = torch.cat(found)
    if len(y) != len(inputs) or not y.is_floating_point() or not bool(torch.isfinite(y).all()):
        raise ModelError(
            "the network must give finite numbers for each input to be trained, not "
            f"{tuple(y.shape)} for {len(inputs)} inputs"
        )
    return y


def _check_classes(aims: torch.Tensor, labels: torch.Tensor) -> None:
    classes = int(labels.max()) + 1
    if aims.ndim != 2 or aims.shape[1] < classes:
        raise SpecError(
            f"labels must be class numbers below the network's outputs {tuple(aims.shape[1:])}, "
            f"not up to {classes - 1}; without labels its own outputs are learned"
        )


def _loss(y: torch.Tensor, aim: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    """Cross entropy of labels and of the digital network's answers, or distance from its outputs.

    The distance is squared, relative to the outputs' variance.
    """
    from torch.nn import functional

    if labels is None:
        spread = ((aim - aim.mean(dim=0)) ** 2).mean().clamp(min=1e-30)
        return ((y - aim) ** 2).mean() / spread
    own = functional.cross_entropy(y, labels)
    return own + functional.cross_entropy(y, aim.softmax(dim=1))


def _right(y: torch.Tensor, aim: torch.Tensor, labels: torch.Tensor | None) -> int:
    """Number of inputs whose largest output is the right one."""
    flat = y.flatten(1)
    wanted = aim.flatten(1).argmax(dim=1) if labels is None else labels
    return int((flat.argmax(dim=1) == wanted).sum())


def _check_loss(loss: torch.Tensor, epoch: int, step: int) -> None:
    if not math.isfinite(float(loss.detach())):
        raise ModelError(
            f"training came to a loss that is not finite in epoch {epoch + 1}, step {step + 1}; a "
            "lower rate helps where it was too high"
        )
