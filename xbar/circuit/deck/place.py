"""Where an instance of a subcircuit is: its names, nodes, parameters and definitions."""

from __future__ import annotations

from dataclasses import dataclass, field

from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.scope import Quantity, Scope
from xbar.circuit.deck.statements import Body, Definition


@dataclass(slots=True)
class Place:
    """Context of an instance's elements; the deck itself has an empty path.

    Attributes:
        path: path of instance names, each followed by a dot.
        nodes: full names by name of a node, ports and others as they come up.
        bodies: bodies whose definitions are seen, innermost first.
        names: names of the enclosing subcircuits.
        scope: parameters of the instance.
        many: number of these instances in parallel.
        multiplied: whether an instance around it has an m.
        shared: nodes that are the same everywhere, by their name.
    """

    path: str
    nodes: dict[str, str]
    bodies: tuple[Body, ...]
    names: tuple[str, ...]
    scope: Scope
    many: float
    multiplied: bool = False
    shared: dict[str, str] = field(default_factory=dict)

    def node(self, name: str) -> str:
        """Full name of a node."""
        found = self.nodes.get(name)
        if found is None:
            rules = self.scope.rules
            plain = name.replace(":", ".") if rules.colons else name
            found = self.shared.get(plain)
            if found is None:
                everywhere = rules.dollar_nodes and name.startswith("$g")
                found = name if everywhere else self.path + plain
            self.nodes[name] = found
        return found

    def element(self, name: str) -> str:
        """Full name of an element: the kind's letter comes first."""
        return f"{name[0]}.{self.path}{name}" if self.path else name

    def other(self, name: str) -> str:
        """Full name of an element that another one refers to, with instances before a colon."""
        if self.scope.rules.colons and ":" in name.strip(":"):
            *above, last = name.strip(":").split(":")
            return f"{last[:1]}.{self.path}{'.'.join(above)}.{last}"
        return self.element(name)

    def number(self, quantity: Quantity, statement: Statement) -> float:
        """Value of a number or formula in this instance.

        Raises:
            FileError: it has none.
        """
        return self.scope.number(quantity, statement)

    def spend(self, size: int, statement: Statement) -> None:
        """Count work that this instance takes.

        Raises:
            FileError: all instances together take too long.
        """
        try:
            self.scope.reading.spend(size)
        except ValueError as error:
            raise statement.error(error) from error

    def parallel(self, quantity: Quantity, statement: Statement) -> float:
        """Number of parallel elements that an m gives.

        Raises:
            FileError: it is not positive, or stands within an instance with an m of its own, where
                ngspice takes only one of them.
        """
        many = self.number(quantity, statement)
        if not many > 0:
            raise statement.error(f"m must be positive, not {many:g}")
        if self.multiplied and many != 1 and not self.scope.rules.product:
            raise statement.error(
                "the m of an element within an instance with an m is replaced by it in ngspice and "
                "multiplied by it elsewhere: write the product at one of them, or name the dialect "
                "(dialect='xyce', 'hspice' or 'ltspice')"
            )
        return many

    def definition(self, name: str) -> Definition | None:
        """The subcircuit of a name."""
        return next((b.inner[name] for b in self.bodies if name in b.inner), None)

    def model(self, name: str) -> Statement | None:
        """The model of a name.

        Raises:
            FileError: there are two different ones at the same place.
        """
        body = next((b for b in self.bodies if name in b.models), None)
        if body is not None and name in body.doubtful:
            raise body.doubtful[name].error(f"the model {name!r} is defined twice, differently")
        return None if body is None else body.models[name]
