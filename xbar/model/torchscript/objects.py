"""Parses a pickle to a tree of data: nothing is imported, constructed or called.

TorchScript writes pickles with a few opcodes. A small stack machine reads these and gives
:class:`Instance` for an object, :class:`Call` for what a loader would call, and :class:`Stored`
for a tensor's storage; any other opcode is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from xbar.errors import FileError, UntrustedFileError

Tree: TypeAlias = Any
"""Numbers, text, None, lists, tuples, dicts, and the classes below."""


@dataclass(frozen=True)
class Global:
    """A name that an unpickler would import."""

    name: str


@dataclass(eq=False)
class Instance:
    """An object: its class by name, and its attributes."""

    kind: str
    state: Tree = None


@dataclass(frozen=True, eq=False)
class Call:
    """A function that an unpickler would call, and its arguments."""

    function: str
    arguments: Tree


@dataclass(frozen=True, eq=False)
class Stored:
    """A reference to a storage."""

    description: Tree


@dataclass(eq=False)
class _Machine:
    stack: list[Tree] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Tree] = field(default_factory=dict)

    def pop(self) -> Tree:
        return self.stack.pop()

    def since_mark(self) -> list[Tree]:
        mark = self.marks.pop()
        found = self.stack[mark:]
        del self.stack[mark:]
        return found

    def take(self, count: int) -> tuple[Tree, ...]:
        found = tuple(self.stack[len(self.stack) - count :])
        if len(found) != count:
            raise IndexError("stack")
        del self.stack[len(self.stack) - count :]
        return found


def read_objects(data: bytes, where: str) -> Tree:
    """Parse a pickle to a tree.

    Raises:
        FileError: it is damaged.
        UntrustedFileError: it uses opcodes that TorchScript's own pickles don't.

    >>> import pickle
    >>> read_objects(pickle.dumps((1, "a", None), protocol=2), "data.pkl")
    (1, 'a', None)
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return machine.pop()
            _step(machine, opcode.name, argument, where)
    # exceptions raised on a damaged pickle, by pickletools and by the machine above
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise FileError(f"{where}: it is damaged ({type(error).__name__})") from None
    raise FileError(f"{where}: it is cut short")


def _step(machine: _Machine, name: str, argument: Any, where: str) -> None:
    if name in _VALUES:
        machine.stack.append(argument)
    elif name in _MAKES:
        machine.stack.append(_MAKES[name]())
    elif name in _ACTS:
        _ACTS[name](machine, argument)
    else:
        raise UntrustedFileError(
            f"{where} is a pickle with the instruction {name}, which TorchScript never writes; "
            "export the model again"
        )


def _reduce(machine: _Machine, _: Any) -> None:
    function, arguments = machine.take(2)
    if not isinstance(function, Global):
        raise TypeError("function")
    machine.stack.append(Call(function.name, arguments))


def _new(machine: _Machine, _: Any) -> None:
    kind, _arguments = machine.take(2)
    if not isinstance(kind, Global):
        raise TypeError("class")
    machine.stack.append(Instance(kind.name))


def _build(machine: _Machine, _: Any) -> None:
    state = machine.pop()
    target = machine.stack[-1]
    if not isinstance(target, Instance):
        raise TypeError("state")
    target.state = state


def _set_items(machine: _Machine, items: list[Tree]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict) or len(items) % 2:
        raise TypeError("items")
    target.update(zip(items[::2], items[1::2], strict=True))


def _append(machine: _Machine, items: list[Tree]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, list):
        raise TypeError("list")
    target.extend(items)


def _put(machine: _Machine, key: Any) -> None:
    machine.memo[key] = machine.stack[-1]


_VALUES = frozenset("BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE".split())
_MAKES: Mapping[str, Callable[[], Tree]] = MappingProxyType(
    {
        "NONE": lambda: None,
        "NEWTRUE": lambda: True,
        "NEWFALSE": lambda: False,
        "EMPTY_TUPLE": tuple,
        "EMPTY_LIST": list,
        "EMPTY_DICT": dict,
    }
)
_ACTS: Mapping[str, Callable[[_Machine, Any], None]] = MappingProxyType(
    {
        "PROTO": lambda _, __: None,
        "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
        "BINPUT": _put,
        "LONG_BINPUT": _put,
        "BINGET": lambda machine, key: machine.stack.append(machine.memo[key]),
        "LONG_BINGET": lambda machine, key: machine.stack.append(machine.memo[key]),
        "GLOBAL": lambda machine, name: machine.stack.append(Global(name.replace(" ", "."))),
        "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
        "TUPLE1": lambda machine, _: machine.stack.append(machine.take(1)),
        "TUPLE2": lambda machine, _: machine.stack.append(machine.take(2)),
        "TUPLE3": lambda machine, _: machine.stack.append(machine.take(3)),
        "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
        "SETITEM": lambda machine, _: _set_items(machine, [*machine.take(2)]),
        "APPENDS": lambda machine, _: _append(machine, machine.since_mark()),
        "APPEND": lambda machine, _: _append(machine, [machine.pop()]),
        "BINPERSID": lambda machine, _: machine.stack.append(Stored(machine.pop())),
        "REDUCE": _reduce,
        "NEWOBJ": _new,
        "BUILD": _build,
    }
)
