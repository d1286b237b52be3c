"""Design rules checked before a compilation."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import as_floats, check_finite
from xbar.compiler.mapping import SignedMapping
from xbar.compiler.options import Options
from xbar.errors import SpecError, shown
from xbar.hardware.chip import Chip
from xbar.hardware.later import design_at
from xbar.hardware.spec import Hardware
from xbar.subset.variants.pair import MAX_ELEMENTS

_Number = TypeVar("_Number", bound=np.floating[Any])


def check_matrices(matrices: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Check matrices (outputs, inputs) or (G, outputs, inputs); returns them with a group axis.

    Raises:
        SpecError: there is none, or one has another shape or a value that is not finite.
    """
    check_some(matrices)
    return {
        name: check_matrix(name, as_floats(matrix, f"{name}: weights"))
        for name, matrix in matrices.items()
    }


def check_some(matrices: Mapping[str, ArrayLike]) -> None:
    """Check that there are matrices, and their names; they are not read.

    Raises:
        SpecError: there is none, or a name is not text.
    """
    if not matrices:
        raise SpecError("there must be at least one matrix to compile; the network has none")
    for name in matrices:
        if not isinstance(name, str) or not name:
            raise SpecError(f"a layer's name must be text, not {name!r}")


def check_shape_of(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Check a matrix's shape; returns it with a group axis.

    Raises:
        SpecError: it has not two or three axes, or one of length 0.
    """
    if len(shape) not in (2, 3) or 0 in shape:
        raise SpecError(
            f"{name}: a matrix must have shape (outputs, inputs), none of them 0, not {shape}"
        )
    return shape if len(shape) == 3 else (1, *shape)


def check_matrix(name: str, values: NDArray[_Number]) -> NDArray[_Number]:
    """Check one matrix of floating-point numbers; returns it with a group axis, not copied.

    Raises:
        SpecError: it has another shape, or a value that is not finite or too large or small.
    """
    shape = check_shape_of(name, values.shape)
    axes = ("group", "output", "input")[-values.ndim :]
    check_finite(values, f"{name}: weights", axes=axes)
    largest = max(float(np.max(values)), -float(np.min(values)))
    if largest > 0 and not 1e-200 < largest < 1e200:
        raise SpecError(
            f"{name}: the largest weight must be between 1e-200 and 1e200, not {largest:g}"
        )
    return values.reshape(shape)


def check_hardware(hardware: Hardware, mapping: SignedMapping) -> None:
    """Check that a tile holds at least one weight.

    Raises:
        SpecError: it has too few bit lines.
    """
    spare = hardware.tile.spare_bit_lines
    if hardware.tile.interleaved and mapping.shared_bit_lines:
        raise SpecError(
            f"mapping must be 'pair' with tile.topology {hardware.tile.topology!r}, whose two "
            f"cells of a weight share a bit line, not {mapping.name!r}"
        )
    if mapping.columns(hardware.usable_cells[1]) < 1:
        needed = mapping.bit_lines_per_column + mapping.shared_bit_lines
        per_cell = hardware.bank.resistors if hardware.bank.layout == "columns" else 1
        raise SpecError(
            f"tile.bit_lines must be at least {needed * per_cell + spare}, the lines of one weight "
            f"with mapping {mapping.name!r}{f' and {spare} spare ones' if spare else ''}, not "
            f"{hardware.tile.bit_lines}"
        )


def check_options(hardware: Hardware, options: Options, *, ticket: bool) -> None:
    """Check that options are compatible with each other and the design.

    Args:
        hardware: design of the chip.
        options: options of the compilation.
        ticket: whether the network is a ticket with its own switches.

    Raises:
        SpecError: they are not compatible.
    """
    if ticket and (options.mapping != "pair" or options.programming != "subset"):
        raise SpecError(
            "a ticket of a chip must be programmed with mapping 'pair' and programming 'subset', "
            f"not {options.mapping!r} and {options.programming!r}: its switches are fixed"
        )
    if options.mapping != "pair" and options.programming not in ("subset", "nominal"):
        raise SpecError(
            f"mapping must be 'pair' for programming {options.programming!r}, not "
            f"{options.mapping!r}: a shared reference would have to be written too"
        )
    if options.whole_life is not None and (options.programming != "subset" or options.wire_aware):
        what = "wire-aware programming" if options.wire_aware else (
            f"programming {options.programming!r}"
        )  # fmt: skip
        raise SpecError(
            f"corners and life must be left out with {what}: one mask for several times and "
            "temperatures is chosen among measured resistors, and for ideal wires"
        )
    if options.whole_life is not None:
        for time, temperature in options.whole_life.points:
            design_at(hardware, time, temperature)
    if options.wire_aware:
        _check_wire_aware(hardware, options)


def _check_wire_aware(hardware: Hardware, options: Options) -> None:
    """Wire-aware programming needs subsets, short banks, and a scale for each tile or column."""
    if hardware.tile.separate:
        raise SpecError(
            f"wire-aware programming needs cells between word lines and bit lines; with "
            f"tile.topology {hardware.tile.topology!r} what a weight has depends on the input"
        )
    if options.programming != "subset":
        raise SpecError(
            "programming must be 'subset' for wire-aware programming, not "
            f"{options.programming!r}; leave one out"
        )
    if options.mapping == "pair" and hardware.bank.resistors > MAX_ELEMENTS:
        raise SpecError(
            f"bank.resistors must be at most {MAX_ELEMENTS} for wire-aware programming, not "
            f"{hardware.bank.resistors}; leave it out, or take fewer resistors"
        )
    if options.scale_per == "layer":
        raise SpecError(
            "scale_per must be 'column' or 'tile' for wire-aware programming, which lowers the "
            "scale of each tile as its wires ask, not 'layer'"
        )


def check_chip_size(chip: Chip, needed: int) -> None:
    """Check that a chip has as many tiles as the network needs.

    Raises:
        SpecError: fewer tiles were measured.
    """
    if chip.tiles is not None and chip.tiles < needed:
        raise SpecError(
            f"the chip must have at least {needed} tiles for this network, but {chip.tiles} were "
            "measured; measure more, take larger tiles or a smaller network"
        )


def check_same_shape(hardware: Hardware, chip: object, tiles: int) -> None:
    """Check that a program for a design fits another chip as it is.

    Raises:
        SpecError: the chip's tiles or cells have another shape, it has too few tiles, or it is no
            chip.
    """
    if not isinstance(chip, Chip):
        raise SpecError(
            f"chip must be a Chip, such as program.chip.at(time='1 d'), not {shown(chip)}"
        )
    for key in ("cells", "bank.resistors", "bank.layout", "tile.word_lines", "tile.bit_lines"):
        old, new = (attrgetter(key)(each) for each in (hardware, chip.hardware))
        if old != new:
            raise SpecError(
                f"chip must have the program's {key}, {old}, not {new}; compile the network for it"
            )
    check_chip_size(chip, tiles)


def check_own_chip(own: Chip, chip: Chip, tiles: int) -> None:
    """Check that a ticket is programmed onto its own chip.

    Args:
        own: chip on which the ticket was found.
        chip: chip to program; its design may differ in wires and converters.
        tiles: number of tiles of the network.

    Raises:
        SpecError: the chips differ in resistors or in their layout.
    """
    if own is chip:
        return
    designs = (own.hardware, chip.hardware)
    layouts = [(each.cells, each.usable_cells, each.bank.layout) for each in designs]
    where = "its tiles have other cells" if layouts[0] != layouts[1] else ""
    for tile in range(0 if where else tiles):
        mine, given = own.resistors(tile), chip.resistors(tile)
        if not all(np.array_equal(mine[i], given[i]) for i in range(3)):
            where = f"tile {tile} has other conductances"
            break
    if where:
        raise SpecError(
            f"the chip must be the one that the ticket was found on, but {where}: a mask is valid "
            "for its own chip only; use that chip, find a ticket for this one, or transfer the "
            "mask explicitly with xbar.pruning.move(ticket, chip)"
        )
