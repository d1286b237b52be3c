"""The weights in a checkpoint: which of its tensors are the network's, and by which names.

People save a state dict alone, under a name beside an optimiser's state, in parts, or with a prefix
on every name, from what the module was wrapped in:

    {"epoch": 3, "state_dict": {"model.fc.weight": ..., "model.fc.bias": ..., "loss.weight": ...}}
                                 ^^^^^^ prefix

Whatever was assumed is told in notes; what stays ambiguous is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.errors import FileError, ModelError
from xbar.model.tensors import is_widened
from xbar.tables import count, few

Array: TypeAlias = NDArray[Any]

MOST_ENTRIES = 200_000
"""Maximum number of entries of a checkpoint, counted as often as they are shared."""
_DEEPEST = 12
_MOST_PREFIXES = 100
_WRAPPERS = frozenset(
    ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"]
)
"""Attributes by which DataParallel, torch.compile, FSDP and others hold what they wrap."""
_OF_TRAINING = re.compile(
    r"optim|sched|scaler|rng|callback|loops?(\.|$)|exp_avg|momentum|grad|hyper_param|hparams|config",
    re.I,
)
_AVERAGED = re.compile(r"(^|[._])(ema|swa)([._]|$)|averag|shadow|teacher", re.I)
_COUNTERS = re.compile(r"(.*\.)?(n_averaged|num_batches_tracked|total_ops|total_params)")
"""Entries that no network computes with: counters of averaging, batch norm and profilers."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A tensor of a checkpoint.

    Attributes:
        container: keys of the dictionary that holds it, outermost first.
        key: its key there.
        dtype: name of its type in the file.
        load: reads its numbers.
        equal: whether the file stores it under another name only.
    """

    container: tuple[str, ...]
    key: str
    dtype: str
    load: Callable[[], Array]
    equal: bool = False

    @property
    def path(self) -> str:
        """All its keys, dotted."""
        return ".".join((*self.container, self.key))

    @property
    def name(self) -> str:
        """The dotted keys without the attributes of wrappers.

        >>> Entry(("model",), "module.fc.weight", "float32", lambda: None).name
        'model.fc.weight'
        """
        return without_wrappers(self.path)


def without_wrappers(path: str) -> str:
    """A dotted name without the attributes by which wrappers hold a module."""
    return ".".join(part for part in path.split(".") if part not in _WRAPPERS)


@dataclass(frozen=True, eq=False)
class Chosen:
    """The network's tensors in a checkpoint.

    Attributes:
        entries: entries by the module's own names.
        unused: entries next to those that have no place in the module.
        missing: the module's names without an entry.
        notes: what was assumed.
    """

    entries: Mapping[str, Entry]
    unused: tuple[Entry, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def list_entries(
    tree: Any, wrap: Callable[[Any, str], tuple[str, Callable[[], Array]] | None], where: str
) -> list[Entry]:
    """All tensors in nested dictionaries, lists and tuples, in order.

    Args:
        tree: the object in the file.
        wrap: called with a part of it and its dotted keys; returns the name of a tensor's type and
            its loader, or None for anything else.
        where: file name for messages.

    Raises:
        FileError: it has more than ``MOST_ENTRIES`` entries.
    """
    found: list[Entry] = []
    seen = 0
    stack: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    while stack:
        keys, part = stack.pop()
        seen += 1
        if seen > MOST_ENTRIES:
            raise FileError(f"{where}: it has more than {MOST_ENTRIES} entries")
        loader = wrap(part, ".".join(keys))
        if loader is not None:
            found.append(Entry(keys[:-1], keys[-1] if keys else "", *loader))
        elif len(keys) < _DEEPEST and isinstance(part, (Mapping, list, tuple)):
            pairs = part.items() if isinstance(part, Mapping) else enumerate(part)
            inside = [((*keys, str(key)), value) for key, value in pairs]
            if seen + len(stack) + len(inside) > MOST_ENTRIES:
                raise FileError(f"{where}: it has more than {MOST_ENTRIES} entries")
            stack += reversed(inside)
    return found


Wanted: TypeAlias = Sequence[Mapping[str, str]]
"""For each tensor of the module its names without wrappers, each with the module's own name."""


def choose_for(names: Sequence[frozenset[str]], entries: Sequence[Entry], where: str) -> Chosen:
    """The entries of a module's tensors.

    Args:
        names: names of each of the module's tensors that need a value; a tied one has several.
        entries: tensors of the file.
        where: file name for messages.

    Raises:
        ModelError: the file holds the network's weights several times.
    """
    exact: Wanted = [{name: name for name in sorted(each)} for each in names]
    table = _table(entries, lambda entry: entry.path)
    if _hits(exact, table, "") == len(exact):
        return _chosen(exact, table, "")
    wanted: Wanted = [{without_wrappers(name): name for name in sorted(each)} for each in names]
    table = _table(entries, lambda entry: entry.name)
    fits = [p for p in _prefixes(wanted, table) if _hits(wanted, table, p) == len(wanted)]
    if len(fits) > 1:
        fits, told = _preferred(fits, where)
        chosen = _chosen(wanted, table, fits[0])
        return replace(chosen, notes=(*chosen.notes, *told))
    if not fits:
        for shorter in _shortened(wanted):
            for prefix in _prefixes(shorter, table):
                if _hits(shorter, table, prefix) == len(wanted):
                    return _chosen(shorter, table, prefix)
    nearest = max(_prefixes(wanted, table), key=lambda p: _hits(wanted, table, p))
    return _chosen(wanted, table, fits[0] if fits else nearest)


