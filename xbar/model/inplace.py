"""Operations that change their argument in place, and values that share its memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xbar.model.graph import Node, references


def mutates(node: Node) -> bool:
    """Whether an operation changes its first argument in place."""
    name = node.op.split(".")[1] if node.op.startswith("aten.") else ""
    return name.endswith("_") and not name.endswith("__") and name != "detach_"


def may_share(node: Node) -> bool:
    """Whether a node's value may share memory with its first argument."""
    if node.op == "operator.getitem":
        return True
    if not node.op.startswith("aten."):
        return False
    import torch

    from xbar.model.interpret import resolve

    call: Any = resolve(node.op, node.name)
    views = any(each.alias_info is not None for each in call._schema.returns)
    key = "CompositeImplicitAutograd"
    return views or bool(torch._C._dispatch_has_kernel_for_dispatch_key(call.name(), key))


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
                shares = _is_view(source)
            name = next(iter(references(source)), "") if shares else ""
    return None


def _is_view(node: Node) -> bool:
    from xbar.model.interpret import resolve

    call: Any = resolve(node.op, node.name)
    return any(each.alias_info is not None for each in call._schema.returns)
