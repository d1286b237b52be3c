"""Evaluation of what depends on a network's constants only.

Masks, norms, sums of low rank, casts and slices of parameters are computed with PyTorch's own
operations in the file's own types, as the network would compute them, on one thread, so that the
result does not depend on the number of cores. Sizes are found with fake tensors first: a value
larger than the constants justify is not made.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.errors import ModelError
from xbar.model.draws import reason
from xbar.model.graph import Argument, Node, Ref, references
from xbar.model.inplace import may_share, mutates
from xbar.model.operations import UNWRITTEN
from xbar.model.pytorch import require_torch
from xbar.model.stored import outline, size_of
from xbar.model.work import combinations, work_of

Array: TypeAlias = NDArray[Any]

MOST = 1 << 24
"""Numbers that an evaluated value may have at most, however small the constants."""
GROWTH = 16
"""Numbers that it may have for each number of all constants together, if that is more."""
MOST_WORK = 1 << 31
"""Multiplications and additions for all values together, however small the constants."""
WORK = 1 << 14
"""The same for each number of all constants together, if that is more."""
MOST_NODES = 10_000
"""Operations on constants that are evaluated at most."""
_TOO_MANY = f"it takes more than {MOST_NODES} operations on constants"
_UNKNOWN = "its size depends on the numbers"
_ALIVE = 4
"""Numbers held at one time, relative to those of a value."""
_MOST_SOURCES = 1000
"""Nodes looked at for the constants behind a value."""
_BOUNDED = frozenset(
    ["nonzero", "masked_select", "index", "_local_scalar_dense", "item", "unique2"]
)
"""Operations whose result has a size that depends on values, but not more numbers than axes x the
numbers of their arguments."""


class Constants:
    """A network's nodes whose values depend on constants only."""

    def __init__(self, nodes: Iterable[Node], constants: Mapping[str, Array]) -> None:
        """Find them.

        Args:
            nodes: nodes in execution order.
            constants: the constants by name.
        """
        self.arrays = constants
        self.nodes: dict[str, Node] = {}
        self._place: dict[str, int] = {}
        self._readers: dict[str, int] = {}  # first node that reads a value and is not constant
        self._count = 0
        for node in nodes:
            self.add(node)

    def add(self, node: Node) -> None:
        """Add the next node of the network."""
        self._count += 1
        for found in ("mutators", "changed", "read_changed", "unsettled"):
            self.__dict__.pop(found, None)
        used = references(node)
        if node.op == "input" or any(name not in self.nodes for name in used):
            for name in used:
                self._readers.setdefault(name, self._count)
        elif "assert" not in node.op:
            self.nodes[node.name] = node
            self._place[node.name] = self._count

    def __contains__(self, name: object) -> bool:
        return name in self.nodes

    def computed(self, argument: Argument) -> bool:
        """Whether an argument is computed from constants only, and is not one itself."""
        return (
            isinstance(argument, Ref)
            and argument.name in self.nodes
            and self.nodes[argument.name].op != "constant"
        )

    def before(self, names: Iterable[str]) -> list[Node]:
        """The nodes that these depend on, and themselves, in order."""
        stack = list(names)
        needed = set(stack)
        while stack:
            name = stack.pop()
            more = (*references(self.nodes[name]), *(self.mutators if name in self.changed else ()))
            stack += {*more} - needed
            needed.update(more)
        return [node for name, node in self.nodes.items() if name in needed]

    def sources(self, name: str) -> list[str]:
        """Names of the constants that a value depends on, nearest arguments first."""
        found: dict[str, None] = {}
        seen, stack = {name}, [name]
        while stack and len(seen) < _MOST_SOURCES:
            node = self.nodes[stack.pop()]
            if node.op == "constant":
                found[str(node.args[0])] = None
            for each in reversed(references(node)):
                if each not in seen:
                    seen.add(each)
                    stack.append(each)
        return list(found)

    @cached_property
    def mutators(self) -> tuple[str, ...]:
        """Operations that change a value in place."""
        return tuple(name for name, node in self.nodes.items() if mutates(node))

    @cached_property
    def changed(self) -> frozenset[str]:
        """Values that are changed in place, under all their names."""
        found: set[str] = set()
        for name in self.mutators:
            stack = [name]
            while stack:
                each = stack.pop()
                found.add(each)
                if may_share(self.nodes[each]):
                    stack += [n for n in references(self.nodes[each])[:1] if n not in found]
        if found:
            for name, node in self.nodes.items():
                if references(node)[:1] and references(node)[0] in found and may_share(node):
                    found.add(name)
        return frozenset(found)

    @cached_property
    def read_changed(self) -> tuple[str, ...]:
        """Computed values that depend on changed ones and that the rest of the network reads."""
        depend = set(self.changed)
        for name, node in self.nodes.items():
            if any(each in depend for each in references(node)):
                depend.add(name)
        return tuple(n for n in self._readers if n in depend and self.nodes[n].op != "constant")

    @cached_property
    def unsettled(self) -> str | None:
        """Why changes in place can't be done once before the network runs; None if they can."""
        last = max((self._place[name] for name in self.mutators), default=0)
        for name in self.changed:
            if self.nodes[name].op == "constant":
                return f"the network changes its own constant {self.nodes[name].args[0]} in place"
            if self._readers.get(name, last) < last:
                return f"{name} is changed in place after its use"
        return None

    def evaluate(self, names: Iterable[str]) -> dict[str, Array | str]:
        """Values by name, or why they are not evaluated.

        Raises:
            ToolError: PyTorch is not installed.
        """
        wanted = dict.fromkeys(names)
        if not wanted:
            return {}
        require_torch("evaluating a network's constants")
        return _Evaluation(self, self.before(wanted)).run(list(wanted))

    def refusals(self, names: Iterable[str]) -> dict[str, str]:
        """Why values are not evaluated, as far as it shows without evaluating them.

        Raises:
            ToolError: PyTorch is not installed.
        """
        wanted = dict.fromkeys(names)
        if not wanted:
            return {}
        require_torch("evaluating a network's constants")
        found = _Evaluation(self, self.before(wanted), only_sizes=True).run(list(wanted))
        return {name: why for name, why in found.items() if isinstance(why, str)}


