"""Common parts of the verbs: options, printed results and progress bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from xbar.compiler.program import Program
    from xbar.hardware.chip import Chip
    from xbar.hardware.spec import Hardware
    from xbar.model.graph import Graph
    from xbar.simulation.dataset import Dataset

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="print JSON")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="replace existing output")]
ProgramPath: TypeAlias = Annotated[Path, typer.Argument(help="program")]
OptionalData: TypeAlias = Annotated[
    Path | None, typer.Option(help="inputs and, for accuracy, labels: .npz, .npy or .csv")
]
Measured: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="measured chip (.npz, .csv, .tsv, .txt) instead of a sampled one"),
]
MeasuredUnit: TypeAlias = Annotated[
    str | None,
    typer.Option(help="unit of a measured chip's numbers that have none, such as uS or kohm"),
]
BehindWires: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="take the tile's wires out of a measured chip: branch (one closed at a time) or line "
        "(one in each cell of a driven word line)"
    ),
]
DetailName: TypeAlias = Annotated[
    str, typer.Option(help="one element per cell, per resistor, or per bank")
]
DeckReadoutName: TypeAlias = Annotated[
    str,
    typer.Option(
        "--readout", help="nodal (ohmic resistors) or nonlinear (the design's law, selectors)"
    ),
]
Trials: TypeAlias = Annotated[
    int, typer.Option(help="number of chips; the first is the program's own")
]
WithBudget: TypeAlias = Annotated[bool, typer.Option("--budget", help="print the error budget")]
WithCost: TypeAlias = Annotated[
    bool, typer.Option("--cost", help="print devices, area, energy and latency per input")
]
NoiseSeed: TypeAlias = Annotated[
    int, typer.Option(help="random seed of further chips and of read noise")
]


def read_chip(
    design: Hardware,
    measured: Path | None,
    unit: str | None,
    seed: int | None,
    behind_wires: str | None = None,
) -> Chip:
    """The measured chip of a design, or one sampled from it."""
    from xbar.errors import SpecError
    from xbar.hardware.behind_wires import check_closed
    from xbar.hardware.chip import Chip

    if measured is not None:
        refuse_unused("a sampled chip, which --measured replaces", {"--seed": seed is not None})
        closed = None if behind_wires is None else check_closed(behind_wires, "--behind-wires")
        return Chip.from_measurement(measured, design, unit, closed)
    if unit is not None:
        raise SpecError("--measured-unit needs --measured, whose numbers it is for")
    if behind_wires is not None:
        raise SpecError("--behind-wires needs --measured, whose wires it is for")
    return Chip.sample(design, 0 if seed is None else seed)


def read_list(text: str | None) -> list[str] | None:
    """Times or temperatures, separated by commas."""
    return None if text is None else [each.strip() for each in text.split(",")]


def measurement_notes(chip: Chip) -> list[str]:
    """What was assumed when a measured chip was read."""
    notes = () if chip.measurement is None else chip.measurement.notes
    return [f"measured chip: {note}" for note in notes]


def read_data(path: Path, program: Program, dtype: str | None = None) -> Dataset:
    """The data set for a program's network, or for its matrices."""
    from xbar.simulation.dataset import read_dataset

    if program.graph is None:
        return read_dataset(path, dtype=dtype)
    return graph_data(path, program.graph, dtype)


def graph_data(path: Path, graph: Graph, dtype: str | None = None) -> Dataset:
    """The data set for a network, whose input tells a table's labels from its inputs."""
    from xbar.simulation.dataset import read_dataset
    from xbar.simulation.tokens import vocabulary

    shape, tokens = graph.inputs[0].shape[1:], vocabulary(graph)
    return read_dataset(path, shape, tokens=tokens, dtype=dtype)


def refuse_unused(needed: str, given: Mapping[str, bool]) -> None:
    """Refuse options that are given but have no effect.

    Args:
        needed: what they need, such as "--calibrate".
        given: by option, whether it is given.
    """
    from xbar.errors import SpecError

    unused = [option for option, is_given in given.items() if is_given]
    if unused:
        verb = "has" if len(unused) == 1 else "have"
        raise SpecError(f"{' and '.join(unused)} {verb} no effect without {needed}")


def show(as_json: bool, content: dict[str, Any], text: str) -> None:
    """Print a result to stdout, as one JSON object or as text."""
    if as_json:
        # ASCII, because JSON has no letters for bytes of a name that are no UTF-8
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    encoding = sys.stdout.encoding or "utf-8"
    print(text.rstrip("\n").encode(encoding, "replace").decode(encoding))


class Bar:
    """A bar of progress: called with what is done and the total.

    Args:
        update: changes what the bar shows, by name.
    """

    def __init__(self, update: Callable[..., None]) -> None:
        self._update = update

    def __call__(self, done: int, total: int) -> None:
        """Show that so much is done."""
        self._update(completed=done, total=total)

    def label(self, text: str) -> None:
        """Show another text beside it."""
        self._update(description=text)


@contextmanager
def progress(label: str) -> Iterator[Bar]:
    """A progress bar on stderr, shown only on a terminal; yields ``report(done, total)``."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(label, total=None)
        yield Bar(lambda **shown: bar.update(task, **shown))


def read_range(text: str, option: str) -> tuple[float, float]:
    """Two numbers such as 1.0:1.4, or one that is both ends.

    Raises:
        SpecError: it is neither, or the first is larger.
    """
    from xbar.errors import SpecError
    from xbar.units import parse_quantity

    parts = text.split(":")
    if len(parts) > 2:
        raise SpecError(f"{option} must be a number or a range such as 1.0:1.4, not {text!r}")
    low, high = (parse_quantity(part) for part in (parts[0], parts[-1]))
    if not low <= high:
        raise SpecError(f"{option} must be a range from low to high such as 1.0:1.4, not {text!r}")
    return low, high
