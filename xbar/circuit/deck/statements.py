"""Statements of a deck gathered to bodies: elements, parameters, subcircuits, models, choices.

A subcircuit's own statements are looked at when it is first used, so that what is not used is not
checked. A directive is honoured, passed over because it has no effect on the operating point, or
refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.options import Settings
from xbar.circuit.deck.scope import Function
from xbar.circuit.deck.words import split

_PASSED_OVER = frozenset(
    """
    .ac .accelerate .acmatch .autoconverge .backanno .biaschk .checksoa .csparam .dc .dccalc
    .dcmatch .dcvolt .disto .dout .embeddedsampling .end .endc .ferret .fft .four .graph .hb .hbosc
    .ic .initcond .lin .load .loadbias .loadstate .lstb .machine .mask .meas .measure .mpde .net
    .nodeset .noise .noisetran .op .op1 .pce .plot .pol .print .probe .probe64 .prot .protect
    .ptdisp .pz .result .sampling .save .savebias .savestate .sens .snap .sndparam .sndprint .sp
    .stab .stb .stmlib .store .text .tf .title .tran .trannoise .ts .unprot .unprotect .wave
    .width
    """.split()
)
_FUNCTION = re.compile(r"\.\w+\s+([^\W\d]\w*)\s?\(([\w\s,]*)\)(.*)", re.S)
_GROUP = re.compile(r"\([^()]*\)")
_LONGEST = 4_000  # characters of a formula
_DEEPEST = 50  # maximum nesting of definitions and of choices


@dataclass(frozen=True)
class Choice:
    """An ``.if`` with its branches.

    Attributes:
        branches: where each begins, its condition (None for ``.else``), and what is in it.
    """

    branches: list[tuple[Statement, str | None, Body]] = field(default_factory=list)


@dataclass
class Body:
    """What a subcircuit, a branch of a choice or the deck itself contains.

    Attributes:
        parameters: formulas by name.
        functions: functions by name.
        elements: statements of elements, in order.
        choices: its ``.if`` blocks.
        inner: subcircuits by name.
        models: model statements by name.
        doubtful: those whose name has another model too, by name.
    """

    parameters: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    elements: list[Statement] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    inner: dict[str, Definition] = field(default_factory=dict)
    models: dict[str, Statement] = field(default_factory=dict)
    doubtful: dict[str, Statement] = field(default_factory=dict)


@dataclass
class Definition:
    """A subcircuit.

    Attributes:
        statement: its first statement.
        lines: its statements, those of nested subcircuits included.
        settings: settings of the deck.
        unique: whether there is no other one of this name.
    """

    statement: Statement
    settings: Settings
    lines: list[Statement] = field(default_factory=list)
    unique: bool = True

    @cached_property
    def name(self) -> str:
        """Its name."""
        words = self.statement.text.split(None, 2)
        return words[1].strip("\"'") if len(words) > 1 else ""

    @cached_property
    def head(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """Its ports, and the default formulas of its parameters.

        Raises:
            FileError: it has no name, or two ports of one name.
        """
        words = split(self.statement)
        ports = tuple(w.strip('"') for w in words.words[2:])
        if len(set(ports)) != len(ports):
            raise self.statement.error(f"the nodes of {self.name!r} must differ")
        return ports, words.assigned

    @cached_property
    def body(self) -> Body:
        """What it contains.

        Raises:
            FileError: a statement in it is not understood.
        """
        found = gather(self.lines, self.settings, whole=False)
        if not self.settings.rules.given_wins:
            for name in found.parameters:
                if name in self.head[1]:
                    raise self.statement.error(f"{name!r} is a parameter of the subcircuit already")
        return found

    def uses(self, name: str) -> bool:
        """Whether a name stands in its statements."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        return any(word.search(statement.text) for statement in self.lines)


def gather(statements: Iterable[Statement], settings: Settings, *, whole: bool = True) -> Body:
    """Gather statements to a body.

    Args:
        statements: the statements.
        settings: settings of the deck.
        whole: whether it is the deck itself, which alone may change them.

    Raises:
        FileError: a directive is not understood, or a block is not closed.
    """
    gathering = _Gathering(settings, whole=whole)
    for statement in statements:
        gathering.add(statement)
    return gathering.closed()


