"""Runs a graph with PyTorch, node by node.

Operations are looked up in ``torch.ops.aten`` after a check against the allow-list; the products of
layers can be delegated to another multiplier (a chip). Values are freed after their last use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from xbar.errors import ModelError, SpecError
from xbar.model.graph import Argument, Graph, Multiply, Node, Ref, Tag, references
from xbar.model.lower import find_products
from xbar.model.operations import NUMERIC, UNWRITTEN, check_operation, has_effect
from xbar.model.product import Product
from xbar.model.stored import StoredArrays, is_stored
from xbar.model.threads import one_torch_thread

Array: TypeAlias = NDArray[Any]

CHUNK = 256
"""Batch size."""
_LOOK_UP = "aten.embedding.default"
_SMALL = 1 << 16
"""Numbers of a constant in a file that is kept once it was read."""
_UNFOLDED = 1 << 24
"""Maximum number of elements of an unfolded slice of a batch: 128 MiB."""
# what PyTorch operations raise for invalid arguments; anything else is a bug in xbar
TORCH_ERRORS = (
    RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, ZeroDivisionError,
    OverflowError, AssertionError, AttributeError, KeyError, MemoryError,
)  # fmt: skip


def run_graph(graph: Graph, inputs: Array, multiply: Multiply | None = None) -> Array:
    """See :meth:`Graph.run`; the inputs are already validated."""
    runner = _Runner(graph, multiply)
    size = graph.batch or CHUNK
    parts = [inputs[i : i + size] for i in range(0, len(inputs), size)]
    whole = len(parts) == 1
    with one_torch_thread(), torch.no_grad():
        if getattr(multiply, "by_layer", False):
            found = runner.run(parts, whole)
        else:
            found = [runner.run([part], whole)[0] for part in parts]
    if whole and not runner.keeps(found[0]):
        return found[0]
    return np.concatenate(found)


@dataclass
class _Runner:
    """A prepared graph: operations resolved, what is needed and last uses known.

    Constants are read when they are first used. Large ones that lie in files are not kept, and the
    weights of products that are delegated are not read at all.
    """

    graph: Graph
    multiply: Multiply | None
    products: Mapping[str, Product] = field(init=False)
    matrices: Mapping[str, tuple[str, tuple[int, ...]]] = field(init=False)
    calls: Mapping[str, Callable[..., Any]] = field(init=False)
    needed: tuple[Node, ...] = field(init=False)
    named: Mapping[str, str] = field(init=False)
    kept: dict[str, torch.Tensor] = field(init=False)
    last: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.matrices = {
            node: (layer.name, layer.shape)
            for layer in (self.graph.layers if self.multiply else ())
            for node in layer.nodes
        }
        products = find_products(self.graph) if self.multiply else {}
        self.products = {name: products[name] for name in self.matrices}
        self.calls = {
            node.name: resolve(node.op, node.name)
            for node in self.graph.nodes
            if node.op not in ("input", "constant")
        }
        self.needed = self._needed()
        self.named = {n.name: str(n.args[0]) for n in self.needed if n.op == "constant"}
        self.kept = {}
        self.last = {name: node.name for node in self.needed for name in self._used(node)}

    def _used(self, node: Node) -> set[str]:
        """The values that a node takes: of a delegated product not the weight."""
        product = self.products.get(node.name)
        if product is None:
            return {*references(node)}
        given = (product.value, product.bias)
        return {each.name for each in given if isinstance(each, Ref)}

    def _needed(self) -> tuple[Node, ...]:
        """The nodes to run, in order."""
        needed = {self.graph.output.name}
        kept = []
        for node in reversed(self.graph.nodes):
            if node.name in needed or has_effect(node.op):
                kept.append(node)
                needed |= self._used(node)
        return tuple(reversed(kept))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the delegated products: their multiplier's own, else float64."""
        return np.dtype(getattr(self.multiply, "dtype", np.float64))

    def constant(self, name: str) -> torch.Tensor:
        """A constant by name."""
        if name in self.kept:
            return self.kept[name]
        array = self.graph.constants[name]
        stored = is_stored(self.graph.constants, name)
        # a copy, so that in-place operations can't modify the graph's weights
        tensor = torch.from_numpy(array if stored else np.array(array))
        if not stored or array.size <= _SMALL:
            self.kept[name] = tensor
        return tensor

    def keeps(self, output: Array) -> bool:
        """Whether an output may lie in the memory of a constant, which nobody may write to."""
        return any(np.may_share_memory(output, each.numpy()) for each in self.kept.values())

    def run(self, parts: Sequence[Array], whole: bool) -> list[Array]:
        """Outputs for slices of the batch, all of which pass a node before any the next one.

        A fixed batch is padded by repetition. A network that adds rows to its batch can only run on
        the whole of it.
        """
        padded = [self._padded(part) for part in parts]
        values = [_Values(self) for _ in parts]
        for node in self.needed:
            done = [
                name
                for name in self._used(node)
                if self.last[name] == node.name and name != self.graph.output.name
            ]
            for inputs, known in zip(padded, values, strict=True):
                if node.op != "constant":
                    known[node.name] = self._value(node, known, inputs)
                for name in done:
                    known.pop(name, None)
        return [
            self._output(known[self.graph.output.name], inputs, len(part), whole)
            for known, inputs, part in zip(values, padded, parts, strict=True)
        ]

    def _padded(self, inputs: Array) -> Array:
        missing = (self.graph.batch or 0) - len(inputs)
        return inputs if missing <= 0 else np.concatenate([inputs, inputs[-1:].repeat(missing, 0)])

    def _output(self, output: Any, inputs: Array, count: int, whole: bool) -> Array:
        if whole and _has_more_rows(output, len(inputs)) and self.graph.batch is None:
            return np.asarray(output.numpy(force=True))
        if not isinstance(output, torch.Tensor) or output.shape[:1] != (len(inputs),):
            got = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            raise ModelError(
                f"the network must return one tensor whose first axis is the batch "
                f"({len(inputs)}), not {got}; wrap the model in a module that does"
            )
        array: Array = output[:count].numpy(force=True)
        return array

    def _value(self, node: Node, values: Mapping[str, Any], inputs: Array) -> Any:
        if node.op == "input":
            return torch.from_numpy(np.array(inputs))
        if node.name in self.products:
            return self._product(node, values)
        if node.op == _LOOK_UP and (rows := self._looked_up(node, values)) is not None:
            return rows
        args = [torch_argument(each, values) for each in node.args]
        kwargs = {name: torch_argument(each, values) for name, each in node.kwargs.items()}
        try:
            return self.calls[node.name](*args, **kwargs)
        except TORCH_ERRORS as error:
            if node.op == _LOOK_UP:
                _check_places(node.name, args)
            raise ModelError(
                f"{node.name}: {node.op} failed: {first_line(error)}; if it works for another "
                f"number of inputs, the file was traced for that number: export it for any"
            ) from None

    def _looked_up(self, node: Node, values: Mapping[str, Any]) -> torch.Tensor | None:
        """Rows of a large table that lies in a file; None for other tables."""
        table, index = node.args[:2]
        if not isinstance(table, Ref) or not isinstance(index, Ref) or table.name in values:
            return None
        name, constants = self.named.get(table.name), self.graph.constants
        if name is None or name in self.kept or not isinstance(constants, StoredArrays):
            return None
        place = values[index.name]
        shape = constants.shape(name)
        large = is_stored(constants, name) and len(shape) == 2 and math.prod(shape) > _SMALL
        if not large or place.dtype not in (torch.int64, torch.int32) or not place.numel():
            return None
        if int(place.min()) < 0 or int(place.max()) >= shape[0]:
            return None  # PyTorch says what is wrong
        return torch.from_numpy(constants.rows(name, place.numpy(force=True)))

    def _product(self, node: Node, values: Mapping[str, Any]) -> torch.Tensor:
        product, (layer, shape) = self.products[node.name], self.matrices[node.name]
        x = values[product.value.name]
        if not isinstance(x, torch.Tensor):
            raise ModelError(f"{layer}: it multiplies a {type(x).__name__}, not a tensor")
        array: Array = x.numpy(force=True)
        step = max(1, _UNFOLDED // max(1, array[:1].size * product.growth))
        step = len(array) if product.whole else step
        parts = [
            self._piece(product, layer, shape, array[i : i + step])
            for i in range(0, max(1, len(array)), step)
        ]
        out = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if isinstance(product.bias, Ref):
            out = _add_bias(out, values[product.bias.name], product.bias_axis, layer)
        return torch.from_numpy(np.ascontiguousarray(out)).to(x.dtype)

    def _piece(self, product: Product, layer: str, shape: tuple[int, ...], array: Array) -> Array:
        assert self.multiply is not None
        if not len(array):  # as an expert whom no token chose
            return product.fold(np.zeros((0, *shape[:2])), array.shape)
        try:
            rows = np.ascontiguousarray(product.unfold(array), dtype=self.dtype)
        except (ValueError, IndexError, MemoryError) as error:
            raise ModelError(f"{layer}: inputs {array.shape} do not fit: {error}") from None
        if rows.shape[1:] != (shape[0], shape[2]):
            raise ModelError(
                f"{layer}: it multiplies (products, {shape[0]}, {shape[2]}), not {rows.shape}"
            )
        out = np.asarray(self.multiply(layer, rows), dtype=self.dtype)
        want = (len(rows), shape[0], shape[1])
        if out.shape != want:
            raise SpecError(f"{layer}: multiply must return {want}, not {out.shape}")
        return product.fold(out, array.shape)


class _Values(dict[str, Any]):
    """Values by node; a constant is read when it is first asked for."""

    def __init__(self, runner: _Runner) -> None:
        super().__init__()
        self._runner = runner

    def __missing__(self, name: str) -> torch.Tensor:
        self[name] = self._runner.constant(self._runner.named[name])
        tensor: torch.Tensor = self[name]
        return tensor


def _has_more_rows(output: Any, count: int) -> bool:
    return isinstance(output, torch.Tensor) and output.ndim > 0 and len(output) > count


def _check_places(name: str, args: Sequence[Any]) -> None:
    """Refuse rows that a table, the first argument, has not."""
    if len(args) < 2 or not all(isinstance(each, torch.Tensor) for each in args[:2]):
        return
    table, places = args[:2]
    if not table.ndim:
        return
    wrong = places[(places < 0) | (places >= len(table))]
    if wrong.numel():
        raise ModelError(
            f"{name}: what is looked up, such as tokens, must be from 0 to {len(table) - 1}, the "
            f"rows of the table, not {int(wrong.flatten()[0])}"
        )


def _add_bias(out: Array, bias: Any, axis: int, layer: str) -> Array:
    if not isinstance(bias, torch.Tensor):
        raise ModelError(f"{layer}: its bias must be a tensor, not a {type(bias).__name__}")
    array: Array = bias.numpy(force=True)
    if array.ndim == 1:
        array = array.reshape(-1, *[1] * (out.ndim - 1 - axis % out.ndim))
    try:
        total: Array = out + array
    except ValueError:
        raise ModelError(
            f"{layer}: a bias of shape {tuple(bias.shape)} can't be added to {out.shape}"
        ) from None
    return total


def resolve(op: str, where: str) -> Callable[..., Any]:
    """The function of an operation's name.

    Raises:
        UntrustedFileError, ModelError: it is not allowed, or missing in this version of PyTorch.
    """
    check_operation(op, where)
    if op in NUMERIC:
        return NUMERIC[op]
    _, name, overload = op.split(".")
    try:
        found = getattr(getattr(torch.ops.aten, name), overload)
    except AttributeError:
        found = None
    if not isinstance(found, torch._ops.OpOverload):
        raise ModelError(
            f"{where}: PyTorch {torch.__version__} has no operation {op}; "
            "use the version that exported the model"
        )
    return _zeroed(found) if name in UNWRITTEN else found


def _zeroed(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Memory that nobody has written is 0, so that a result never depends on what was there."""

    def call(*args: Any, **kwargs: Any) -> torch.Tensor:
        return function(*args, **kwargs).zero_()

    return call


def torch_argument(argument: Argument, values: Mapping[str, Any]) -> Any:
    """Convert an argument for PyTorch, with references resolved."""
    if isinstance(argument, Ref):
        return values[argument.name]
    if isinstance(argument, Tag):
        return torch.device("cpu") if argument.kind == "device" else getattr(torch, argument.value)
    if isinstance(argument, tuple):
        return [torch_argument(item, values) for item in argument]
    return argument


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
