"""Training of a network for a design, through its exact wires, or for one chip.

What is trained are conductances, one cell of each pair open, columns' gains and biases; what the
network multiplies by is what arrives of them, through the design's converters and with its read
noise. New devices are drawn in every step, so the result suits any chip of the design:
``xbar.compile(trained.graph, chip, wire_aware=True)``.

For one chip, what is trained is what that chip makes of the network: see ``this_chip.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.compiler.checks import check_hardware
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.options import Options
from xbar.compiler.program import Program
from xbar.errors import ModelError, SpecError, shown, warn
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.model.pytorch import require_torch
from xbar.parallel import Progress
from xbar.simulation.fit import threshold_of
from xbar.training.recipe import TUNING, Epoch, Tuning
from xbar.training.schedule import Schedule

if TYPE_CHECKING:
    import torch

    from xbar.training.checkpoint import Keep
    from xbar.training.descent import Descent

Data: TypeAlias = "tuple[ArrayLike, ArrayLike | None] | NDArray[Any]"
"""Inputs (N, ...) and class numbers (N,), or inputs alone."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A network trained for a design, or for a chip.

    Attributes:
        graph: the network with its effective weights, for ``xbar.compile``.
        history: of each epoch its loss, the share of right answers (of the digital network's
            answers where there are no labels) and of weights that are not 0; of inputs held apart
            their loss and right answers after it.
        notes: what training left out, one sentence each.
        kept: number from 1 of the epoch whose network this is; 0 of a chip that training made no
            better than it was.
        digital: share of right answers of the digital network, of the inputs held apart or else of
            all; None without labels.
        steps: steps done.
        went_on: of these, how many an earlier run of the same checkpoint had done.
        program: of a network trained for a chip the program of that chip, with its corrections; the
            ``graph`` is the network that it was programmed with.
    """

    graph: Graph
    history: tuple[Epoch, ...]
    notes: tuple[str, ...] = ()
    kept: int = 0
    digital: float | None = None
    steps: int = 0
    went_on: int = 0
    program: Program | None = None

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the network as a torch.export archive, which ``xbar.read_model`` reads.

        Raises:
            FileError: it exists and ``force`` is not set, or can't be written.
            ModelError: PyTorch can't export the network; one with inputs of any size, for example.
        """
        from xbar.files import refuse_existing, write_bytes
        from xbar.model.export import export_module
        from xbar.model.lines import NAME, as_text
        from xbar.training.live_graph import LiveGraph

        path = Path(path)
        refuse_existing(path, force=force)
        shape, taken = check_written(self.graph), self.graph.inputs[0]
        extra = {NAME: as_text(self.graph.lines)} if self.graph.lines else {}
        content = export_module(LiveGraph(self.graph), shape, input_dtype=taken.dtype, extra=extra)
        write_bytes(path, content, force=force)


def check_written(graph: Graph) -> tuple[int, ...]:
    """The shape of one input of a network that ``Trained.save`` can write.

    Raises:
        ModelError: its inputs may have any size.
    """
    shape = [size for size in graph.inputs[0].shape[1:] if size is not None]
    if len(shape) < len(graph.inputs[0].shape) - 1:
        raise ModelError(
            "a network whose inputs may have any size can't be written; give it one by "
            "input_shape (--input-shape), or keep trained.graph"
        )
    return tuple(shape)


