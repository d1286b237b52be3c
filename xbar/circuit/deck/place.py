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
        shared: nodes that are the same everywhere, by their name.
    """

    path: str
    nodes: dict[str, str]
    bodies: tuple[Body, ...]
    names: tuple[str, ...]
    scope: Scope
    many: float
    shared: dict[str, str] = field(default_factory=dict)

    def node(self, name: str) -> str:
        """Full name of a node."""
        found = self.nodes.get(name)
        if found is None:
            rules = self.scope.rules
            plain = name.replace(":", ".") if rules.colons else name
            plain = self.shared.get(plain, "")
            if not plain:
                plain = self.path + (name.replace(":", ".") if rules.colons else name)
                if rules.dollar_nodes and name.startswith("$g"):
                    plain = name
            found = self.nodes[name] = plain
        return found

    def element(self, name: str) -> str:
        """Full name of an element: the kind's letter comes first."""
        if self.scope.rules.colons and ":" in name:
            *above, last = name.split(":")
            return f"{last[:1]}.{self.path}{'.'.join(above)}.{last}"
        return f"{name[0]}.{self.path}{name}" if self.path else name

    def number(self, quantity: Quantity, statement: Statement) -> float:
        """Value of a number or formula in this instance.

        Raises:
            FileError: it has none.
        """
        return self.scope.number(quantity, statement)

    def definition(self, name: str) -> Definition | None:
        """The subcircuit of a name."""
        return next((b.inner[name] for b in self.bodies if name in b.inner), None)

    def model(self, name: str) -> Statement | None:
        """The model of a name."""
        return next((b.models[name] for b in self.bodies if name in b.models), None)
