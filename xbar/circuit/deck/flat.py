"""The elements of a circuit, by full name and with values: what a deck is flattened to."""

from __future__ import annotations

from dataclasses import dataclass

_FORMS = {"r": "r", "c": "c", "l": "l", "v": "v", "e": "v", "h": "v", "i": "i", "g": "i", "f": "i"}


@dataclass(frozen=True, slots=True)
class Control:
    """One term of a controlled source.

    Attributes:
        gain: volts or amperes per volt or ampere of the controlling quantity.
        by: the two nodes between which the controlling voltage is, the positive one first; or the
            one element whose current controls.
    """

    gain: float
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlatElement:
    """An element between two nodes.

    Attributes:
        name: name in lower case; its first letter is the kind of element.
        first: first node, the positive one of a source.
        second: second node.
        value: ohms, farads, henries, volts or amperes; of a controlled source its constant part.
        controls: terms that a controlled source adds to its value.
        fixes: "v" or "i", what a source fixes, if its name doesn't say.
    """

    name: str
    first: str
    second: str
    value: float
    controls: tuple[Control, ...] = ()
    fixes: str = ""

    @property
    def form(self) -> str:
        """What it is at DC: "r", "c" (open), "l" (a short), "v" or "i" (sources)."""
        return self.fixes or _FORMS[self.name[0]]