def finetune(
    model: Graph | torch.nn.Module | Program,
    data: Data,
    hardware: Hardware | Chip,
    readout: Literal["ideal", "nodal"] = "nodal",
    *,
    epochs: int = 3,
    seed: int = 0,
    input_shape: Sequence[int] | None = None,
    tuning: Tuning = TUNING,
    validation: float = 0.0,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    force: bool = False,
    finish: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
    after_epoch: Callable[[Epoch], None] | None = None,
    options: Options | None = None,
) -> Trained:
    """Train a network for a design, so that its chips do with their wires what it was made for.

    Or for one chip, sampled or measured: it is programmed, the network is trained around what the
    chip made of it, and programmed again, epoch after epoch; the last one trains a factor and an
    offset of each output alone. ``Trained.program`` is the result, ready to run. A network trained
    for the chip's design is the best to begin with.

    Args:
        model: graph (``xbar.read_model``), or a torch module with its ``input_shape``; for a chip
            also a program of it, with which training begins.
        data: a pair (inputs (N, ...), class numbers (N,)). Inputs alone, or None for the labels:
            the network's own outputs are what is learned (distillation).
        hardware: the design, or the chip.
        readout: "nodal" through the exact wires; "ideal" without wires.
        epochs: passes over the data, at most.
        seed: random seed of the order of the data, of devices and of the inputs held apart; the
            same seed gives the same network.
        input_shape: shape of one input without the batch axis, for a module only.
        tuning: settings.
        validation: share of the inputs that are held apart: never trained on, they choose the epoch
            whose network is kept, that of their least loss. 0: the last one is kept.
        patience: epochs without a better one after which training stops; None: never.
        checkpoint: folder of the run, made where there is none. The same call goes on from what it
            holds, and ends with the same bytes as if nothing had stopped it; see
            ``xbar.training.checkpoint``. It stays: remove it when it is of no more use.
        force: discard the run in that folder where it is another one.
        finish: train no further: take what the run in that folder has reached, its best epoch or
            else its last state.
        device: "cpu"; "cuda" for a card, which solves the arrays (within 1e-12, so its bytes are
            others than the CPU's); "auto" for one if it works. Products stay on the CPU.
        progress: called with the steps done and their total.
        after_epoch: called with each epoch.
        options: of programming a chip; wire-aware by default where it has wires.

    Raises:
        SpecError: data, a setting, the design or the chip does not fit.
        FileError: the folder holds another run (the message names what differs) or other files, is
            used by one, or can't be written.
        ModelError: the network can't be trained, or training comes to numbers that are not finite.
        ToolError: PyTorch is not installed, or "cuda" finds no card.
        KeyboardInterrupt: Ctrl-C; with a checkpoint after the step that was being done.

    Warns:
        XbarWarning: the design has effects that training leaves out; which ones.
    """
    require_torch("training")
    from xbar.training.loop import reproducible

    if readout not in ("ideal", "nodal"):
        raise SpecError(f'readout must be "ideal" or "nodal" to train with, not {shown(readout)}')
    schedule = Schedule(epochs, seed, validation, patience)
    if not isinstance(tuning, Tuning):
        raise SpecError(f"tuning must be an xbar.training.Tuning, not {shown(tuning)}")
    if not isinstance(checkpoint, str | Path | None):
        raise SpecError(f"checkpoint must be the path of a folder, not {shown(checkpoint)}")
    if checkpoint is None and (force or finish):
        raise SpecError("force and finish are for a checkpoint, whose folder must be given")
    device = _device(device)
    network = _network(model, input_shape)
    graph = _graph(network)
    given = _data(graph, data)
    told = progress or _nothing, after_epoch or _nothing
    more = {"readout": readout, "device": device, "tuning": asdict(tuning), **asdict(schedule)}

    def kept(source: Graph | Program, **options: Any) -> Keep | None:
        if checkpoint is None:
            return None
        from xbar.training.checkpoint import Keep
        from xbar.training.facts import facts_of

        facts = facts_of(source, given, hardware, **options, **more)
        return Keep(Path(checkpoint), facts, force, finish)

    if isinstance(hardware, Chip):
        if device != "cpu":
            raise SpecError(
                "a chip is trained for on the CPU; leave device out, or give the chip's design"
            )
        with reproducible(schedule.seed):
            from xbar.training.this_chip import begun

            start = begun(network, hardware, (readout, options), tuning)
            chosen = None if options is None else options.model_dump(mode="json")
            return start.run(given, schedule, told, kept(network, options=chosen))
    if options is not None or isinstance(network, Program):
        raise SpecError(
            "a program and options of programming are for training on a chip; give the chip, such "
            "as program.chip, in place of its design"
        )
    notes = _check_design(hardware, tuning)
    for note in notes:
        warn(note)
    with reproducible(schedule.seed):
        from xbar.training.behind_wires import BehindWires
        from xbar.training.descent import Descent, generator
        from xbar.training.examples import Examples

        wired = readout == "nodal" and hardware.wired
        net = BehindWires(graph, hardware, tuning, wired=wired, device=device)
        every = Examples.of(net.digital(), *given, threshold_of(graph))
        parts = every.apart(schedule.validation, generator(schedule.seed, 0, 1))
        found = _trained(Descent(net, *parts, schedule, tuning), told, kept(graph))
        return replace(found, notes=notes)


