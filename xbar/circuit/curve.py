"""I-V curves of resistors in netlists.

Shapes: W word lines, B bit lines, K resistors per cell. Units: SI.
"""

from __future__ import annotations

import attrs
from numpy.typing import ArrayLike

from xbar.arrays import Floats, as_floats, check_finite, frozen
from xbar.circuit.selectors import TableCell
from xbar.circuit.text import number
from xbar.errors import SpecError
from xbar.tables import Outline


def _powers(powers: ArrayLike) -> Floats:
    each = as_floats(powers, "powers")
    if each.ndim != 4:
        raise SpecError(f"powers must have the shape (P, W, B, K), not {each.shape}")
    check_finite(each, "powers", "A/V^p", ("power", "word line", "bit line", "resistor"))
    return frozen(each)


@attrs.frozen(eq=False, slots=False, repr=False)
class Curve(Outline):
    """How each resistor's current departs from Ohm's law.

    Attributes:
        powers: (P, W, B, K) coefficients of v², v³, ... in A/V², A/V³ and so on, beside the
            conductance of v.
        sinh: voltage V0 of I = G V0 sinh(v / V0) instead, for all resistors; then P is 0.
        beside: (3, W, B, K) what is added: siemens of v, coefficients of v |v| in A/V², and of v
            times the voltage of the bit line in A/V².
        selector: I-V curve of what lies between each crossing's resistors and its bit line; None
            for nothing.

    >>> import numpy as np
    >>> Curve(np.zeros((0, 1, 1, 1)), sinh=0.5).formula((0, 0, 0), 1e-3, "a", "b")
    '5.0...e-04*sinh(v(a,b)*2.0...e+00)'
    """

    powers: Floats = attrs.field(converter=_powers)
    sinh: float | None = None
    beside: Floats | None = attrs.field(default=None, converter=attrs.converters.optional(_powers))
    selector: TableCell | None = None

    def __attrs_post_init__(self) -> None:
        if self.sinh is not None and (not self.sinh > 0 or len(self.powers)):
            raise SpecError(f"sinh must be volts above 0 and without powers, not {self.sinh}")

    def check(self, shape: tuple[int, ...]) -> None:
        """Check that the curves are those of resistors of a shape (W, B, K).

        Raises:
            SpecError: they are of others.
        """
        if self.powers.shape[1:] != shape:
            raise SpecError(f"the curves must be of {shape} resistors, not {self.powers.shape[1:]}")
        if self.beside is not None and self.beside.shape != (3, *shape):
            raise SpecError(f"beside must be of shape {(3, *shape)}, not {self.beside.shape}")

    def formula(self, place: tuple[int, int, int], siemens: float, a: str, b: str) -> str | None:
        """The current from node a to node b of one resistor; None if it obeys Ohm's law."""
        volts = f"v({a},{b})"
        if self.sinh is not None:
            return f"{number(siemens * self.sinh)}*sinh({volts}*{number(1 / self.sinh)})"
        terms = self.powers[(slice(None), *place)].tolist()
        added = [0.0, 0.0, 0.0] if self.beside is None else self.beside[(slice(None), *place)]
        linear, kink, rise = (float(each) for each in added)
        while terms and terms[-1] == 0:
            terms.pop()
        if not terms and not (linear or kink or rise):
            return None
        terms.insert(0, siemens + linear)
        text = f"({number(terms[-1])})"
        for term in reversed(terms[:-1]):
            text = f"({number(term)}+{volts}*{text})"
        if kink:
            text = f"({text}+({number(kink)})*abs({volts}))"
        if rise:
            text = f"({text}+({number(rise)})*v({b}))"
        return f"{volts}*{text}"