def _table(entries: Iterable[Entry], name: Callable[[Entry], str]) -> dict[str, list[Entry]]:
    table: dict[str, list[Entry]] = {}
    for entry in entries:
        table.setdefault(name(entry), []).append(entry)
    return table


def _prefixes(wanted: Wanted, table: Mapping[str, Any]) -> list[str]:
    """What stands before the names of the module's first tensor, shortest first."""
    found = {""}
    for name in wanted[0] if wanted else ():
        found |= {each[: -len(name)] for each in table if each.endswith(f".{name}")}
    return sorted(found, key=lambda prefix: (len(prefix), prefix))[:_MOST_PREFIXES]


def _hits(wanted: Wanted, table: Mapping[str, Any], prefix: str) -> int:
    return sum(any(prefix + name in table for name in each) for each in wanted)


def _shortened(wanted: Wanted) -> Iterator[Wanted]:
    """The module's names without each leading part that all its tensors have."""
    names = [name.split(".") for name in wanted[0]] if wanted else []
    for lead in (".".join(parts[:i]) + "." for parts in names for i in range(1, len(parts))):
        cut = [{n[len(lead) :]: own for n, own in e.items() if n.startswith(lead)} for e in wanted]
        if all(cut):
            yield cut


def is_averaged(name: str) -> bool:
    """Whether a name says that the weights under it are averages or copies of others.

    >>> is_averaged("ema"), is_averaged("model"), is_averaged("schema")
    (True, False, False)
    """
    return _AVERAGED.search(name) is not None


def _preferred(fits: list[str], where: str) -> tuple[list[str], tuple[str, ...]]:
    """The one of several sets of weights that is neither averaged nor an optimiser's."""
    plain = [p for p in fits if not _OF_TRAINING.search(p) and not _AVERAGED.search(p)]
    if len(plain) != 1:
        raise ModelError(
            f"{where}: it holds the network's weights several times, under "
            f"{few([repr(p.rstrip('.')) for p in fits])}; save the one that you want alone"
        )
    others = few([repr(p.rstrip(".")) for p in fits if p not in plain])
    return plain, (f"the weights under {others} are not used",)


def _chosen(wanted: Wanted, table: Mapping[str, list[Entry]], prefix: str) -> Chosen:
    used: dict[str, Entry] = {}
    missing: list[str] = []
    for each in wanted:
        found = [
            (own, table[prefix + name]) for name, own in each.items() if prefix + name in table
        ]
        missing += [] if found else [next(iter(each.values()))]
        for own, same in found:
            if len(same) > 1:
                raise ModelError(f"several entries stand for {own}: {few([e.path for e in same])}")
            used[own] = same[0]
    taken = {id(entry) for entry in used.values()}
    holders = {entry.container for entry in used.values()}
    near: list[Entry] = []
    far: list[Entry] = []
    for entry in (e for same in table.values() for e in same if id(e) not in taken):
        beside = not used or (entry.container in holders and entry.name.startswith(prefix))
        (near if beside else far).append(entry)
    unused = tuple(e for e in near if not _COUNTERS.fullmatch(e.path))
    return Chosen(used, unused, tuple(missing), tuple(_notes(used, far)))


def _notes(used: Mapping[str, Entry], far: Iterable[Entry]) -> Iterator[str]:
    changed = next(((own, e.path) for own, e in used.items() if e.path != own), None)
    if changed is not None:
        yield f"the weights have other names in the file: {changed[0]} is {changed[1]} there"
    others = [
        e.path for e in far if not _OF_TRAINING.search(e.path) and not _COUNTERS.fullmatch(e.path)
    ]
    if others:
        yield f"tensors of the file that are not used: {few(others)}"


def choose_alone(entries: Sequence[Entry], where: str) -> Chosen:
    """The entries of the only state dict in a checkpoint, without knowledge of the network.

    Raises:
        ModelError: there are several.
    """
    holders: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        if not any(_OF_TRAINING.search(key) for key in entry.container):
            holders.setdefault(entry.container, []).append(entry)
    weights = [c for c, inside in holders.items() if any(_is_weight(e.key) for e in inside)] or [
        *holders
    ]
    told: tuple[str, ...] = ()
    if len(weights) > 1:
        by_text = {".".join(each): each for each in weights}
        (kept, *_), told = _preferred([*by_text], where)
        weights = [by_text[kept]]
    chosen = holders[weights[0]]
    kept_entries = [e for e in chosen if not _COUNTERS.fullmatch(e.key)]
    plain = {without_wrappers(e.key): e for e in kept_entries}
    if len(plain) != len(kept_entries):
        plain = {e.key: e for e in kept_entries}
    return Chosen(plain, notes=(*_notes(plain, ()), *told))


def type_notes(entries: Iterable[Entry]) -> tuple[str, ...]:
    """What is told of tensors whose type numpy lacks."""
    widened = Counter(each.dtype for each in entries if is_widened(each.dtype))
    return tuple(
        f"{count(number, 'tensor')} stored as {dtype}: computed as float32"
        for dtype, number in widened.items()
    )


def _is_weight(key: str) -> bool:
    return key.endswith("weight")
