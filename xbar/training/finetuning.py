"""Training of a network for a design, through its exact wires.

What is trained are conductances, one cell of each pair open, columns' gains and biases; what the
network multiplies by is what arrives of them, through the design's converters and with its read
noise. New devices are drawn in every step, so the result suits any chip of the design:
``xbar.compile(trained.graph, chip, wire_aware=True)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.compiler.checks import check_hardware
from xbar.compiler.mapping import DifferentialPair
from xbar.errors import ModelError, SpecError, shown, warn
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.model.pytorch import require_torch
from xbar.parallel import Progress
from xbar.training.recipe import TUNING, Epoch, Tuning
from xbar.training.schedule import Schedule

if TYPE_CHECKING:
    import torch

Data: TypeAlias = "tuple[ArrayLike, ArrayLike | None] | NDArray[Any]"
"""Inputs (N, ...) and class numbers (N,), or inputs alone."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A network trained for a design.

    Attributes:
        graph: the network with its effective weights, for ``xbar.compile``.
        history: of each epoch its loss, the share of right answers (of the digital network's
            answers where there are no labels) and of weights that are not 0; of inputs held apart
            their loss and right answers after it.
        notes: what training left out, one sentence each.
        kept: number from 1 of the epoch whose network this is.
        digital: share of right answers of the digital network, of the inputs held apart or else of
            all; None without labels.
    """

    graph: Graph
    history: tuple[Epoch, ...]
    notes: tuple[str, ...] = ()
    kept: int = 0
    digital: float | None = None

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
    validation: float = 0.0,
    patience: int | None = None,
    progress: Progress | None = None,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train a network for a design, so that its chips do with their wires what it was made for.

    Args:
        model: graph (``xbar.read_model``), or a torch module with its ``input_shape``.
        data: a pair (inputs (N, ...), class numbers (N,)). Inputs alone, or None for the labels:
            the network's own outputs are what is learned (distillation).
        hardware: the design.
        readout: "nodal" through the exact wires; "ideal" without wires.
        epochs: passes over the data, at most.
        seed: random seed of the order of the data, of devices and of the inputs held apart; the
            same seed gives the same network.
        input_shape: shape of one input without the batch axis, for a module only.
        tuning: settings.
        validation: share of the inputs that are held apart: never trained on, they choose the epoch
            whose network is kept, that of their least loss. 0: the last one is kept.
        patience: epochs without a better one after which training stops; None: never.
        progress: called with the steps done and their total.
        after_epoch: called with each epoch.

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
    schedule = Schedule(epochs, seed, validation, patience)
    graph = _graph(model, input_shape)
    inputs, labels = _data(graph, data)
    notes = _check_design(hardware)
    for note in notes:
        warn(note)
    with reproducible(schedule.seed):
        from xbar.training.behind_wires import BehindWires
        from xbar.training.descent import Descent, generator
        from xbar.training.examples import Examples

        net = BehindWires(graph, hardware, tuning, wired=readout == "nodal" and hardware.wired)
        every = Examples.of(net.digital(), inputs, labels)
        examples, held = every.apart(schedule.validation, generator(schedule.seed, 0, 1))
        descent = Descent(net, examples, held, schedule, tuning)
        descent.run(after_step=progress or _nothing, after_epoch=after_epoch or _nothing)
        judged = held or examples
        digital = None if labels is None else judged.right(judged.aims) / len(judged)
        kept = len(descent.history) if held is None else descent.best + 1
        return Trained(net.graph(), tuple(descent.history), notes, kept, digital)


def _nothing(*told: object) -> None:
    """What is called where nobody wants to be told."""


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

    from xbar.simulation.accuracy import class_numbers

    given, labels = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    inputs = graph.check_inputs(given)
    if labels is not None:
        labels = torch.from_numpy(class_numbers(labels, len(inputs))[0])
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
    parts = ("selector", "device", "temperature")
    left = [name for name in parts if getattr(hardware, name) is not None]
    left += ["nonlinearity"] if hardware.bank.nonlinearity is not None else []
    return (f"training leaves out {', '.join(left)} of the design",) if left else ()
