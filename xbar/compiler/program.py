"""The program: which resistors are switched in, on which chip, for which network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Floats
from xbar.compiler.mapping import SignedMapping
from xbar.compiler.options import Options
from xbar.compiler.placement import PlacementReport
from xbar.compiler.plan import Plan
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile
from xbar.effects.readout import MatrixReadout, Readout, check_matrix_readout
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.parallel import Progress
from xbar.tables import Card, Facts, count, few, percent

if TYPE_CHECKING:
    from xbar.compiler.provenance import Device, Unreachable
    from xbar.simulation.run import Reader


@dataclass(frozen=True, eq=False, repr=False)
class Program(Card):
    """A network on a chip: a plan that was carried out.

    Attributes:
        plan: what was to be programmed, on what, and how; its attributes are the program's too.
        tiles: by index.
    """

    plan: Plan
    tiles: tuple[ProgrammedTile, ...]

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
        """The network; None where bare matrices were compiled."""
        return self.plan.graph

    @property
    def weights(self) -> Mapping[str, Floats]:
        """By layer, (G, outputs, inputs): what was to be programmed."""
        return self.plan.weights

    @property
    def options(self) -> Options:
        """How it was programmed."""
        return self.plan.options

    @property
    def mapping(self) -> SignedMapping:
        """The cells that a signed weight has."""
        return self.plan.mapping

    @property
    def placement(self) -> PlacementReport | None:
        """How well its tiles are used."""
        return self.plan.placement

    @property
    def decided(self) -> bool:
        """Whether its switches are those of a ticket of this chip, worth nothing on another."""
        return self.plan.decided

    def _facts(self) -> Facts:
        tile, name = self.chip.hardware.tile, self.chip.hardware.name
        used = "" if self.placement is None else f", {percent(self.placement.utilisation)} used"
        size = f"{tile.word_lines} x {tile.bit_lines}"
        weights = sum(weight.size for weight in self.weights.values())
        chosen = self.options.model_dump(exclude_defaults=True)
        return [
            (count(len(self.weights), "layer"), few([*self.weights])),
            ("tiles", f"{len(self.tiles)} of {size}{used}"),
            ("weights", f"{weights:,}, {self.resistors_per_weight} resistors each"),
            ("chip", self.chip.origin + (f", design {name}" if name else "")),
            ("options", ", ".join(f"{key}={value!r}" for key, value in chosen.items())),
        ]

    def matrices(self, readout: MatrixReadout = "ideal") -> dict[str, Floats]:
        """The matrix (outputs, inputs) that the chip realises, by layer, in the weights' units.

        With G > 1 groups it is (G, outputs, inputs). "nodal" includes the wires: one exact
        solution a tile, done once.

        Raises:
            SpecError: there is no such read-out, or it is "nonlinear", which has no matrix.
        """
        check_matrix_readout(readout)
        result = {name: np.zeros_like(weight) for name, weight in self.weights.items()}
        for tile in self.tiles:
            for placed, difference in zip(tile.blocks, tile.difference(readout), strict=True):
                placed.block.put(result[placed.block.layer], difference / placed.scale)
        return {name: m[0] if len(m) == 1 else m for name, m in result.items()}

    def tiles_of(self, layer: str) -> tuple[ProgrammedTile, ...]:
        """The tiles that a layer lies on."""
        return tuple(tile for tile in self.tiles if layer in tile.layers())

    def blocks_of(self, layer: str) -> Iterator[tuple[ProgrammedTile, int, ProgrammedBlock]]:
        """A layer's blocks: (tile, number of the block on it, block)."""
        for tile in self.tiles:
            for number, placed in enumerate(tile.blocks):
                if placed.block.layer == layer:
                    yield tile, number, placed

    def devices_of(self, layer: str, output: int, input: int, group: int = 0) -> list[Device]:  # noqa: A002
        """The cells of the weight of a layer's matrix at (output, input).

        Plus cell, then minus cell or reference cell; none where the weight is zero and takes no
        cell. ``ProgrammedTile.source_of`` is the way back.

        Raises:
            SpecError: there is no such layer or weight.
        """
        from xbar.compiler.provenance import devices_of

        return devices_of(self, layer, output, input, group)

    def unreachable(self) -> Iterator[Unreachable]:
        """The weights whose targets lie beyond what their cells reach, tile by tile.

        Because resistors are stuck, or because all others gain by a scale that leaves these out.
        """
        from xbar.compiler.provenance import unreachable

        return unreachable(self)

    @property
    def wire_aware(self) -> bool:
        """Whether subsets were chosen for the tiles' wires."""
        return self.options.wire_aware

    @property
    def resistors_per_weight(self) -> int:
        """2K for differential pairs, both cells counted; K beside a reference column.

        The cells of the reference column itself, one a word line, are not counted.
        """
        return self.mapping.bit_lines_per_column * self.hardware.bank.resistors

    @overload
    def run(
        self, inputs: Mapping[str, ArrayLike], readout: Readout = "ideal", seed: int = 0
    ) -> dict[str, Floats]: ...

    @overload
    def run(self, inputs: ArrayLike, readout: Readout = "ideal", seed: int = 0) -> Floats: ...

    def run(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        readout: Readout = "ideal",
        seed: int = 0,
    ) -> Floats | dict[str, Floats]:
        """The network's outputs (N, ...) through this chip for inputs (N, ...).

        Converters and read noise act where the hardware has them; ``seed`` is for the noise. A
        program of bare matrices takes {layer: inputs (N, inputs)} and gives {layer: (N,
        outputs)}; with one matrix the arrays alone do. To run many times, take a ``reader``.

        Args:
            inputs: the inputs.
            readout: "ideal" wires; "nodal" for the exact solution of each tile with its wires;
                "nonlinear" for cells that follow ``bank.nonlinearity``, by Newton's method for
                each input, which is slow.
            seed: of the read noise.

        Raises:
            SpecError: the inputs do not fit the network, or the design lacks what the read-out
                needs.
        """
        return self.reader(readout, seed)(inputs)

    def reader(self, readout: Readout = "ideal", seed: int = 0, device: str = "cpu") -> Reader:
        """The program made ready to be run many times; it is called with inputs, as ``run`` is.

        What it makes of the tiles on the way, such as their solutions with wires, it keeps.

        Args:
            readout: as of ``run``.
            seed: of the read noise, which goes on from call to call.
            device: where products are computed: "cpu".

        Raises:
            SpecError: there is no such read-out or device, the design lacks what the read-out
                needs, or the seed is negative.

        >>> from xbar import Hardware, compile
        >>> reader = compile({"fc": [[0.5, -1.0]]}, Hardware(), seed=1).reader(readout="nodal")
        >>> reader([[1.0, 0.0], [0.0, 1.0]]).round(2)
        array([[ 0.5],
               [-1. ]])
        """
        from xbar.simulation.run import Reader

        return Reader(self, readout, seed, device)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the program as a directory (zarr v3 arrays and a manifest), whole or not at all.

        Raises:
            FileError: the path exists and ``force`` is not set, or can't be written.
        """
        from xbar.compiler.store import save_program

        save_program(self, Path(path), force=force)

    def write_configuration(
        self,
        path: str | Path,
        form: Literal["readmemh", "csv", "both"] = "both",
        tiles: Sequence[int] | None = None,
        *,
        force: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Write the switches as a folder of files, tile by tile, whole or not at all.

        ``xbar.compiler.emit`` says what the folder holds; its ``Configuration`` reads it back.

        Args:
            path: the folder.
            form: "readmemh" for words that Verilog's $readmemh reads, "csv" for every resistor
                with what it stands for, or "both".
            tiles: their indices; all where nothing is said.
            force: replace an existing folder.
            progress: called with tiles done and tiles in all.

        Raises:
            SpecError: a tile or the format does not exist, or the program has words for no
                switches because its devices are tuned.
            FileError: the path exists and ``force`` is not set, or can't be written.
        """
        from xbar.compiler.emit import write_configuration

        write_configuration(self, Path(path), form, tiles, force=force, progress=progress)

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read a program that ``save`` wrote; every file's checksum is compared.

        Raises:
            FileError: it is no program, incomplete, or a file was changed.
        """
        from xbar.compiler.store import load_program

        return load_program(Path(path))