def _trained(
    descent: Descent, told: tuple[Progress, Callable[[Epoch], None]], keep: Keep | None
) -> Trained:
    """Train for a design, and what comes of it."""
    went_on = 0
    if keep is None:
        descent.run(after_step=told[0], after_epoch=told[1])
    else:
        from xbar.training.checkpoint import run_kept

        went_on = run_kept(descent, keep, *told)
    labelled = descent.examples.labels is not None
    judged, epochs = descent.held or descent.examples, len(descent.history)
    return Trained(
        descent.net.graph(),
        tuple(descent.history),
        kept=descent.best + 1 if descent.best >= 0 else epochs,
        digital=judged.right(judged.aims) / len(judged) if labelled else None,
        steps=descent.done,
        went_on=went_on,
    )


def _nothing(*told: object) -> None:
    """What is called where nobody wants to be told."""


def _device(name: str) -> str:
    """A card that works, where the name asks for one, or else the CPU; by name."""
    from xbar.device.choice import find

    return "cpu" if find(name) is None else "cuda"


def _network(
    model: Graph | torch.nn.Module | Program, input_shape: Sequence[int] | None
) -> Graph | Program:
    if not isinstance(model, Graph | Program):
        from xbar.model.read import from_module

        if input_shape is None:
            raise SpecError(
                "input_shape must be given for a torch module: one input's shape without the batch "
                "axis, such as input_shape=(1, 28, 28)"
            )
        return from_module(model, input_shape)
    if input_shape is not None:
        raise SpecError("input_shape must be left out for a Graph, which has its own")
    return model


def _graph(network: Graph | Program) -> Graph:
    model = network.graph if isinstance(network, Program) else network
    if model is None:
        raise ModelError("a program of bare matrices has no network to train")
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


def _check_design(hardware: object, tuning: Tuning) -> tuple[str, ...]:
    """What training leaves out of a design.

    Raises:
        SpecError: it is no design, or one whose arrays can't be trained for.
    """
    if not isinstance(hardware, Hardware):
        what = type(hardware).__name__
        raise SpecError(
            f"hardware must be a design (xbar.Hardware) or a chip (xbar.Chip), not {what}"
        )
    check_hardware(hardware, DifferentialPair())
    tile = hardware.tile
    if (tile.topology, tile.idle) != ("input-source", "ground"):
        raise SpecError(
            "training needs tile.topology 'input-source' and tile.idle 'ground', not "
            f"{tile.topology!r} and {tile.idle!r}"
        )
    law, heat = hardware.device, hardware.temperature
    ages = law is not None and (law.first is not None or law.noise is not None)
    left = {
        "device": "Tuning(times=...)" if ages and not tuning.times else None,
        "temperature": "Tuning(temperatures=...)" if heat and not tuning.temperatures else None,
        "selector": "" if hardware.selector is not None else None,
        "nonlinearity": "" if hardware.bank.nonlinearity is not None else None,
    }
    names = [name for name, given in left.items() if given is not None]
    advice = [given for given in left.values() if given]
    if not names:
        return ()
    more = f"; for moments of its life give {' and '.join(advice)}" if advice else ""
    return (f"training leaves out {', '.join(names)} of the design{more}",)
