"""Inputs and outputs of an exported archive: the one that is taken, the one that is returned.

Sizes that are open in the archive are symbols. The batch size stays open; the caller's input shape
and the shapes of bound inputs fix the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.errors import ModelError, SpecError
from xbar.model.arguments import BFLOAT16, DTYPES, JSON, computed_as
from xbar.model.graph import Input, Node, Ref, references
from xbar.model.naming import fresh
from xbar.model.operations import has_effect
from xbar.model.signature import Shape, note_rows
from xbar.model.sizes import evaluate, symbols_of
from xbar.model.source import Source

Array: TypeAlias = NDArray[Any]

_DEEPEST = 20


@dataclass
class Ports:
    """The archive's inputs and outputs.

    Attributes:
        module: JSON of the graph module.
        source: file and the caller's options.
        sizes: known symbols; the batch is 1.
        batch: symbol of the batch size, None if that is fixed.
        constants: bound inputs by name.
        notes: what was assumed of them.
    """

    module: JSON
    source: Source
    sizes: dict[str, int] = field(default_factory=dict)
    batch: str | None = None
    constants: dict[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def output(self) -> tuple[Ref, tuple[str, ...]]:
        """The value that is returned, and what was assumed.

        Raises:
            ModelError: there are several and none is chosen, or the model changes its state.
        """
        where, specs = self.source.where, self.module["signature"]["output_specs"]
        kinds = [kind for spec in specs for ((kind, _),) in [spec.items()]]
        if set(kinds) - {"user_output"}:
            raise ModelError(
                f"{where}: the model changes its own state when it runs ({kinds[0]}); "
                "call model.eval() before exporting it"
            )
        paths = _paths(self.module, len(specs))
        named = [
            (str(spec["user_output"]["arg"]["as_tensor"]["name"]), path)
            for spec, path in zip(specs, paths, strict=True)
            if "as_tensor" in spec["user_output"]["arg"]
        ]
        names = [(path, node) for node, path in named]
        index, notes = self.source.wanted.output_of(names, where)
        described = self.module["graph"]["tensor_values"].values()
        if any(each["dtype"] == BFLOAT16 for each in described):
            notes = (*notes, "what the model computes in bfloat16 is computed in float32")
        return Ref(named[index][0]), notes

    def place(self, nodes: Sequence[Node], output: Ref) -> tuple[list[Node], Input, int | None]:
        """Choose the input and bind the others.

        Args:
            nodes: all nodes, one of operation "input" for each input.
            output: the node that is returned.

        Returns:
            The nodes with one input, that input, and the batch size if it is fixed.
        """
        inputs = [node.name for node in nodes if node.op == "input"]
        used = _needed(nodes, output.name)
        named = self.source.wanted.bind
        # an input that nothing depends on needs no value
        asked = [n for n in inputs if n in used or n in named or len(inputs) == 1] or inputs
        chosen = self.source.wanted.input_of(asked, self.source.where)
        self._know(chosen)
        batch = None if self.batch else self._fixed_batch(chosen)
        bound: list[Node] = []
        for name in asked:
            if name != chosen:
                bound += self._bind(name, chosen, batch, {node.name for node in nodes})
        gone = {*inputs} - {*asked}
        kept = []
        for node in nodes:
            if node.name in gone or gone & {*references(node)}:
                gone.add(node.name)
            elif node.op != "input" or node.name == chosen:
                kept.append(node)
        cut = sum(1 for _ in takewhile(lambda node: node.op in ("input", "constant"), kept))
        return [*kept[:cut], *bound, *kept[cut:]], self._input(chosen), batch

    def batch_first(self, output: Ref, batch: int | None) -> tuple[list[Node], tuple[str, ...]]:
        """Nodes that give the output the batch as its first axis, and what was done for that.

        Raises:
            ModelError: it has no batch axis, though the batch is open.
        """
        sizes = self._sizes(output.name)
        name, axes = f"{output.name}_of_batch", range(len(sizes or ()))
        if not sizes or self._is_batch(sizes[0]):
            return [], ()
        if batch is not None:
            if batch > 1 or sizes[0].get("as_int") == 1:
                return [], ()
            note = "the output has no batch axis: each input has the whole output"
            return [Node(name, "aten.unsqueeze.default", (output, 0))], (note,)
        found = [axis for axis in axes if self._is_batch(sizes[axis])]
        if len(found) == 1:
            order = (found[0], *(axis for axis in axes if axis != found[0]))
            note = f"axis {found[0]} of the output is the batch, and comes first"
            return [Node(name, "aten.permute.default", (output, order))], (note,)
        if "as_int" in sizes[0]:
            raise ModelError(
                f"{self.source.where}: its output has no batch axis; export it for a batch of one"
            )
        return [], ()

    def _is_batch(self, size: JSON) -> bool:
        return self.batch is not None and _symbol(size) == self.batch

    def shape(self, name: str) -> Shape | None:
        """A value's shape for one input, None for open sizes; None if it is no tensor."""
        sizes = self._sizes(name)
        return None if sizes is None else tuple(_size(each, self.sizes) for each in sizes)

    def _sizes(self, name: str) -> list[JSON] | None:
        meta = self.module["graph"]["tensor_values"].get(name)
        return None if meta is None else meta["sizes"]

    def _know(self, name: str) -> None:
        """Learn the symbols of the input: the batch size, and what the caller's shape says."""
        sizes, given = self._sizes(name) or [], self.source.input_shape or ()
        if sizes and "as_expr" in sizes[0]:
            symbols = symbols_of(sizes[0]["as_expr"]["expr_str"])
            self.batch = next(iter(symbols)) if len(symbols) == 1 else None
        if self.batch:
            self.sizes[self.batch] = 1
        if len(given) == len(sizes) - 1:
            for size, got in zip(sizes[1:], given, strict=True):
                self._set(_symbol(size), got, "input_shape")

    def _set(self, symbol: str | None, size: int, what: str) -> None:
        if symbol and self.sizes.setdefault(symbol, size) != size:
            raise SpecError(
                f"{self.source.where}: {what} gives {size} for a size that is "
                f"{self.sizes[symbol]} elsewhere"
            )

    def _fixed_batch(self, name: str) -> int | None:
        sizes = self._sizes(name)
        batch = sizes[0].get("as_int") if sizes else None
        return batch if type(batch) is int and batch > 0 else None

    def _bind(self, name: str, chosen: str, batch: int | None, taken: set[str]) -> list[Node]:
        """Nodes of a bound input: a constant, repeated along the batch axis at run time."""
        sizes = self._sizes(name) or []
        wanted, where = self.source.wanted, self.source.where
        array = wanted.value(name, self.shape(name), self._dtype(name), where, batch)
        for size, got in zip(sizes, array.shape, strict=True):
            self._set(_symbol(size), got, f"bind {name}")
        self.constants[name] = array
        self.notes += note_rows(name, array, batch)
        batched = [self.batch is not None and _symbol(size) == self.batch for size in sizes]
        if not any(batched):
            return [Node(name, "constant", (name,))]
        once, count = (fresh(f"{name}_{each}", taken) for each in ("once", "count"))
        shape = tuple(Ref(count) if open_ else -1 for open_ in batched)
        return [
            Node(once, "constant", (name,), {}, array.shape),
            Node(count, "aten.sym_size.int", (Ref(chosen), 0)),
            Node(name, "aten.expand.default", (Ref(once), shape)),
        ]

    def _dtype(self, name: str) -> str:
        code = self.module["graph"]["tensor_values"][name]["dtype"]
        dtype = computed_as(DTYPES.get(code, "unknown"))
        if dtype == "unknown" or dtype.startswith("complex"):
            where = self.source.where
            raise ModelError(f"{where}: inputs of type {dtype} are not supported; use float32")
        return dtype

    def _input(self, name: str) -> Input:
        shape = self.shape(name)
        return Input(name, (None, *shape[1:]) if shape else (), self._dtype(name))


