"""Flattening of a deck: every element with its full name and value.

Names are those of ngspice: resistor r1 of instance x2 within x1 is r.x1.x2.r1, and its node m is
x1.x2.m. (For nested subcircuit definitions ngspice 39 repeats letters, r.x1.r.x2.r1; here names are
regular.) Elements of m parallel instances stand for all of them: their currents are the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from xbar.circuit.deck.dependent import read_dependent
from xbar.circuit.deck.elements import (
    Element,
    Instance,
    quantity,
    read_instance,
    read_resistor,
    read_store,
)
from xbar.circuit.deck.expression import Formula
from xbar.circuit.deck.flat import FlatElement
from xbar.circuit.deck.linear import number
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.options import Settings, number_of
from xbar.circuit.deck.place import Place
from xbar.circuit.deck.scope import Reading, Scope
from xbar.circuit.deck.sources import read_source
from xbar.circuit.deck.statements import Body, Choice, Definition, gather
from xbar.errors import FileError

_DEEPEST = 50  # maximum nesting of instances
_MOST = 1_000_000  # elements, and instances, that come from subcircuits
_LONGEST = 200_000_000  # characters of the names of all these
READERS: Mapping[str, Callable[[Statement, Reading], Element]] = {
    "r": read_resistor,
    "c": read_store,
    "l": read_store,
    "v": read_source,
    "i": read_source,
    "x": read_instance,
    **dict.fromkeys("efghb", read_dependent),
}
_KINDS = {
    "a": "a code model",
    "d": "a diode",
    "j": "a JFET",
    "m": "a MOSFET",
    "n": "a Verilog-A device",
    "o": "a lossy line",
    "p": "coupled lines or a port",
    "q": "a bipolar transistor",
    "s": "a switch",
    "t": "a transmission line",
    "u": "a digital device or a line",
    "w": "a switch",
    "y": "a device of Xyce or a line",
    "z": "a MESFET",
}


def flatten(
    statements: Iterable[Statement], settings: Settings
) -> tuple[list[FlatElement], Collection[str]]:
    """All elements of a deck, and the names of its subcircuits.

    Raises:
        FileError: a statement is not understood, a parameter or subcircuit is not defined, a
            subcircuit is recursive or has a different number of nodes, names are not unique, a
            value is not allowed, or there are too many elements.
    """
    top = gather(statements, settings)
    return _Flattening(top, settings).run(), top.inner.keys()


class _Flattening:
    def __init__(self, top: Body, settings: Settings) -> None:
        self.top, self.settings = top, settings
        self.reading = Reading(settings.rules)
        self.found: dict[str, FlatElement] = {}
        self.shared: dict[str, str] = {}
        self._bodies: dict[int, list[Element]] = {}
        self._instances = self._expanded = self._characters = 0
        self._sweeps = dict(settings.sweeps)

    def run(self) -> list[FlatElement]:
        """All elements."""
        for name in [name for name in self._sweeps if name in self.top.parameters]:
            self.top.parameters[name] = self._sweeps.pop(name)[0]
        scope = Scope(self.reading, self.top.parameters, self.top.functions)
        place = Place("", {}, (self.top,), (), scope, 1.0, False, self.shared)
        shunt = self._settle(scope)
        elements = self._elements(self.top, place)
        self._override(elements, scope)
        self._expand(elements, place)
        for first, second, statement in self.settings.joined:
            name = f"rconnect.{first}.{second}"
            self._keep(FlatElement(name, place.node(first), place.node(second), 0.0), statement)
        if shunt is not None:
            self._shunt(*shunt)
        self._remark(place)
        return list(self.found.values())

    def _remark(self, place: Place) -> None:
        """Tell what a reader may not expect."""
        rules = self.settings.rules
        for name in ("gnd!", "ground"):
            if not rules.chosen and place.nodes.get(name) == name:
                rules.remarks.add(f"the node {name!r} is ground in HSPICE, and a node elsewhere")
        if not self.found:
            names = list(self.top.inner)
            rules.remarks.add(
                f"there is no element outside of subcircuits; instantiate one of them, such as "
                f"{names[0]!r}"
                if names
                else "the deck has no element"
            )

    def _settle(self, scope: Scope) -> tuple[float, Statement] | None:
        """Settings that are numbers; the shunt, if there is one."""
        settings = self.settings
        self.shared.update({name: name for name in settings.shared})
        self.shared.update(dict.fromkeys((*settings.grounds, "0"), "0"))
        for statement in settings.options:
            settings.read_options(statement, scope)
        if settings.celsius is not None:
            self.reading.celsius = number_of(*settings.celsius, scope)
        if settings.nominal is not None:
            self.reading.nominal = number_of(*settings.nominal, scope)
        scope.settle()
        if settings.shunt is None:
            return None
        ohms = number_of(*settings.shunt, scope)
        if not ohms > 0:
            raise settings.shunt[1].error(f"rshunt must be positive, not {ohms:g}")
        return ohms, settings.shunt[1]

    def _override(self, elements: list[Element], scope: Scope) -> None:
        """Give what a sweep names its first value."""
        known = {element.name: element for element in elements} if self._sweeps else {}
        for name, (text, statement) in self._sweeps.items():
            if name in known:
                known[name].override(quantity(text, statement, self.reading))
            else:
                scope.formulas[name] = text  # a parameter that is defined nowhere else
                scope.values[name] = number_of(text, statement, scope)

    def _elements(self, body: Body, place: Place) -> list[Element]:
        """Elements of a body in an instance, those of the chosen branches included."""
        found = self._bodies.get(id(body))
        if found is None:
            found = self._bodies[id(body)] = [
                self._read(s) for s in body.elements if s.text[0] != "k"
            ]
        if not body.choices:
            return found
        found = list(found)
        for choice in body.choices:
            for statement, condition, branch in choice.branches:
                place.spend(5, statement)
                if condition is None or self._holds(condition, statement, place.scope):
                    place.scope.extend(branch.parameters, branch.functions, statement)
                    if branch.inner or branch.models:
                        place.bodies = (branch, *place.bodies)
                    found += self._elements(branch, place)
                    break
            else:
                branch = None
            if self.settings.rules.name == "ngspice":
                self._compare_branches(choice, branch, place)
        return found

    def _compare_branches(self, choice: Choice, taken: Body | None, place: Place) -> None:
        """Tell of branches that don't hold: ngspice obeys their .param too, the last one wins."""
        last: dict[str, tuple[str, Statement]] = {}
        for statement, _, branch in choice.branches:
            place.spend(len(branch.parameters), statement)
            last.update((name, (text, statement)) for name, text in branch.parameters.items())
        for name, (text, statement) in last.items():
            if taken is None or taken.parameters.get(name) != text:
                self.settings.rules.remarks.add(
                    f"{statement.file}:{statement.number}: the parameter {name!r} is defined in a "
                    f"branch of .if that does not hold, and is not used; ngspice 39 uses it"
                )

    def _holds(self, condition: str, statement: Statement, scope: Scope) -> bool:
        try:
            return number(scope.of(condition)) != 0
        except (ValueError, RecursionError) as error:
            raise statement.error(f"{condition!r} must be a condition: {error}") from error

    def _read(self, statement: Statement) -> Element:
        kind = statement.text[0]
        reader = READERS.get(kind)
        if reader is None:
            what = _KINDS.get(kind, "no element")
            raise statement.error(
                f"{statement.word!r} is not understood: it is {what}; a deck may have R, C, L, V, "
                f"I, E, F, G, H, B, K and X"
            )
        return reader(statement, self.reading)

    def _expand(self, elements: list[Element], place: Place) -> None:
        instances: set[str] = set()
        if place.path:
            self._count(elements, place)
        for element in elements:
            if not isinstance(element, Instance):
                self._keep(element.flat(place), element.statement)
                for flat in element.beside(place):
                    self._keep(flat, element.statement)
                continue
            if element.name in instances:
                raise element.statement.error(f"the name {element.name!r} is used twice")
            instances.add(element.name)
            body, below = self._enter(element, place)
            self._expand(self._elements(body, below), below)

    def _count(self, elements: list[Element], place: Place) -> None:
        """Bound what a few lines can expand to."""
        self._instances += 1
        self._expanded += len(elements)
        self._characters += (len(place.path) + 30) * len(elements)
        if max(self._instances, self._expanded) > _MOST or self._characters > _LONGEST:
            raise elements[0].statement.error(
                f"the subcircuits of a deck must expand to fewer than {_MOST} elements and "
                f"instances, with names of fewer than {_LONGEST} characters in all"
            )

    def _keep(self, flat: FlatElement, statement: Statement) -> None:
        if flat.name in self.found:
            raise statement.error(f"the name {flat.name!r} is used twice")
        self.found[flat.name] = flat

    def _definition(self, element: Instance, place: Place) -> Definition:
        """The subcircuit of an instance, which it may instantiate here."""
        statement, name = element.statement, element.of
        definition = place.definition(name)
        if definition is None:
            raise statement.error(f"the subcircuit {name!r} is not defined")
        if not definition.unique:
            raise statement.error(f"the subcircuit {name!r} is defined twice")
        if name in place.names or len(place.names) >= _DEEPEST:
            raise statement.error(
                f"the subcircuit {name!r} contains itself, or is nested too deeply"
            )
        ports, _ = definition.head
        if len(element.nodes) != len(ports):
            raise statement.error(
                f"{element.name!r} must connect the {len(ports)} nodes of {name!r}, "
                f"not {len(element.nodes)}"
            )
        return definition

    def _enter(self, element: Instance, place: Place) -> tuple[Body, Place]:
        """Body of an instance, and the context of its elements."""
        statement, name = element.statement, element.of
        definition = self._definition(element, place)
        ports, defaults = definition.head
        body = definition.body
        place.spend(2 + 2 * len(ports) + len(defaults) + len(body.parameters), statement)
        given = self._given(element, place)
        if place.many != 1 and self.settings.rules.name == "ngspice":
            self.settings.rules.remarks.add(
                "the m of an instance multiplies also the instances in it, as in Xyce and HSPICE; "
                "ngspice may leave it out there"
            )
        many, multiplied = place.many, place.multiplied
        if "m" in given and "m" not in defaults:
            many *= place.parallel(given.pop("m"), statement)
            multiplied = True
        formulas = {**defaults, **body.parameters}
        for key in given:
            if key not in formulas and not (
                self.settings.rules.undeclared and definition.uses(key)
            ):
                raise statement.error(f"{name!r} has no parameter {key!r}")
        self._check_outer(statement, formulas)
        scope = Scope(self.reading, formulas, body.functions, dict(given), place.scope)
        nodes = {
            port: place.node(node)
            for port, node in zip(ports, element.nodes, strict=True)
            if not self._is_shared(port, node, place, statement)
        }
        return body, Place(
            f"{place.path}{element.name}.",
            nodes,
            (body, *place.bodies),
            (*place.names, name),
            scope,
            many,
            multiplied,
            self.shared,
        )

    def _given(self, element: Instance, place: Place) -> dict[str, float]:
        """Parameters that an instance sets; one may use another, where the caller has no such."""
        statement, given = element.statement, dict[str, float]()
        for key, amount in element.given.items():
            try:
                given[key] = place.number(amount, statement)
            except FileError:
                texts = {
                    k: q.text if isinstance(q, Formula) else repr(q)
                    for k, q in element.given.items()
                }
                if len(texts) == 1:
                    raise
                beside = Scope(self.reading, texts, {}, None, place.scope)
                given[key] = beside.number(amount, statement)
        return given

    def _is_shared(self, port: str, node: str, place: Place, statement: Statement) -> bool:
        """Whether a port is a node that is the same everywhere, and so not connected."""
        shared = self.shared.get(port)
        if shared is not None and shared != place.node(node):
            self.settings.rules.remarks.add(
                f"{statement.file}:{statement.number}: the port {port!r} is the node {shared!r} "
                f"everywhere, so {node!r} is not connected to it"
            )
        return shared is not None

    def _check_outer(self, statement: Statement, own: Mapping[str, str]) -> None:
        """HSPICE lets the deck's parameters win over those of subcircuits."""
        if not self.settings.rules.outer_wins or self.settings.local:
            return
        both = [name for name in own if name in self.top.parameters]
        if both:
            raise statement.error(
                f"the parameter {both[0]!r} is defined in the deck and in the subcircuit, and in "
                f"HSPICE the deck's wins; rename it, or say .option parhier=local"
            )

    def _shunt(self, ohms: float, statement: Statement) -> None:
        nodes = dict.fromkeys(n for e in self.found.values() for n in (e.first, e.second))
        for node in nodes:
            if node != "0":
                self._keep(FlatElement(f"rshunt.{node}", node, "0", ohms), statement)
