"""Operations that change their argument in place, and values that share its memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xbar.model.graph import Node, references
from xbar.model.operations import is_in_place


def mutates(node: Node) -> bool:
    """Whether an operation changes its first argument in place."""
    return is_in_place(node.op) and not node.op.startswith("aten.detach_.")


def may_share(node: Node) -> bool:
    """Whether a node's value may share memory with its first argument."""
    if node.op == "operator.getitem":
        return True
    if not node.op.startswith("aten."):
        return False
    import torch

    call, key = _operation(node), "CompositeImplicitAutograd"
    if not isinstance(call, torch._ops.OpOverload):
        return False  # new memory, which stands in for memory that nobody has written
    return _is_view(call) or bool(torch._C._dispatch_has_kernel_for_dispatch_key(call.name(), key))


_SAME_MEMORY = frozenset(
    str.split(
        "reshape reshape_as contiguous to flatten unflatten ravel type_as expand_as view_as "
        "broadcast_to movedim moveaxis swapaxes swapdims narrow chunk tensor_split numpy_T"
    )
)
"""Operations that return their argument or a view of it, without saying so in their schema."""


def changed_constant(nodes: Mapping[str, Node]) -> tuple[str, str] | None:
    """An operation that changes a constant of the network in place, and the constant, if any.

    Args:
        nodes: nodes by name, in execution order.
    """
    for node in nodes.values():
        name = next(iter(references(node)), "") if mutates(node) else ""
        while name:
            source = nodes[name]
            if source.op == "constant":
                return node.name, str(source.args[0])
            base = source.op.split(".")[1]
            shares = base == "getitem" or base in _SAME_MEMORY or mutates(source)
            if not shares and source.op.startswith("aten."):
                shares = _is_view(_operation(source))
            name = next(iter(references(source)), "") if shares else ""
    return None


def _operation(node: Node) -> Any:
    from xbar.model.interpret import resolve

    return resolve(node.op, node.name)


def _is_view(call: Any) -> bool:
    """Whether an operation says that its value shares memory with an argument.

    Memory that nobody has written is made by a function of xbar's own, without a schema: it is new.
    """
    schema = getattr(call, "_schema", None)
    return schema is not None and any(each.alias_info is not None for each in schema.returns)
