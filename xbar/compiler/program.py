"""Program: the switch states of every tile, for a network on a chip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Floats
from xbar.compiler.corrections import Corrections
from xbar.compiler.mapping import SignedMapping
from xbar.compiler.options import Options
from xbar.compiler.placed_blocks import PlacedBlocks
from xbar.compiler.placement import PlacementReport
from xbar.compiler.plan import Plan
from xbar.compiler.stored_tiles import StoredTiles
from xbar.compiler.tile import ProgrammedTile
from xbar.effects.namespace import Precision
from xbar.effects.readout import MatrixReadout, Readout, check_matrix_readout
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.parallel import Progress
from xbar.tables import Card, Facts

if TYPE_CHECKING:
    from xbar.compiler.provenance import Device, Unreachable
    from xbar.simulation.run import Reader


@dataclass(frozen=True, eq=False, repr=False)
class Program(Card):
    """A network on a chip: a plan and its programmed tiles.

    Attributes:
        plan: network, chip and options; its attributes are available on the program too.
        tiles: programmed tiles by index. Those of a large program on disk are made when they are
            asked for, and only some stay in memory: work on them in turn, and keep none.
    """

    plan: Plan
    tiles: Sequence[ProgrammedTile]

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.plan.chip

    @property
    def hardware(self) -> Hardware:
        """The design of the chip."""
        return self.plan.hardware

    @property
    def graph(self) -> Graph | None:
        """The network; None for bare matrices."""
        return self.plan.graph

    @property
    def weights(self) -> Mapping[str, Floats]:
        """By layer, target weights (G, outputs, inputs)."""
        return self.plan.weights

    @property
    def options(self) -> Options:
        """Options of the compilation."""
        return self.plan.options

    @property
    def mapping(self) -> SignedMapping:
        """The mapping of signed weights to cells."""
        return self.plan.mapping

    @property
    def placement(self) -> PlacementReport | None:
        """Tile utilisation; None if unknown."""
        return self.plan.placement

    @property
    def decided(self) -> bool:
        """Whether its switches are those of a ticket, which is valid for this chip only."""
        return self.plan.decided

    @property
    def corrections(self) -> Corrections | None:
        """Digital corrections of its layers' outputs (``xbar.training.calibrate``); or None."""
        return self.plan.corrections

    @property
    def uncorrected(self) -> Program:
        """The same without digital corrections; itself if it has none."""
        bare = replace(self.plan, corrections=None)
        return self if self.corrections is None else replace(self, plan=bare)

    def _facts(self) -> Facts:
        return self.plan.facts(len(self.tiles), self.resistors_per_weight)

    def matrices(self, readout: MatrixReadout = "ideal") -> dict[str, Floats]:
        """By layer, the realised matrix (outputs, inputs) in the weights' units.

        With G > 1 groups it is (G, outputs, inputs). "nodal" includes the wires: one exact solution
        per tile, cached. Digital ``corrections`` come after it and are left out.

        Raises:
            SpecError: unknown read-out, or "nonlinear", which has no matrix.
        """
        check_matrix_readout(readout)
        result = {name: np.zeros(shape) for name, shape in self.plan.shapes.items()}
        for tile in self.tiles:
            for placed, difference in zip(tile.blocks, tile.difference(readout), strict=True):
                placed.block.put(result[placed.block.layer], difference / placed.scale)
        return {name: m[0] if len(m) == 1 else m for name, m in result.items()}

    def tile(self, index: int) -> ProgrammedTile:
        """A tile by its number.

        Raises:
            SpecError: there is no such tile; a program of zeros alone has none.
        """
        if not self.tiles:
            raise SpecError("the program must have a tile, and has none: all its weights are zero")
        if not 0 <= index < len(self.tiles):
            raise SpecError(f"tile must be from 0 to {len(self.tiles) - 1}, not {index}")
        return self.tiles[index]

    def tiles_of(self, layer: str) -> Sequence[ProgrammedTile]:
        """The tiles with blocks of a layer."""
        indices = [*dict.fromkeys(index for index, _ in self._places.get(layer, ()))]
        if isinstance(self.tiles, StoredTiles):
            return self.tiles.some(indices)
        return tuple(self.tiles[index] for index in indices)

    def blocks_of(self, layer: str) -> PlacedBlocks:
        """A layer's blocks: (tile, index of the block on it, block), made one after another."""
        return PlacedBlocks(self.tiles, self._places.get(layer, []))

    @cached_property
    def _places(self) -> dict[str, list[tuple[int, int]]]:
        """By layer, position of the tile and index on it of each block."""
        if isinstance(self.tiles, StoredTiles):
            return self.tiles.places()
        found: dict[str, list[tuple[int, int]]] = {}
        for index, tile in enumerate(self.tiles):
            for number, placed in enumerate(tile.blocks):
                found.setdefault(placed.block.layer, []).append((index, number))
        return found

    # `input` is the word for a matrix's column, and the name in the public API
    def devices_of(self, layer: str, output: int, input: int, group: int = 0) -> list[Device]:  # noqa: A002
        """The cells of the weight of a layer's matrix at (output, input).

        Plus cell, then minus cell or reference cell; empty if the weight is zero and has no cell.
        ``ProgrammedTile.source_of`` is the inverse.

        Raises:
            SpecError: unknown layer, or an index out of range.
        """
        from xbar.compiler.provenance import devices_of

        return devices_of(self, layer, output, input, group)

    def unreachable(self) -> Iterator[Unreachable]:
        """The weights whose targets are outside their cells' range, tile by tile.

        Either resistors are stuck, or the scale of least total error leaves these out of range.
        """
        from xbar.compiler.provenance import unreachable

        return unreachable(self)

    @property
    def wire_aware(self) -> bool:
        """Whether programming was wire-aware."""
        return self.options.wire_aware

    @property
    def resistors_per_weight(self) -> int:
        """2K for differential pairs, counting both cells; K with a reference column.

        The cells of the reference column, one per word line, are not counted.
        """
        return self.mapping.bit_lines_per_column * self.hardware.bank.resistors

    @overload
    def run(
        self,
        inputs: Mapping[str, ArrayLike],
        readout: Readout = "ideal",
        seed: int = 0,
        device: str = "cpu",
        precision: Precision = "float64",
        memory: int | str | None = None,
    ) -> dict[str, Floats]: ...

    @overload
    def run(
        self,
        inputs: ArrayLike,
        readout: Readout = "ideal",
        seed: int = 0,
        device: str = "cpu",
        precision: Precision = "float64",
        memory: int | str | None = None,
    ) -> Floats: ...

    def run(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        readout: Readout = "ideal",
        seed: int = 0,
        device: str = "cpu",
        precision: Precision = "float64",
        memory: int | str | None = None,
    ) -> Floats | dict[str, Floats]:
        """The network's outputs (N, ...) through this chip for inputs (N, ...).

        Includes the hardware's converters and read noise, and the program's corrections. A program
        of bare matrices takes {layer: inputs (N, inputs)} and gives {layer: (N, outputs)}; with one
        matrix, plain arrays. To run many times, use a ``reader``.

        Args:
            inputs: inputs (N, ...).
            readout: "ideal" wires; "nodal" for the exact solution of each tile with its wires;
                "nonlinear" for cells that follow ``bank.nonlinearity``, by Newton's method for
                each input, which is slow.
            seed: seed of the read noise.
            device: as in ``reader``.
            precision: as in ``reader``.
            memory: as in ``reader``.

        Raises:
            SpecError: the inputs do not fit the network, or the design lacks what the read-out
                needs.
            ToolError: "cuda" without a card.
        """
        return self.reader(readout, seed, device, precision, memory)(inputs)

    def reader(
        self,
        readout: Readout = "ideal",
        seed: int = 0,
        device: str = "cpu",
        precision: Precision = "float64",
        memory: int | str | None = None,
    ) -> Reader:
        """The program prepared for many runs; call it with inputs, like ``run``.

        What is read of a layer, such as its matrix with wires, is made once and shared by all
        readers of the program.

        Args:
            readout: as in ``run``.
            seed: seed of the read noise, which continues from call to call.
            device: "cpu", "cuda" for a card or "auto" for one if it works. A card makes what the
                tiles conduct, through their wires too: pairs of sound resistors without leakage
                and read noise. The rest is made on the CPU, with a warning for "cuda", and so are
                the products. Results agree within 1e-10.
            precision: of the analog products, "float64" or "float32", which takes half the time and
                memory. The products' outputs then agree within 1e-5 of the largest.
            memory: limit of the layers' matrices in memory, in bytes or as text such as "4G". They
                then lie on disk, in ``xbar/layers`` of the user's folder for caches, where the next
                run of the same program, chip and read-out finds them; and if all together are
                larger, a layer's leave the memory before the next one is read, which as many
                inputs pass together as have room. None: in memory only.

        Raises:
            SpecError: unknown read-out, device or precision, the design lacks what the read-out
                needs, or the seed or the limit is negative.
            FileError: the matrices can't be kept on disk, as on one that is full.
            ToolError: "cuda" without a card.

        >>> from xbar import Hardware, compile
        >>> reader = compile({"fc": [[0.5, -1.0]]}, Hardware(), seed=1).reader(readout="nodal")
        >>> reader([[1.0, 0.0], [0.0, 1.0]]).round(2)
        array([[ 0.5],
               [-1. ]])
        """
        from xbar.simulation.run import Reader

        return Reader(self, readout, seed, device, precision, memory)

    def on(self, chip: Chip) -> Program:
        """The same switches on the same chip later, or on any other chip of the design's shape.

        Simulation, netlist, verification and reports see that chip. On one of later (``Chip.at``)
        tuned cells keep what was written on the chip as programmed, and move with it. To choose
        again for it, compile the network for that chip. Digital ``corrections`` stay as they are.

        Warns:
            XbarWarning: it has corrections, and the other chip is not its own of later.

        Raises:
            SpecError: the chip has other cells, lines or resistors, or too few tiles; or cells were
                tuned on a chip of later.

        >>> from xbar import Chip, Hardware, compile
        >>> chip = Chip.sample(Hardware.from_catalog("pcm"), seed=1)
        >>> program = compile({"fc": [[0.5, -1.0]]}, chip)
        >>> program.on(chip.at(time="1 y")).run([[1.0, 0.0]]).round(1)
        array([[0.3]])
        """
        from xbar.compiler.checks import check_same_shape

        check_same_shape(self.hardware, chip, len(self.tiles))
        plan = self.plan.on(chip)
        aged, chosen = plan.options.aged, plan.options.chosen
        if isinstance(self.tiles, StoredTiles):
            return Program(plan, self.tiles.on(plan))
        return Program(plan, tuple(tile.on(chip, aged=aged, chosen=chosen) for tile in self.tiles))

    def reprogram(
        self, chip: Chip, *, lines: bool = False, progress: Progress | None = None
    ) -> Program:
        """Choose again: other switches for the same weights, in the same cells, on another chip.

        That is mostly the same chip measured again after its devices have moved or died:
        ``Chip.from_measurement``, or ``program.chip.at`` for one aged by its law. Scales are set
        anew; ``xbar.compiler.changes.changes`` tells what that takes and gains. Digital
        ``corrections``, which were found with the old switches, are dropped with a warning.

        Args:
            chip: the chip as it is now.
            lines: whether inputs and outputs may go to other lines of their tile, as
                ``options.swap_lines`` says; else every weight stays where it is.
            progress: called with the tiles done and their total.

        Raises:
            SpecError: the chip has other cells, lines or resistors, or too few tiles; or the
                program has no chosen switches: those of a ticket, nominal codes or tuned cells.
        """
        from xbar.compiler.compiler import choose_again

        return choose_again(self, chip, lines=lines, progress=progress)

    def save(self, path: str | Path, *, force: bool = False, embed: bool = False) -> None:
        """Write the program atomically as a directory (numpy's files and a manifest).

        Args:
            path: path of the folder.
            force: replace an existing program.
            embed: write the weights also where the model's own files have them as they are;
                without it the program needs these files.

        Raises:
            FileError: the path exists and ``force`` is not set, or can't be written.
        """
        from xbar.compiler.store import save_program

        save_program(self, Path(path), force=force, embed=embed)

    def write_configuration(
        self,
        path: str | Path,
        form: Literal["readmemh", "csv", "both"] = "both",
        tiles: Sequence[int] | None = None,
        *,
        force: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Write the switches atomically as a folder of files, tile by tile.

        ``xbar.compiler.emit`` documents the folder; its ``Configuration`` reads it.

        Args:
            path: path of the folder.
            form: format: "readmemh" for words of Verilog's $readmemh, "csv" for a table of every
                resistor with its weight, or "both".
            tiles: indices of tiles; all by default.
            force: replace an existing folder.
            progress: called with the tiles done and their total.

        Raises:
            SpecError: unknown tile or format, or words of tuned devices, which have no switches.
            FileError: the path exists and ``force`` is not set, or can't be written.
        """
        from xbar.compiler.emit import write_configuration

        write_configuration(self, Path(path), form, tiles, force=force, progress=progress)

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read a program written by ``save`` or by ``compile`` with an output.

        The manifest and the index of blocks are checked at once. Of programs over 8 MB, switches
        and weights are read and compared with their checksums when they are first used, and raise
        a FileError then if they were changed; the folder must stay where it is.
        ``xbar verify --store`` checks everything.

        Raises:
            FileError: it is not a program, is incomplete, or a file was changed.
        """
        from xbar.compiler.store import load_program

        return load_program(Path(path))
