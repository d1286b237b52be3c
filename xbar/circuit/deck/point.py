"""The operating point of a circuit, with values by any name of a node or an element."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from xbar.errors import NotFoundError, printable
from xbar.tables import Outline

_SHOWN = 6  # maximum number of names listed in an error
_SEARCHED = 20_000  # names among which similar ones are searched


class Values(dict[str, float]):
    """Numbers by name, in any case and in the forms that simulators write.

    "OUT", "v(out)" and "out" are one node, "gnd" is "0", and "x1:m" is "x1.m"; the element "x1.r2"
    is "r.x1.r2", "v1#branch" is "v1" and "@r1[i]" is "r1". A name without a value is not a key:
    looking it up states why.

    Args:
        values: numbers by name.
        kind: "node" or "element".
        reasons: why a name has no value, by name.
    """

    def __init__(
        self, values: Mapping[str, float], kind: str, reasons: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(values)
        self._kind, self._reasons = kind, dict(reasons or {})

    def __missing__(self, name: object) -> float:
        key = self._find(name)
        if key in self._reasons:
            raise NotFoundError(self._reasons[key])
        if super().__contains__(key):
            return self[key]
        raise NotFoundError(self._unknown(str(name)))

    def __contains__(self, name: object) -> bool:
        return super().__contains__(self._find(name))

    def get(self, name: Any, default: Any = None) -> Any:
        """The value by any of its names, or the default."""
        return super().get(self._find(name), default)

    @cached_property
    def _folded(self) -> dict[str, str]:
        """Names by their lower-case form."""
        return {name.lower(): name for name in (*self._reasons, *self)}

    def _find(self, name: object) -> str:
        """The key that a name means, or the name itself."""
        text = str(name)
        if super().__contains__(text) or text in self._reasons:
            return text
        for form in self._forms(text.strip().lower()):
            if form in self._folded:
                return self._folded[form]
        return text

    def _forms(self, text: str) -> Iterator[str]:
        if self._kind == "element" and text.startswith("@") and text.endswith("[i]"):
            text = text[1:-3]
        letter = "v" if self._kind == "node" else "i"
        if text.startswith(f"{letter}(") and text.endswith(")"):
            text = text[2:-1].strip()
        text = text.removesuffix("#branch") if self._kind == "element" else text
        for form in (text, text.replace(":", ".")):
            yield form
            if self._kind == "node" and form in ("gnd", "gnd!"):
                yield "0"
            if self._kind == "element" and "." in form:
                yield f"{form.rsplit('.', 1)[1][:1]}.{form}"

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches

        known = list(self)
        near = get_close_matches(name.lower(), known[:_SEARCHED], n=3, cutoff=0.6)
        some = near or known[:_SHOWN]
        have = f"the nearest {'is' if len(some) == 1 else 'are'}" if near else "it has"
        more = f" and {len(known) - len(some)} more" if not near and len(known) > len(some) else ""
        return printable(
            f"the circuit has no {self._kind} {name!r}; {have} "
            f"{', '.join(map(repr, some)) or 'none'}{more}"
        )


@dataclass(frozen=True, repr=False)
class OperatingPoint(Outline):
    """Voltages and currents of a circuit.

    Attributes:
        voltage: volts by node, in lower case; ground is "0". Names are found in any case.
        current: amperes by element, in lower case: through a resistor from its first to its second
            node, through a source from its positive to its negative node.
        floating: nodes without a voltage, as nothing connects them to ground.
        undetermined: elements without a current: ideal ones in a loop, of which only sums of
            currents are determined.
    """

    voltage: Mapping[str, float]
    current: Mapping[str, float]
    floating: tuple[str, ...] = field(default=())
    undetermined: tuple[str, ...] = field(default=())

    def node(self, name: object) -> float:
        """Voltage of a node by any of its names, in any case.

        Nodes joined by a short, and "0" and "gnd", are one node with several names.

        Raises:
            NotFoundError: the circuit has no such node, or it has no voltage.
        """
        return self.voltage[str(name)]
