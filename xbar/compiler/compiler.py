"""The compiler: from a network or matrices, and a chip, to a program.

once per network    read and check the matrices ─► place them on tiles
once per tile       ``pipeline.py``: measure the banks ─► set_scales ─► choose_subsets ─► ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import one_integer
from xbar.compiler.checks import (
    check_chip_size,
    check_hardware,
    check_options,
    check_own_chip,
    check_same_shape,
)
from xbar.compiler.crew import Crew, run_jobs
from xbar.compiler.job import Jobs, Kept, TileResult
from xbar.compiler.journal import Journal
from xbar.compiler.levers.fit import Fit, fit_levers
from xbar.compiler.lines import laid
from xbar.compiler.mapping import get_mapping
from xbar.compiler.options import Options, Quantities, with_life
from xbar.compiler.placement import place
from xbar.compiler.plan import Plan
from xbar.compiler.program import Program
from xbar.compiler.source import Network, is_module, read_source
from xbar.compiler.tile import ProgrammedTile
from xbar.device import find as find_card
from xbar.errors import SpecError, shown, warn
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.model.share import warn_of_digital
from xbar.parallel import Progress
from xbar.subset.variants.several import Over
from xbar.tables import count

_AWARE = ("aware", "fit")


@runtime_checkable
class Ticket(Protocol):
    """A pruned network with its own switches (``xbar.pruning``)."""

    @property
    def chip(self) -> Chip | None:
        """The chip that ``switches`` apply to; None without masks."""
        ...

    def graph(self) -> Graph:
        """The network, pruned weights replaced by zero or by the leakage of an open cell."""
        ...

    def switches(self) -> Mapping[str, NDArray[np.bool_]] | None:
        """By layer, mask (G, outputs, inputs) of weights with all resistors switched in.

        None if subsets are to be chosen for the weights.
        """
        ...

    def units(self) -> Mapping[str, float] | Mapping[str, NDArray[np.float64]]:
        """By layer, siemens per unit weight, if ``switches`` gives masks.

        One number, or (G, outputs) for a separate scale of each output.
        """
        ...


def compile(  # noqa: A001 - the public name: xbar.compile(network, chip)
    source: Network | Ticket,
    chip: Chip | Hardware,
    *,
    input_shape: Sequence[int] | None = None,
    seed: int | None = None,
    wire_aware: bool = False,
    wires: Literal["plain", "aware", "fit"] | None = None,
    max_tiles: int | None = None,
    corners: Quantities | None = None,
    life: Quantities | None = None,
    over: Over | None = None,
    outlook: Literal["law", "devices"] | None = None,
    compensate: Literal["none", "gain"] | None = None,
    options: Options | None = None,
    output: str | Path | None = None,
    force: bool = False,
    embed: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Program:
    """Program a network onto a chip.

    Args:
        source: network (``xbar.read_model``, or a torch module with its ``input_shape``),
            ticket (``xbar.pruning``), matrices (outputs, inputs) by layer name, or one matrix
            (outputs, inputs), which becomes the layer "matrix".
        chip: chip, or a design from which a chip is sampled with ``seed``.
        input_shape: one input's shape without the batch axis, such as (1, 28, 28); for a torch
            module only.
        seed: seed of the chip, for a design only; 0 by default.
        wire_aware: as in ``options``.
        wires: "aware" for ``wire_aware``; "fit" to choose the layout for the wires too: extents of
            blocks, packing and order of lines, by the error to be expected for the design
            (``options.fitted`` of the program tells what each gives). "plain" for neither.
        max_tiles: with "fit", number of tiles that may be taken; by default twice those that the
            network takes anyway.
        corners: temperatures, such as "25 C" or ["25 C", "85 C"], for which one mask is chosen
            once; this and the next four are the fields of ``options.whole_life``.
        life: times since programming likewise, such as ["1 h", "1 y"], each at all corners.
        over: whether the "worst" of these points' expected errors is to be least, or their "mean".
        outlook: what is known of devices then: their "law", or the "devices" themselves.
        compensate: "gain" if outputs will be divided by one factor a layer at each point.
        options: options of the compilation.
        output: path of the program, written during the compilation in the format of
            ``Program.save``. An interrupted run resumes if started again with the same arguments,
            and ends with the same bytes.
        force: replace ``output`` if it exists, and discard an unfinished run of another job.
        embed: write the weights into ``output`` also where the model's own files have them as they
            are; without it such a program needs these files.
        workers: number of threads; one per CPU by default.
        scheduler: address of a Dask cluster to use instead of threads, such as
            "tcp://127.0.0.1:8786".
        device: "cpu", "cuda" for a card, or "auto" for one if it works. On a card the chip is
            drawn and subsets are chosen, thousands of tiles at once; the program has the same
            bytes. Noisy and wire-aware programming and banks of more than 20 elements stay on the
            CPU, with a warning for "cuda".
        progress: called with the tiles done and their total.

    Returns:
        The program: the switch states of every tile, and what they realise.

    Warns:
        XbarWarning: more than 10 % of the network's weights stay digital; which ones and why.

    Raises:
        SpecError: a matrix is not finite or has no (outputs, inputs), the chip is too small,
            options are incompatible, a module comes without its ``input_shape``, a seed is given
            with a chip, or a ticket of one chip is compiled for another.
        FileError: ``output`` exists or can't be written, or another run is writing it.
        ModelError: PyTorch can't export the module.
        ToolError: Dask is needed for a scheduler, or PyTorch for a module, and not installed; or
            device "cuda" finds no card.

    >>> from xbar.hardware.tile import Tile
    >>> hardware = Hardware(tile=Tile(word_lines=4, bit_lines=4))
    >>> program = compile({"fc": [[0.5, -1.0], [0.25, 0.0]]}, hardware, seed=1)
    >>> program.matrices()["fc"].round(3)
    array([[ 0.5 , -1.  ],
           [ 0.25,  0.  ]])
    """
    if isinstance(chip, Hardware):
        chip = Chip.sample(chip, 0 if seed is None else seed)
    elif seed is not None:
        raise SpecError("seed must be left out where a chip is given: the chip has its own")
    if options is not None and not isinstance(options, Options):
        raise SpecError(f"options must be an xbar.Options, not {shown(options)}")
    options = options or Options()
    options = _for_wires(options, wires, max_tiles, aware=wire_aware)
    given = {"over": over, "outlook": outlook, "compensate": compensate}
    options = with_life(options, corners, life, given)
    crew = Crew(workers, scheduler, device)
    find_card(device)  # a missing one is told before any work
    fit = Fit(max_tiles, workers) if wires == "fit" else None
    jobs = _planned(source, chip, options, input_shape, fit)
    if output is None:
        return _assembled(jobs, run_jobs(jobs, range(len(jobs)), crew), progress)
    with Journal.open(Path(output), jobs, force=force, embed=embed) as journal:
        done = journal.resume()
        todo = [index for index in range(len(jobs)) if index not in done]
        made = map(journal.add, run_jobs(jobs, todo, crew))
        for number, _ in enumerate(chain(done, made), 1):
            if progress is not None:
                progress(number, len(jobs))
        return journal.finish(force=force)


def reprogram(
    program: Program,
    chip: Chip,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Program:
    """Program the same network onto another chip of the same design, with new subsets.

    Where the program was chosen at another moment (``options.aged``, ``options.chosen``) they are
    chosen for the chip of that moment, and the program is on the chip.

    Args:
        program: program with the network, and with the blocks of each tile.
        chip: other chip.
        options: options of the compilation; those of ``program`` by default.
        progress: called with the tiles done and their total.
    """
    options = options or program.options
    if options.aged or options.chosen is not None:
        own = options.model_copy(update={"aged": False, "chosen": None})
        return reprogram(program, chip.then(options.chosen), own, progress).on(chip)
    plan = replace(program.plan, chip=chip, options=options, corrections=None)
    blocks = tuple(tuple(placed.block for placed in tile.blocks) for tile in program.tiles)
    jobs = Jobs(plan, blocks, None)
    return _assembled(jobs, run_jobs(jobs, range(len(jobs)), Crew()), progress)


def choose_again(
    program: Program, chip: Chip, *, lines: bool = False, progress: Progress | None = None
) -> Program:
    """See ``Program.reprogram``.

    Raises:
        SpecError: as there.
    """
    check_same_shape(program.hardware, chip, len(program.tiles))
    options = program.options
    if program.decided or options.programming != "subset":
        what = "a ticket" if program.decided else f"programming {options.programming!r}"
        raise SpecError(
            f"the program must have switches that were chosen for measured resistors, not those "
            f"of {what}; compile the network for the chip instead"
        )
    _check_alive(chip, len(program.tiles))
    if program.corrections is not None:
        warn(
            "the program's digital corrections, found with its old switches, are dropped; "
            "calibrate it again"
        )
    own = options.model_copy(update={"aged": False, "chosen": None, "whole_life": None})
    kept = own if lines else own.model_copy(update={"swap_lines": "never"})
    found = reprogram(program, chip, kept, progress)
    return replace(found, plan=replace(found.plan, options=own))


def _check_alive(chip: Chip, tiles: int) -> None:
    """Check that a device of a chip still obeys its switch: else there is nothing to choose.

    Raises:
        SpecError: none does.
    """
    for tile in range(tiles):
        found = chip.resistors(tile)
        if ((found.stuck == 0) & (found.on > 0)).any():
            return
    raise SpecError(
        "the chip must have a device that its switch turns on and off; all on its "
        f"{count(tiles, 'tile')} are stuck or dead"
    )


def _for_wires(
    options: Options, wires: str | None, max_tiles: int | None, *, aware: bool
) -> Options:
    """The options with what ``wires`` says of them."""
    if wires not in (None, "plain", "aware", "fit"):
        raise SpecError(f"wires must be 'plain', 'aware' or 'fit', not {shown(wires)}")
    if wires == "plain" and (aware or options.wire_aware):
        raise SpecError("wires must be 'aware' or 'fit' with wire_aware, not 'plain'")
    if max_tiles is not None:
        one_integer(max_tiles, "max_tiles", 1)
        if wires != "fit":
            raise SpecError("max_tiles must be left out without wires 'fit', which it limits")
    return options.model_copy(update={"wire_aware": True}) if aware or wires in _AWARE else options


def _planned(
    source: Network | Ticket,
    chip: Chip,
    options: Options,
    input_shape: Sequence[int] | None,
    fit: Fit | None = None,
) -> Jobs:
    """The jobs of a compilation, checked and placed."""
    if options.aged or options.chosen is not None:
        raise SpecError(
            "options.aged and options.chosen must be left out of a compilation; compile the "
            "network for chip.programmed, and take program.on(chip)"
        )
    kept, own = None, chip
    if isinstance(source, Ticket) and not isinstance(source, Graph) and not is_module(source):
        switches = source.switches()
        if switches is not None and fit is not None:
            raise SpecError("wires must be left out for a ticket of a chip: its cells are fixed")
        if switches is not None and options != Options():
            raise SpecError(
                "options must be left out for a ticket of a chip: its switches are fixed already"
            )
        if switches is not None:  # each weight keeps the cell it was trained on
            kept, own = Kept(switches, source.units()), source.chip or chip
            options = options.model_copy(update={"compact": False, "pack": "none"})
        source = source.graph()
    matrices, graph = read_source(source, input_shape)
    if graph is not None:
        warn_of_digital(graph)
    mapping = get_mapping(options.mapping)
    check_hardware(chip.hardware, mapping)
    check_options(chip.hardware, options, ticket=kept is not None)
    if fit is not None:
        options = fit_levers(matrices, chip, options, fit)
    placement = place(matrices, chip.hardware, mapping, options)
    if graph is not None and graph.lines and kept is None:
        placement = replace(placement, tiles=laid(placement.tiles, graph.lines))
    check_chip_size(chip, len(placement.tiles))
    check_own_chip(own, chip, len(placement.tiles))
    plan = Plan(chip, graph, matrices, options, placement.report, decided=kept is not None)
    return Jobs(plan, placement.tiles, kept)


def _assembled(jobs: Jobs, results: Iterable[TileResult], progress: Progress | None) -> Program:
    """Assemble the program from results in any order."""
    tiles: dict[int, ProgrammedTile] = {}
    for result in results:
        tiles[result.index] = result.tile(jobs.plan)
        if progress is not None:
            progress(len(tiles), len(jobs))
    return Program(jobs.plan, tuple(tiles[index] for index in sorted(tiles)))