class _Evaluation:
    """One pass over nodes; a value is freed after its last use."""

    def __init__(self, constants: Constants, nodes: list[Node], only_sizes: bool = False) -> None:
        from xbar.model.probe import Probe

        self.constants, self.nodes, self.only_sizes = constants, nodes, only_sizes
        self.last = {name: node.name for node in nodes for name in references(node)}
        given = sum(size_of(constants.arrays, name) for name in constants.arrays)
        self.most = max(MOST, GROWTH * given)
        self.work = max(MOST_WORK, WORK * given)
        self.kept = self.alive = 0
        self.probe = Probe(1)
        self.fakes: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.refused: dict[str, str] = {}

    def run(self, wanted: list[str]) -> dict[str, Array | str]:
        """The wanted values, or why there is none."""
        if len(self.nodes) > MOST_NODES:
            return dict.fromkeys(wanted, _TOO_MANY)
        found: dict[str, Array | str] = {}
        changed, awaited = self.constants.changed, {*wanted}
        with _one_thread():
            for node in self.nodes:
                why = self._step(node)
                if why is not None:
                    self.refused[node.name] = why
                self.alive += _numbers(self.fakes.get(node.name, 0))
                if node.name in awaited and node.name not in changed:
                    found[node.name] = self._array(node.name)
                for name in {node.name, *references(node)} - changed:
                    if self.last.get(name, node.name) == node.name:
                        self.values.pop(name, None)
                        self.alive -= _numbers(self.fakes.pop(name, 0))
            found |= {name: self._array(name) for name in wanted if name in changed}
        return found

    def _array(self, name: str) -> Array | str:
        import torch

        from xbar.model.pytorch import as_array

        if name in self.refused:
            return self.refused[name]
        value = self.values[name]
        if isinstance(value, (bool, int, float)):
            return np.array(value)
        self.kept += _numbers(value)
        if self.kept > self.most:
            return f"all values computed from constants exceed {self.most} numbers together"
        if not isinstance(value, torch.Tensor) or value.is_complex():
            return f"{name} is not a tensor of real numbers"
        if self.only_sizes:
            return np.empty(0)
        try:
            return np.array(as_array(value, name), order="C")
        except ModelError as error:
            return str(error)

    def _step(self, node: Node) -> str | None:
        """Compute a node's value; the reason if it is not computed."""
        import torch

        from xbar.model.interpret import TORCH_ERRORS, first_line, resolve, torch_argument

        why = next((self.refused[n] for n in references(node) if n in self.refused), None)
        if why is not None:
            return why
        if node.op == "constant":
            arrays, name = self.constants.arrays, str(node.args[0])
            self.fakes[node.name] = self.probe.constant(outline(arrays, name))
            known = self.only_sizes
            value = self.fakes[node.name] if known else torch.from_numpy(arrays[name])
            self.values[node.name] = value
            self.alive -= size_of(arrays, name)  # held anyway
            return None
        if node.name in self.constants.changed and self.constants.unsettled is not None:
            return self.constants.unsettled
        call = resolve(node.op, node.name)
        if _undetermined(node):
            return f"{node.name} ({node.op}) draws random numbers, or leaves them undefined"
        why = self._too_much(node)
        if why is not None:
            return why
        if self.only_sizes:
            self.values[node.name] = self.fakes.get(node.name, 0)
            return None if node.name in self.fakes else _UNKNOWN
        given = [torch_argument(each, self.values) for each in node.args]
        named = {key: torch_argument(each, self.values) for key, each in node.kwargs.items()}
        try:
            self.values[node.name] = call(*given, **named)
        except TORCH_ERRORS as error:
            return f"{node.name} ({node.op}) fails: {first_line(error)}"
        if node.name not in self.fakes:
            self.fakes[node.name] = self._fake(self.values[node.name])
        return None

    def _too_much(self, node: Node) -> str | None:
        """Whether a node's value is too large, or takes too much work, from fake tensors."""
        used = [self.fakes[name] for name in references(node)]
        taken = [_numbers(each) for each in used]
        try:
            fake = self.probe.apply(node.op, node.args, node.kwargs, self.fakes)
        except ModelError as error:
            if node.op.split(".")[1] not in _BOUNDED:
                return f"{node.name}: {error}"
            numbers = 8 * max(taken, default=1)
        else:
            self.fakes[node.name] = fake
            numbers = _numbers(fake)
        if numbers > self.most:
            return (
                f"{node.name} ({node.op}) makes {numbers} numbers from constants, "
                f"more than the limit of {self.most}"
            )
        inside = combinations(node, [tuple(getattr(each, "shape", ())) for each in used])
        if self.alive + max(numbers, inside) > _ALIVE * self.most:
            return f"{node.name} ({node.op}) is one of too many large values made from constants"
        self.work -= max(work_of(node.op, taken, numbers), inside)
        if self.work < 0:
            return f"{node.name} ({node.op}) exceeds the work that is spent on constants"
        return None

    def _fake(self, value: Any) -> Any:
        import torch

        if isinstance(value, torch.Tensor):
            return self.probe.tensor(tuple(value.shape), str(value.dtype).removeprefix("torch."))
        if isinstance(value, (list, tuple)):
            return [self._fake(each) for each in value]
        return value


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch on one thread, without gradients and warnings about a file's operations."""
    import torch

    from xbar.model.threads import one_torch_thread

    with one_torch_thread(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # read-only arrays, and what the file's operations say
        yield


def _numbers(fake: Any) -> int:
    if isinstance(fake, (list, tuple)):
        return sum(map(_numbers, fake))
    return int(fake.numel()) if hasattr(fake, "numel") else 1


def _undetermined(node: Node) -> bool:
    """Whether an operation draws random numbers, or leaves its result uninitialised."""
    return bool(reason(node)) or node.op.split(".")[1] in UNWRITTEN
