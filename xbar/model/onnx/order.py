"""Order of a model's nodes: a file may list them in any, each of its values being made once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from xbar.errors import ModelError


def in_order(nodes: Sequence[Any], known: Iterable[str]) -> list[Any]:
    """Nodes, each after those that it uses; a sound order is kept.

    Args:
        nodes: NodeProtos.
        known: names of the values that are there before.

    Raises:
        ModelError: nodes use each other in a circle, or two compute one value.
    """
    nodes = list(nodes)
    check_single(nodes, known)
    maker = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    needs = [{maker[n] for n in names_used(node) if n in maker} for node in nodes]
    if all(max(need, default=-1) < place for place, need in enumerate(needs)):
        return nodes
    return [nodes[place] for place in _sorted(needs, nodes)]


def check_single(nodes: Iterable[Any], known: Iterable[str]) -> None:
    """Reject nodes of which two compute one value, or one computes a value that is there before.

    Raises:
        ModelError: a value has two origins, so that its reading would depend on the reader.
    """
    taken = {*known}
    for node in nodes:
        for name in node.output:
            if name in taken and name:
                raise ModelError(f"two nodes compute {name[:60]!r}, or one a given value")
            taken.add(name)


def _sorted(needs: list[set[int]], nodes: list[Any]) -> list[int]:
    users: list[list[int]] = [[] for _ in needs]
    for place, need in enumerate(needs):
        for each in need:
            users[each].append(place)
    open_needs = [len(need) for need in needs]
    ready = [place for place, count in enumerate(open_needs) if not count]
    heapify(ready)
    order: list[int] = []
    while ready:
        place = heappop(ready)
        order.append(place)
        for user in users[place]:
            open_needs[user] -= 1
            if not open_needs[user]:
                heappush(ready, user)
    if len(order) < len(nodes):
        first = next(place for place, count in enumerate(open_needs) if count)
        label = nodes[first].name or str(first)
        raise ModelError(f"node {label[:60]!r} waits for its own result: the graph has a circle")
    return order


def names_used(node: Any) -> Iterator[str]:
    """Names of the values that a node uses, in its subgraphs too."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield from each.input
        for attribute in each.attribute:
            for inner in (attribute.g, *attribute.graphs):
                stack.extend(inner.node)
                yield from (output.name for output in inner.output)
