"""Converts an ONNX model to a graph, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from xbar.errors import ModelError, UntrustedFileError, XbarError
from xbar.model.build import Builder, for_any_batch
from xbar.model.draws import refuse_operator
from xbar.model.graph import Graph, Ref
from xbar.model.onnx.context import Context, Convert, Known, Operator, Value
from xbar.model.onnx.elementwise import ELEMENTWISE
from xbar.model.onnx.file import Tensors, all_tensors, parse
from xbar.model.onnx.fold import can_fold, fold
from xbar.model.onnx.layers import LAYERS
from xbar.model.onnx.ports import Ports
from xbar.model.onnx.quantised import QUANTISED
from xbar.model.onnx.recurrent import RECURRENT
from xbar.model.onnx.resize import RESIZE
from xbar.model.onnx.shapes import SHAPES
from xbar.model.source import Source

OPERATORS: Mapping[str, Convert] = MappingProxyType(
    {**LAYERS, **ELEMENTWISE, **SHAPES, **RECURRENT, **RESIZE, **QUANTISED}
)
"""Converter of each operator, by ONNX name."""
_DOMAINS = ("", "ai.onnx")
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
        ports = Ports.read(model.graph, constants, source)
        converter = _Converter(model, tensors, {**constants, **ports.bound}, ports)
        if ports.batch is not None:
            return converter.graph(ports.batch)
        return for_any_batch(converter.graph)
    except RecursionError:
        raise ModelError(f"{source.where}: its graphs are nested too deeply") from None


class _Converter:
    """Converts one model, for one or several batch sizes."""

    def __init__(
        self, model: Any, tensors: Tensors, constants: Mapping[str, Known], ports: Ports
    ) -> None:
        self.model, self.tensors, self.constants = model, tensors, constants
        self.ports, self.where = ports, ports.where
        self.version = next(
            (int(each.version) for each in model.opset_import if each.domain in _DOMAINS), 1
        )

    def graph(self, batch: int | None) -> Graph:
        """The network for a batch size; None for any."""
        ports = self.ports
        builder = Builder(ports.shape, ports.dtype, batch)
        context = Context(builder)
        values: dict[str, Value] = {**self.constants, ports.taken: builder.input}
        for number, node in enumerate(ports.nodes):
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
            values |= dict(zip(node.output, found, strict=False))
        output = values.get(ports.returned)
        if output is None:
            raise ModelError(f"{self.where}: no node computes its output")
        ref = output if isinstance(output, Ref) else context.ref(output)
        return builder.graph(ref, ports.notes)

    def _node(self, context: Context, node: Any, values: Mapping[str, Value]) -> list[Value]:
        if node.domain not in _DOMAINS or node.op_type not in OPERATORS:
            refuse_operator(node.op_type)
            domain = f" of {node.domain[:40]}" if node.domain not in _DOMAINS else ""
            raise ModelError(
                f"the operator {node.op_type[:40]}{domain} is not converted; "
                "write the model with operators of the common set"
            )
        missing = next((name for name in node.input if name and name not in values), None)
        if missing is not None:
            raise ModelError(f"it uses {missing[:60]!r}, which no earlier node computes")
        operator = Operator(
            kind=node.op_type,
            inputs=tuple(values[name] if name else None for name in node.input),
            attributes={each.name: self._attribute(each) for each in node.attribute},
            outputs=len(node.output),
            version=self.version,
        )
        if can_fold(operator):
            return [fold(context, operator)]
        made = OPERATORS[node.op_type](context, operator)
        return [made] if isinstance(made, (Ref, Known)) else list(made)

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
