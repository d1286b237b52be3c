"""Converts an ONNX model to a graph, node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from xbar.errors import ModelError, UntrustedFileError, XbarError
from xbar.model.build import Builder, for_any_batch
from xbar.model.draws import refuse_operator
from xbar.model.graph import Graph, Ref
from xbar.model.onnx.context import Attributes, Context, Convert, Known, Operator, Value
from xbar.model.onnx.elementwise import ELEMENTWISE
from xbar.model.onnx.file import Tensors, all_tensors, parse
from xbar.model.onnx.fold import LargeError, can_fold, fold
from xbar.model.onnx.indexing import INDEXING
from xbar.model.onnx.integers import CONTRIBUTED, INTEGERS
from xbar.model.onnx.layers import LAYERS
from xbar.model.onnx.order import check_single, in_order
from xbar.model.onnx.pools import POOLS
from xbar.model.onnx.ports import Ports
from xbar.model.onnx.quantised import QUANTISED
from xbar.model.onnx.recurrent import DYNAMIC_RECURRENT, RECURRENT
from xbar.model.onnx.resize import RESIZE
from xbar.model.onnx.schema import DOMAINS, MICROSOFT, schema
from xbar.model.onnx.shapes import SHAPES
from xbar.model.source import Source

OPERATORS: Mapping[str, Convert] = MappingProxyType(
    {
        **LAYERS, **POOLS, **ELEMENTWISE, **SHAPES, **INDEXING, **RECURRENT, **RESIZE,
        **QUANTISED, **INTEGERS,
    }
)  # fmt: skip
"""Converter of each operator, by ONNX name."""
HARMLESS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "BatchNormalization": ("momentum",),
        "Dropout": ("ratio", "seed"),
        "Cast": ("saturate", "round_mode"),
        "CastLike": ("saturate", "round_mode"),
        "QuantizeLinear": ("saturate",),
        "Resize": ("extrapolation_value", "cubic_coeff_a", "nearest_mode"),
    }
)
"""Attributes without effect: of training, of 8-bit floating point and of crops, which are refused,
and of one of several modes."""
# exceptions raised on attributes that are invalid for an operator
_MALFORMED = (TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError)


def read_onnx(data: bytes, path: Path, source: Source) -> Graph:
    """The network in an ONNX file.

    Raises:
        FileError: it is damaged, or a file with its weights is missing.
        UntrustedFileError: weights are outside the model's folder.
        ModelError: an operator is not supported, or of several inputs and outputs none is chosen.
        SpecError: the input's shape is missing or does not match.
        ToolError: onnx or PyTorch is not installed.
    """
    model = parse(data, source.where)
    source.refuse_state_options("an ONNX model")
    tensors = Tensors(path)
    try:
        tensors.check(all_tensors(model.graph))
        constants = {
            tensor.name: Known(tensors.read(tensor), tensor.name)
            for tensor in model.graph.initializer
        }
        if model.graph.sparse_initializer:
            raise ModelError(f"{source.where}: sparse weights are not converted")
        _check_names(model.graph, constants, source.where)
        ports = Ports.read(model.graph, constants, source)
        converter = _Converter(model, tensors, {**constants, **ports.bound}, ports)
        if ports.batch is not None:
            return converter.graph(ports.batch)
        return for_any_batch(converter.graph)
    except RecursionError:
        raise ModelError(f"{source.where}: its graphs are nested too deeply") from None


def _check_names(graph: Any, constants: Mapping[str, Known], where: str) -> None:
    try:
        check_single(graph.node, {*constants, *(each.name for each in graph.input)})
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from None


class _Converter:
    """Converts one model, for one or several batch sizes."""

    def __init__(
        self, model: Any, tensors: Tensors, constants: Mapping[str, Known], ports: Ports
    ) -> None:
        self.model, self.tensors, self.constants = model, tensors, constants
        self.ports, self.where = ports, ports.where
        self.version = next(
            (int(each.version) for each in model.opset_import if each.domain in DOMAINS), 1
        )

    def graph(self, batch: int | None) -> Graph:
        """The network for a batch size; None for any."""
        ports = self.ports
        builder = Builder(ports.shape, ports.dtype, batch)
        context = Context(builder)
        values: dict[str, Value] = {**self.constants, ports.taken: builder.input}
        self._nodes(context, ports.nodes, values)
        output = values.get(ports.returned)
        if output is None:
            raise ModelError(f"{self.where}: no node computes its output")
        ref = output if isinstance(output, Ref) else context.ref(output)
        return builder.graph(ref, (*ports.notes, *context.notes))

    def _nodes(self, context: Context, given: Sequence[Any], values: dict[str, Value]) -> None:
        """Convert nodes, and add their results to the values."""
        try:
            nodes = in_order(given, values)
        except ModelError as error:
            raise ModelError(f"{self.where}: {error}") from None
        for number, node in enumerate(nodes):
            label = f"{self.where}: node {(node.name or str(number))[:60]!r} ({node.op_type[:40]})"
            try:
                found = self._node(context, node, values)
            except UntrustedFileError:
                raise
            except XbarError as error:
                raise type(error)(f"{label}: {error}") from None
            except _MALFORMED as error:
                text = " ".join(str(error).split())[:120]
                raise ModelError(f"{label} is malformed ({type(error).__name__}: {text})") from None
            values |= {name: each for name, each in zip(node.output, found, strict=False) if name}

    def _node(self, context: Context, node: Any, values: Mapping[str, Value]) -> Sequence[Value]:
        missing = next((name for name in node.input if name and name not in values), None)
        if missing is not None:
            raise ModelError(f"it uses {missing[:60]!r}, which no node computes")
        if node.op_type == "If" and node.domain in DOMAINS:
            return self._branch(context, node, values)
        convert = _converter(node)
        operator = self._operator(node, values)
        made: Value | Sequence[Value]
        try:
            folds = can_fold(operator) and node.domain in DOMAINS
            made = fold(context, operator) if folds else convert(context, operator)
        except LargeError:
            made = convert(context, operator)
        unread = [
            n for n in operator.attributes.unread() if n not in HARMLESS.get(node.op_type, ())
        ]
        if unread:
            raise ModelError(f"its attribute {unread[0][:40]!r} is not converted")
        return [made] if isinstance(made, (Ref, Known)) else made

    def _operator(self, node: Any, values: Mapping[str, Value]) -> Operator:
        """A node with its inputs, and its attributes as the specification has them."""
        table = schema(node.op_type, self.version, "" if node.domain in DOMAINS else node.domain)
        given = {each.name: self._attribute(each) for each in node.attribute}
        unknown = next((name for name in given if name not in table.allowed), None)
        if unknown is not None:
            raise ModelError(
                f"it has an attribute {unknown[:40]!r}, which version {self.version} of the "
                "operator set does not know"
            )
        return Operator(
            kind=node.op_type,
            inputs=tuple(values[name] if name else None for name in node.input),
            attributes=Attributes(given, table.defaults),
            outputs=len(node.output),
            version=self.version,
        )

    def _branch(self, context: Context, node: Any, values: Mapping[str, Value]) -> list[Value]:
        """Results of an If: those of the branch that its constant condition takes."""
        test = values[node.input[0]]
        if isinstance(test, Ref) and not context.is_constant(test):
            raise ModelError("its condition is computed from the input, so the network may vary")
        name = "then_branch" if context.scalar(test) else "else_branch"
        inner = next((each.g for each in node.attribute if each.name == name), None)
        if inner is None:
            raise ModelError(f"it has no {name}")
        own = {
            tensor.name: Known(self.tensors.read(tensor), tensor.name)
            for tensor in inner.initializer
        }
        known: dict[str, Value] = {**values, **own}
        self._nodes(context, inner.node, known)
        missing = next((each.name for each in inner.output if each.name not in known), None)
        if missing is not None:
            raise ModelError(f"its branch returns {missing[:60]!r}, which no node computes")
        return [known[each.name] for each in inner.output]

    def _attribute(self, attribute: Any) -> Any:
        """Value of an attribute: a number, text, numbers, or an array."""
        kinds = {1: "f", 2: "i", 6: "floats", 7: "ints"}
        if attribute.type in kinds:
            value = getattr(attribute, kinds[attribute.type])
            return value if attribute.type in (1, 2) else list(value)
        if attribute.type == 3:
            return attribute.s.decode(errors="replace")
        if attribute.type == 4:
            return self.tensors.read(attribute.t)
        if attribute.type == 8:
            return [each.decode(errors="replace") for each in attribute.strings]
        raise ModelError(
            f"its attribute {attribute.name[:40]!r} is of a kind that is not converted"
        )


def _converter(node: Any) -> Convert:
    tables = {**dict.fromkeys(DOMAINS, OPERATORS), MICROSOFT: {**CONTRIBUTED, **DYNAMIC_RECURRENT}}
    found = tables.get(node.domain, {}).get(node.op_type)
    if found is None:
        refuse_operator(node.op_type)
        domain = f" of {node.domain[:40]}" if node.domain not in DOMAINS else ""
        raise ModelError(
            f"the operator {node.op_type[:40]}{domain} is not converted; "
            "write the model with operators of the common set"
        )
    return found
