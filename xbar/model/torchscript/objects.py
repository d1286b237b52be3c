"""Parses a pickle to a tree of data: nothing is imported, constructed or called.

TorchScript writes pickles with a few opcodes, ``torch.save`` with a few more. A small stack machine
reads these and gives :class:`Instance` for an object, :class:`Call` for what a loader would call,
and :class:`Stored` for a tensor's storage; any other opcode is refused.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, Any, TypeAlias

from xbar.errors import FileError, UntrustedFileError

Tree: TypeAlias = Any
"""Numbers, text, None, lists, tuples, dicts, and the classes below."""
MOST_STEPS = 5_000_000
"""Maximum number of instructions in the pickle of a saved file."""


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
    names: list[str] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)

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
    return _parsed(data, where, _Machine(), _ACTS)


def read_saved_objects(
    file: IO[bytes], where: str
) -> tuple[Tree, tuple[str, ...], tuple[Stored, ...]]:
    """Parse the next pickle of a ``torch.save`` file, of any protocol.

    Dictionaries keep text and ordinary numbers as keys and lose other entries; objects that behave
    like dictionaries, lists or sets lose their items.

    Returns:
        the tree, the names that an unpickler would import, and the storages that it refers to.

    Raises:
        FileError: it is damaged, or has more than ``MOST_STEPS`` instructions.
        UntrustedFileError: it uses opcodes that ``torch.save`` never writes.

    >>> import collections, io, pickle
    >>> state = collections.OrderedDict(a=1)
    >>> read_saved_objects(io.BytesIO(pickle.dumps(state, protocol=4)), "data.pkl")
    ({'a': 1}, ('collections.OrderedDict',), ())
    """
    machine = _Machine()
    tree = _parsed(file, where, machine, _SAVED_ACTS)
    return tree, tuple(machine.names), tuple(machine.stored)


def _parsed(
    data: bytes | IO[bytes],
    where: str,
    machine: _Machine,
    acts: Mapping[str, Callable[[_Machine, Any], None]],
) -> Tree:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of text with odd escapes, from pickletools
            for step, (opcode, argument, _) in enumerate(pickletools.genops(data)):
                if opcode.name == "STOP":
                    return machine.pop()
                if step >= MOST_STEPS:
                    raise FileError(f"{where}: its pickle has more than {MOST_STEPS} instructions")
                _step(machine, opcode.name, argument, where, acts)
    # exceptions raised on a damaged pickle, by pickletools and by the machine above
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise FileError(f"{where}: it is damaged ({type(error).__name__})") from None
    raise FileError(f"{where}: it is cut short")


def _step(
    machine: _Machine,
    name: str,
    argument: Any,
    where: str,
    acts: Mapping[str, Callable[[_Machine, Any], None]],
) -> None:
    if name in _VALUES:
        machine.stack.append(argument)
    elif name in _MAKES:
        machine.stack.append(_MAKES[name]())
    elif name in acts:
        acts[name](machine, argument)
    else:
        raise UntrustedFileError(
            f"{where} is a pickle with the instruction {name}, which PyTorch never writes; "
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


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _name(machine: _Machine, name: str) -> None:
    machine.names.append(name)
    machine.stack.append(Global(name))


def _named_on_stack(machine: _Machine, _: Any) -> None:
    module, name = machine.take(2)
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("name")
    _name(machine, f"{module}.{name}")


def _saved_call(machine: _Machine, _: Any) -> None:
    function, arguments = machine.take(2)
    if not isinstance(function, Global):
        machine.names.append("a computed function")
        machine.stack.append(Call("", arguments))
    elif function.name in _DICTS:
        machine.stack.append({})
        if function.name == "collections.OrderedDict" and arguments:
            pairs = arguments[0]  # as written by early pickle protocols
            _keep_items(machine, [each for key, value in pairs for each in (key, value)])
    else:
        machine.stack.append(Call(function.name, arguments))


def _saved_new(machine: _Machine, count: int) -> None:
    kind = machine.take(count)[0]
    if not isinstance(kind, Global):
        raise TypeError("class")
    machine.stack.append({} if kind.name in _DICTS else Instance(kind.name))


def _saved_build(machine: _Machine, _: Any) -> None:
    state, target = machine.pop(), machine.stack[-1]
    if isinstance(target, Instance):
        target.state = state


def _keep_items(machine: _Machine, items: list[Tree]) -> None:
    target = machine.stack[-1]
    if len(items) % 2:
        raise TypeError("items")
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            # other keys are never a weight's name, and can be made to collide
            if isinstance(key, str) or (type(key) is int and abs(key) < 1 << 60):
                target[key] = value


def _keep_members(machine: _Machine, items: list[Tree]) -> None:
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].extend(items)


def _drop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


def _drop_to_mark(machine: _Machine, _: Any) -> None:
    machine.since_mark()


def _dictionary(machine: _Machine, _: Any) -> None:
    items = machine.since_mark()
    machine.stack.append({})
    _keep_items(machine, items)


def _storage(machine: _Machine, _: Any) -> None:
    description = machine.pop()
    if description[0] == "module":  # a class and its source text, before zip files
        machine.stack.append(description[1])
        return
    machine.stored.append(Stored(description))
    machine.stack.append(machine.stored[-1])


_DICTS = frozenset(["collections.OrderedDict", "collections.defaultdict", "collections.Counter"])
_PLAIN = (
    "INT LONG LONG4 FLOAT STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE8 "
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
)
_SAVED_ACTS: Mapping[str, Callable[[_Machine, Any], None]] = MappingProxyType(
    {
        **_ACTS,
        **dict.fromkeys(_PLAIN.split(), _push),
        "FRAME": lambda _, __: None,
        "PUT": _put,
        "MEMOIZE": lambda machine, _: _put(machine, len(machine.memo)),
        "GET": lambda machine, key: machine.stack.append(machine.memo[key]),
        "POP": _drop,
        "POP_MARK": _drop_to_mark,
        "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
        "GLOBAL": lambda machine, name: _name(machine, name.replace(" ", ".")),
        "STACK_GLOBAL": _named_on_stack,
        "DICT": _dictionary,
        "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
        "EMPTY_SET": lambda machine, _: machine.stack.append([]),
        "FROZENSET": lambda machine, _: machine.stack.append(machine.since_mark()),
        "ADDITEMS": lambda machine, _: _keep_members(machine, machine.since_mark()),
        "APPENDS": lambda machine, _: _keep_members(machine, machine.since_mark()),
        "APPEND": lambda machine, _: _keep_members(machine, [machine.pop()]),
        "SETITEMS": lambda machine, _: _keep_items(machine, machine.since_mark()),
        "SETITEM": lambda machine, _: _keep_items(machine, [*machine.take(2)]),
        "BINPERSID": _storage,
        "REDUCE": _saved_call,
        "NEWOBJ": lambda machine, _: _saved_new(machine, 2),
        "NEWOBJ_EX": lambda machine, _: _saved_new(machine, 3),
        "BUILD": _saved_build,
    }
)
"""What ``torch.save`` writes beyond TorchScript: all protocols, and objects beside the tensors."""