class _Gathering:
    def __init__(self, settings: Settings, *, whole: bool) -> None:
        self.settings, self.whole = settings, whole
        self.top = self.body = Body()
        self._choices: list[tuple[Statement, Choice, Body]] = []
        self._open: list[Definition] = []
        self._within: dict[tuple[int, str], list[Body]] = {}  # branches that define a name, by body

    def add(self, statement: Statement) -> None:
        """Add one statement."""
        if statement.text[0] != ".":
            lines = self._open[0].lines if self._open else self.body.elements
            lines.append(statement)
            return
        word = statement.word
        if word in (".subckt", ".macro"):
            self._begin(statement)
        elif word in (".ends", ".eom"):
            self._end(statement)
        elif self._open:
            self._open[0].lines.append(statement)
        elif word in (".if", ".elseif", ".else", ".endif", ".elif"):
            self._branch(statement, word)
        elif word in _DIRECTIVES:
            if word in _WHOLE and (self._choices or not self.whole):
                raise statement.error(f"{word} must stand outside of subcircuits and .if")
            _DIRECTIVES[word](self, statement)
        elif word not in _PASSED_OVER and not word.startswith(".probe/"):
            raise statement.error(f"the directive {word!r} is not understood")

    def closed(self) -> Body:
        """The body, if every block in it is closed."""
        if self._open:
            last = self._open[-1]
            raise last.statement.error(f"the subcircuit {last.name!r} has no .ends")
        if self._choices:
            raise self._choices[-1][0].error(".if must be closed by .endif")
        return self.top

    def _begin(self, statement: Statement) -> None:
        definition = Definition(statement, self.settings)
        if not definition.name:
            raise statement.error(".subckt needs a name and its nodes")
        if len(self._open) >= _DEEPEST:
            raise statement.error(f"subcircuits are defined within {_DEEPEST} others")
        if self._open:
            self._open[0].lines.append(statement)
        self._open.append(definition)

    def _end(self, statement: Statement) -> None:
        name = statement.text.split()[1:]
        if not self._open or (name and name[0].strip("\"'") != self._open[-1].name):
            title = "" if self._open else "; a deck's first line is its title, and opens none"
            raise statement.error(f"{statement.brief!r} has no matching .subckt{title}")
        done = self._open.pop()
        if self._open:
            self._open[0].lines.append(statement)
            return
        other = self.body.inner.get(done.name)
        done.unique = other is None or (other.unique and _same(done, other))
        self.body.inner[done.name] = done

    def _branch(self, statement: Statement, word: str) -> None:
        rest = statement.text[len(word) :].strip()
        if word == ".else" and rest.startswith("if"):
            word, rest = ".elseif", rest[2:].strip()
        if word == ".if":
            if len(self._choices) >= _DEEPEST:
                raise statement.error(f".if blocks are nested more than {_DEEPEST} deep")
            choice = Choice()
            self.body.choices.append(choice)
            self._choices.append((statement, choice, self.body))
        elif not self._choices:
            raise statement.error(f"{word} has no .if before it")
        if word == ".endif":
            self.body = self._choices.pop()[2]
            return
        self.body = Body()
        condition = None if word == ".else" else rest
        self._choices[-1][1].branches.append((statement, condition, self.body))

    def parameters(self, statement: Statement) -> None:
        """``.param a=1 b={2*a}`` or ``.param f(x)={x*x}``."""
        match = _FUNCTION.fullmatch(statement.text)
        if match is not None and match[3].lstrip().startswith("="):
            self.function(statement)
            return
        words = split(statement)
        if len(words.words) > 1 or not words.assigned:
            raise statement.error(
                f"a parameter must be written name=value, not {words.words[-1]!r}"
            )
        for name, text in words.assigned.items():
            if len(words.assigned) > 1 and _has_blanks(text):
                self._tell_blanks(statement, name)
            if self.body.parameters.get(name, text) != text:
                self.tell(
                    statement, f"the parameter {name!r} is defined again; the last value counts"
                )
            self.body.parameters[name] = text
            for branch in self._within.pop((id(self.body), name), ()):
                branch.parameters.pop(name, None)  # the later value counts
            for _, _, around in self._choices:
                self._within.setdefault((id(around), name), []).append(self.body)

    def _tell_blanks(self, statement: Statement, name: str) -> None:
        rules = self.settings.rules
        if rules.name == "ngspice":
            self.tell(
                statement,
                f"the formula of {name!r} has blanks and is read to its end; ngspice reads its "
                f"first word alone where a line has several parameters: write it in braces",
            )

    def function(self, statement: Statement) -> None:
        """``.func f(x,y)={x+y}``."""
        match = _FUNCTION.fullmatch(statement.text)
        text = match[3].lstrip("= \t") if match else ""
        if match is None or not text:
            raise statement.error(
                f"{statement.brief!r} must be a function name(arguments)={{formula}}"
            )
        names = tuple(match[2].replace(",", " ").split())
        self.body.functions[match[1]] = Function(names, text)

    def model(self, statement: Statement) -> None:
        """A model; it is looked at where it is used."""
        words = statement.text.split(None, 2)
        if len(words) > 1:
            other = self.body.models.setdefault(words[1], statement)
            if other.text.split() != statement.text.split():
                self.body.doubtful[words[1]] = statement

    def shared(self, statement: Statement) -> None:
        """``.global vdd``."""
        self.settings.shared.update(statement.text.split()[1:])

    def tell(self, statement: Statement, text: str) -> None:
        """Remark on an assumption."""
        self.settings.rules.remarks.add(f"{statement.file}:{statement.number}: {text}")


def _has_blanks(text: str) -> bool:
    """Whether a formula has blanks outside of braces, quotes and parentheses."""
    if text[0] in "{'\"" or len(text) > _LONGEST:
        return False
    while (shorter := _GROUP.sub("x", text)) != text:
        text = shorter
    return len(text.split()) > 1


def _same(one: Definition, other: Definition) -> bool:
    return [s.text for s in one.lines] == [s.text for s in other.lines] and (
        one.statement.text == other.statement.text
    )


def _setting(
    read: Callable[[Settings, Statement], None],
) -> Callable[[_Gathering, Statement], None]:
    return lambda gathering, statement: read(gathering.settings, statement)


def _options(settings: Settings, statement: Statement) -> None:
    settings.options.append(statement)


_WHOLE = frozenset(
    {".global", ".option", ".options", ".opt", ".temp", ".step", ".preprocess", ".connect"}
)
_DIRECTIVES: dict[str, Callable[[_Gathering, Statement], None]] = {
    **dict.fromkeys((".param", ".params", ".parameter", ".global_param"), _Gathering.parameters),
    ".func": _Gathering.function,
    ".function": _Gathering.function,
    ".model": _Gathering.model,
    ".global": _Gathering.shared,
    **dict.fromkeys((".option", ".options", ".opt"), _setting(_options)),
    ".temp": _setting(Settings.read_temperature),
    ".step": _setting(Settings.read_sweep),
    ".preprocess": _setting(Settings.read_preprocess),
    ".connect": _setting(Settings.read_connection),
}
