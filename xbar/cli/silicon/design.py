"""``xbar silicon design``: the smallest bank that holds some bits, as a hardware design."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xbar.cli.output import Force, Json, progress, read_range, show
from xbar.cli.silicon.processes import Pdk

if TYPE_CHECKING:
    from xbar.silicon.designer import Stage


def run(
    process: Annotated[str, typer.Argument(help="process, such as sky130")],
    bits: Annotated[float, typer.Option(help="required bits of a weight")],
    word_lines: Annotated[int, typer.Option(help="word lines of an array")] = 64,
    bit_lines: Annotated[
        int | None, typer.Option(help="bit lines of an array; default: as many")
    ] = None,
    resistors: Annotated[
        int | None, typer.Option(help="resistors a cell; default: 2 to 12 are tried")
    ] = None,
    ratio: Annotated[
        str, typer.Option(help="range of the ratio of successive lengths, or one ratio")
    ] = "1.0:1.4",
    switch_width: Annotated[str, typer.Option(help="width of the switches")] = "1u",
    pdk: Pdk = None,
    seed: Annotated[int, typer.Option(help="random seed of the chips and weights")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="hardware design to write (TOML)")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Find the smallest bank whose weights have some bits.

    Number, lengths and ratio of its resistors are searched; bits are measured on sampled chips.
    """
    from xbar.files import refuse_existing
    from xbar.silicon.designer import design
    from xbar.silicon.process import Process
    from xbar.silicon.search import Limits
    from xbar.units import parse_quantity

    if output is not None:
        refuse_existing(output, force=force)
    limits = Limits(
        word_lines=word_lines,
        bit_lines=word_lines if bit_lines is None else bit_lines,
        resistors=resistors,
        ratio=read_range(ratio, "--ratio"),
        switch_width=parse_quantity(switch_width, "m"),
        seed=seed,
    )
    with _stages() as report:
        made = design(Process.named(process).located(pdk), bits, limits, report)
    if output is not None:
        made.save(output, force=force)
    content = {**made.to_json(), "output": None if output is None else str(output)}
    show(as_json, content, f"{made}" + (f"\nwritten to {output}" if output else ""))


@contextmanager
def _stages() -> Iterator[Stage]:
    """A progress bar for each stage in turn."""
    with ExitStack() as stack:
        current: list[str] = []
        bars = []

        def report(stage: str, done: int, total: int) -> None:
            if current[-1:] != [stage]:
                stack.close()
                current.append(stage)
                bars.append(stack.enter_context(progress(stage)))
            bars[-1](done, total)

        yield report
