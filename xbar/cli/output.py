"""What the verbs share: options, how a result is printed and progress is shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="print JSON")]
Force: TypeAlias = Annotated[
    bool, typer.Option("--force", help="replace what is to be written if it exists")
]
ProgramPath: TypeAlias = Annotated[Path, typer.Argument(help="the program")]
OptionalData: TypeAlias = Annotated[
    Path | None, typer.Option(help=".npz with inputs and, for accuracy, labels")
]
Measured: TypeAlias = Annotated[
    Path | None, typer.Option(help="a measured chip (.npz or .csv) in place of a sampled one")
]
DetailName: TypeAlias = Annotated[
    str, typer.Option(help="one element a cell, a resistor, or a bank")
]
Trials: TypeAlias = Annotated[int, typer.Option(help="chips; the first is the program's own")]
WithBudget: TypeAlias = Annotated[
    bool, typer.Option("--budget", help="tell what each part of the error costs")
]
WithCost: TypeAlias = Annotated[
    bool, typer.Option("--cost", help="tell devices, area, energy and time of one input")
]
NoiseSeed: TypeAlias = Annotated[int, typer.Option(help="of further chips and of read noise")]


def show(as_json: bool, content: dict[str, Any], text: str) -> None:
    """Print a result to stdout, as one JSON object or as text."""
    print(json.dumps(content, indent=1, allow_nan=False) if as_json else text.rstrip("\n"))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, shown only where that is a terminal: call it with done and total."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
