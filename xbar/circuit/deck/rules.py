"""What a dialect of SPICE reads differently from the others: each rule in one place.

Without a dialect the rules are those of ngspice, and text that simulators read differently is
refused, or remarked on where there is an evident meaning.

Sources: the manuals of ngspice, Xyce (Reference Guide), HSPICE and LTspice, and ngspice 39 itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from xbar.circuit.deck.remarks import Remarks
from xbar.errors import SpecError


@dataclass(frozen=True)
class Rules:
    """The rules of one dialect.

    Attributes:
        name: the dialect.
        chosen: whether the caller named it.
        mega: letters of a number that mean 1e6 beside meg: "x" or none.
        atto: whether an "a" after a number means 1e-18.
        letter_as_point: whether 4k7 is 4.7k.
        common_log: whether log is base 10.
        caret: whether ^ is a power.
        power_first: whether a sign before a power applies to the power.
        even_power: whether a power takes the absolute value of a negative base.
        signed_pwr: whether pwr keeps the sign of a negative base.
        nominal_draws: whether random draws have their nominal value without a statistical analysis.
        clamps: whether limit(x, a, b) clamps x.
        nearest_even: whether nint rounds halves to even numbers.
        model_multiplies: whether r of a resistor's model multiplies the resistance.
        grounds: names of ground beside 0.
        dollar_nodes: whether names may begin with $, and nodes with $g are shared by all
            subcircuits.
        colons: whether a colon separates instance and node.
        outer_wins: whether a parameter of the deck overrides those of subcircuits.
        given_wins: whether an instance may set a parameter that the subcircuit defines in .param.
        undeclared: whether an instance may set a parameter that the subcircuit only uses.
        product: whether the m of an instance multiplies that of an element in it.
        celsius: default temperature, circuit and nominal.
        remarks: where doubts are told.
    """

    name: str
    chosen: bool = True
    mega: str = ""
    atto: bool = False
    letter_as_point: bool = False
    common_log: bool = False
    caret: bool = False
    power_first: bool = False
    even_power: bool = False
    signed_pwr: bool = False
    nominal_draws: bool = False
    clamps: bool = False
    nearest_even: bool = False
    model_multiplies: bool = True
    grounds: frozenset[str] = frozenset({"gnd"})
    dollar_nodes: bool = False
    colons: bool = False
    outer_wins: bool = False
    given_wins: bool = False
    undeclared: bool = False
    product: bool = True
    celsius: float = 27.0
    remarks: Remarks = field(default_factory=Remarks, compare=False)

    def insist(self, what: str) -> None:
        """Refuse a text whose meaning depends on the dialect, unless the caller named one.

        Raises:
            ValueError: no dialect was named; the message begins with ``what``.
        """
        if not self.chosen:
            raise ValueError(
                f"{what}: simulators differ; name the dialect (dialect='ngspice', 'xyce', "
                f"'hspice' or 'ltspice') or write it in another way"
            )


_RULES = {
    "ngspice": Rules(
        "ngspice",
        caret=True,
        even_power=True,
        nearest_even=True,
        model_multiplies=False,
        product=False,
    ),
    "xyce": Rules(
        "xyce",
        mega="x",
        common_log=True,
        power_first=True,
        nominal_draws=True,
        clamps=True,
        grounds=frozenset(),
        dollar_nodes=True,
        colons=True,
        given_wins=True,
        undeclared=True,
    ),
    "hspice": Rules(
        "hspice",
        mega="x",
        atto=True,
        caret=True,
        signed_pwr=True,
        nominal_draws=True,
        grounds=frozenset({"gnd", "gnd!", "ground"}),
        outer_wins=True,
        undeclared=True,
        celsius=25.0,
    ),
    "ltspice": Rules("ltspice", letter_as_point=True, clamps=True),
}
DIALECTS = tuple(_RULES)


def rules_of(dialect: str | None) -> Rules:
    """Rules of a dialect; without one those of ngspice, with no choice made where others differ.

    Raises:
        SpecError: there is no such dialect.
    """
    if dialect is None:
        return replace(_RULES["ngspice"], chosen=False, remarks=Remarks())
    found = _RULES.get(dialect.lower()) if isinstance(dialect, str) else None
    if found is None:
        raise SpecError(f"dialect must be one of {', '.join(DIALECTS)}, not {dialect!r}")
    return replace(found, remarks=Remarks())