def _needed(nodes: Sequence[Node], output: str) -> set[str]:
    """The nodes that an output depends on, and what in-place operations and assertions use."""
    needed = {output}
    for node in reversed(nodes):
        if node.name in needed or has_effect(node.op):
            needed.update(references(node))
    return needed


def _symbol(size: JSON) -> str | None:
    """The symbol that a size is; None for a number or a formula."""
    if "as_expr" not in size:
        return None
    symbols = symbols_of(size["as_expr"]["expr_str"])
    text = str(size["as_expr"]["expr_str"])
    plain = text.startswith("Symbol(") or text in symbols
    return next(iter(symbols)) if len(symbols) == 1 and plain else None


def _size(size: JSON, known: Mapping[str, int]) -> int | None:
    if "as_int" not in size:
        return evaluate(size["as_expr"]["expr_str"], known)
    value = size["as_int"]
    if type(value) is not int:
        raise TypeError(f"a size must be a whole number, not {value!r}")
    return value


def _paths(module: JSON, count: int) -> list[str]:
    """Names of the outputs: keys of the model's dictionary or named tuple, or their numbers."""
    numbers = [str(i) for i in range(count)]
    try:
        _, tree = json.loads(module["module_call_graph"][0]["signature"]["out_spec"])
        found = _leaves(tree, "", 0)
    # the text is for naming only; a model without it, or with another form of it, is read as well
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return numbers
    return found if len(found) == count and len({*found}) == count and all(found) else numbers


def _leaves(tree: JSON, path: str, depth: int) -> list[str]:
    if depth > _DEEPEST:
        raise ValueError("depth")
    if tree["type"] is None:
        return [path]
    children = tree["children_spec"]
    keys = _keys(tree["context"], len(children))
    below = [f"{path}.{key}" if path else key for key in keys]
    return [
        leaf
        for child, name in zip(children, below, strict=True)
        for leaf in _leaves(child, name, depth + 1)
    ]


def _keys(context: JSON, count: int) -> list[str]:
    try:
        keys = json.loads(context) if isinstance(context, str) else context
    except ValueError:
        keys = None
    if isinstance(keys, list) and keys and isinstance(keys[0], list):
        keys = keys[0]  # a cache's keys, and further attributes
    if isinstance(keys, list) and len(keys) == count and all(isinstance(k, str) for k in keys):
        return [str(key) for key in keys]
    return [str(i) for i in range(count)]
