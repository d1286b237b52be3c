"""Options of a compilation, stored with the program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from xbar.compiler.levers.record import Extent, Fitted
from xbar.compiler.packing.rules import Rule
from xbar.errors import SpecError
from xbar.hardware.base import Duration, Fraction, Kelvin, Spec
from xbar.hardware.spec import Moment
from xbar.subset.variants.several import Over

Quantities: TypeAlias = str | float | Sequence[str | float]


class WholeLife(Spec):
    """Points of a chip's life for which one mask is chosen: all times, each at all temperatures.

    Attributes:
        times: seconds since programming, or texts such as "1 y"; none for as programmed.
        temperatures: kelvin, or texts such as "85 C"; none for the design's reference.
        over: which error is least: the largest of the points' expected squared errors, "worst", or
            their "mean".
        outlook: what is known of a device at programming: its "law", by which it may go one way or
            another; or the "devices", as if each had been measured at every point.
        compensate: "gain" if each layer's outputs will be divided by one factor at each point, as
            ``xbar.simulate(..., compensate="gain")`` does; "none" if they are read as they are.
    """

    times: tuple[Duration, ...] = ()
    temperatures: tuple[Kelvin, ...] = ()
    over: Over = "worst"
    outlook: Literal["law", "devices"] = "law"
    compensate: Literal["none", "gain"] = "none"

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.times and not self.temperatures:
            raise ValueError("whole_life needs times or temperatures, such as ('1 h', '1 y')")
        return self

    @property
    def points(self) -> list[tuple[float | None, float | None]]:
        """Times, each with all temperatures."""
        return [*product(self.times or (None,), self.temperatures or (None,))]


class Options(Spec):
    """Options of programming a network.

    Attributes:
        mapping: mapping of signed weights: "pair", two cells per weight; or "reference", one cell
            per weight and one bit line of each tile subtracted from all others.
        scale_per: extent of one scale (siemens per unit weight): each "column" of a block, all
            columns of a block on a "tile", or all blocks of a "layer".
        programming: programming method: "subset", the best subset of each measured bank (with read
            noise, that of least bias² + variance, exact up to 40 resistors per weight, heuristic
            beyond); or, for comparison, "nominal", the code of the nominal values, without
            measurement; "write-verify", "bit-slice" or "residual", K tunable devices instead of
            the resistors (see ``tuned.py``).
        write_error: standard deviation of a written conductance of tunable devices, relative to the
            device's full scale; None for that of ``device.error`` at its target, and 0.05 on a
            design without.
        cell_bits: bits per tunable device with "bit-slice".
        wire_aware: whether subsets are chosen for the weights with the tile's wires; takes several
            exact solutions of each tile, and banks of at most 16. With harsh wires few resistors
            are switched in, and inputs and outputs are exchanged within their block (see
            ``passes/correct_wires.py``).
        compact: whether to leave out inputs and outputs whose weights are all zero, and group the
            others so that zeros take few cells; no effect without zero weights.
        pack: lines that blocks on one tile may share: "none", one block per tile; "apart", no line;
            "beside", word lines; "any", bit lines too (see ``packing/rules.py``).
        swap_lines: tiles on which inputs and outputs may be exchanged within their block and with
            idle lines, to minimise the effect of stuck and dead resistors: those with "faults",
            "always" or "never" (see ``passes/assign_lines.py``). With ``wire_aware`` they are
            exchanged for harsh wires too, except with "never".
        extents: by layer, inputs and outputs that its blocks have at most, so that fewer of a
            tile's lines are in use; none for as many as a tile has room for.
        fitted: how extents, ``pack`` and ``swap_lines`` were chosen, where ``xbar.compile`` was
            asked to (``wires="fit"``, see ``levers/fit.py``); a record that changes nothing.
        whole_life: points of the chip's life for which one mask and one scale are chosen; None for
            the chip as it is.
        aged: whether the chip has aged since switches were chosen: ``Program.on`` sets it, and
            ``chosen``.
        chosen: moment of the chip that switches were chosen for, if it is not the program's own
            chip; None for that chip, or with ``aged`` for ``chip.programmed``.
    """

    mapping: Literal["pair", "reference"] = "pair"
    scale_per: Literal["column", "tile", "layer"] = "column"
    programming: Literal["subset", "nominal", "write-verify", "bit-slice", "residual"] = "subset"
    write_error: Fraction | None = Field(default=None, ge=0)
    cell_bits: int = Field(default=2, ge=1, le=8)
    wire_aware: bool = False
    compact: bool = True
    pack: Rule = "apart"
    swap_lines: Literal["faults", "always", "never"] = "faults"
    extents: tuple[Extent, ...] = ()
    fitted: Fitted | None = None
    whole_life: WholeLife | None = None
    aged: bool = False
    chosen: Moment | None = None


def with_life(
    options: Options,
    corners: Quantities | None,
    life: Quantities | None,
    how: Mapping[str, str | None],
) -> Options:
    """The options with corners and times for which one mask is chosen; unchanged without.

    Args:
        options: options, whose own ``whole_life`` is replaced.
        corners: temperatures.
        life: times.
        how: the other fields of ``WholeLife``; None for those that are not given.

    Raises:
        SpecError: a time or temperature is none, a word is unknown, or words are given alone.
    """
    words = {name: word for name, word in how.items() if word is not None}
    if corners is None and life is None:
        if words:
            raise SpecError(
                f"{' and '.join(words)} must be left out without corners or life, which they are of"
            )
        return options
    fields: dict[str, Any] = {"times": listed(life), "temperatures": listed(corners), **words}
    try:
        found = WholeLife(**fields)
    except SpecError as error:  # in the words of the caller
        text = re.sub(r"^temperatures\b", "corners", re.sub(r"^times\b", "life", str(error)))
        raise SpecError(text) from None
    return options.model_copy(update={"whole_life": found})


def listed(given: Quantities | None) -> tuple[str | float, ...]:
    """A quantity or several as a tuple.

    >>> listed("85 C"), listed([300.0, "85 C"]), listed(None)
    (('85 C',), (300.0, '85 C'), ())
    """
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Iterable):
        return (given,)
    return tuple(given)
