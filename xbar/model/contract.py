"""Products that sum over any axes: einsum, batches of matrices, a constant on the left.

Every axis of the activations x, of the constant w and of the node's value has a label:

    in x and the value              free: one product each
    in x, w and the value           group: a matrix each
    in w and the value              output
    in x and w                      input: summed

    x ──► (products, groups, inputs) ── w (groups, outputs, inputs) ──► (products, groups, outputs)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.model.graph import Argument, Node, Ref
from xbar.model.product import Lowering, Nodes, Product, Weight, bind, find_weight, no_weight
from xbar.model.stored import shape_of

Array: TypeAlias = NDArray[Any]
Labels: TypeAlias = tuple[str, ...]

UNKNOWN = "it has arguments that are not known"
SCALED = "it scales its factors by alpha or beta"
_RANK = "the rank of its activations is not known"
_NOTHING_SUMMED = "it multiplies numbers one by one and sums nothing"


@dataclass(frozen=True)
class Contraction:
    """A product with labelled axes.

    Attributes:
        x: labels of the activations' axes.
        free, groups, inputs: labels in these roles; axes of x without a role are summed first.
        outputs: labels of the outputs.
        out: labels of the value's axes.
        sizes: size of each label of the constant.
    """

    x: Labels
    free: Labels
    groups: Labels
    inputs: Labels
    outputs: Labels
    out: Labels
    sizes: Mapping[str, int]

    @classmethod
    def read(cls, x: Labels, w: Labels, out: Labels, shape: tuple[int, ...]) -> Contraction | str:
        """Assign the roles; the reason if it is no product with a matrix.

        Args:
            x: labels of the activations' axes.
            w: labels of the constant's axes.
            out: labels of the value's axes.
            shape: shape of the constant.
        """
        if any(len({*labels}) < len(labels) for labels in (x, w, out)):
            return "it takes a diagonal"
        # an axis of one number is not shared: the activations' axis is free, or summed
        shared = {label for label, size in zip(w, shape, strict=True) if label in x and size > 1}
        groups = tuple(label for label in w if label in shared and label in out)
        inputs = tuple(label for label in w if label in shared and label not in out)
        outputs = tuple(label for label in w if label in out and label not in x)
        if any(label not in (*x, *out) for label in w):
            return "it sums its constant over an axis that the activations do not have"
        if not inputs:
            return _NOTHING_SUMMED
        free = tuple(label for label in out if label in x and label not in shared)
        return cls(x, free, groups, inputs, outputs, out, dict(zip(w, shape, strict=True)))

    def order(self, w: Labels) -> tuple[int, ...]:
        """Permutation of the constant's axes: groups, outputs, inputs; axes of one number last."""
        rest = tuple(label for label in w if label not in self.groups + self.outputs + self.inputs)
        return tuple(w.index(each) for each in self.groups + self.outputs + self.inputs + rest)

    def matrix(self, array: Array) -> Array:
        """The matrix (G, outputs, inputs) of the transposed constant."""
        return array.reshape(self._size(self.groups), self._size(self.outputs), -1)

    def unfold(self, x: Array) -> Array:
        """Activations as rows (N', G, inputs)."""
        kept = self.free + self.groups + self.inputs
        summed = tuple(i for i, label in enumerate(self.x) if label not in kept)
        labels = tuple(label for label in self.x if label in kept)
        x = x.sum(summed, dtype=x.dtype) if summed else x
        sizes = [
            size if label in self.free else self.sizes[label]
            for label, size in zip(labels, x.shape, strict=True)
        ]
        x = np.broadcast_to(x, sizes).transpose([labels.index(label) for label in kept])
        return x.reshape(-1, self._size(self.groups), self._size(self.inputs))

    def fold(self, y: Array, shape: tuple[int, ...]) -> Array:
        """Rows (N', G, outputs) as the node's value for activations of this shape."""
        of = {**self.sizes, **dict(zip(self.x, shape, strict=True))}
        free = [of[label] for label in self.free]
        known = [self.sizes[label] for label in self.groups + self.outputs]
        labels = self.free + self.groups + self.outputs
        whole = y.reshape(*free, *known)
        return whole.transpose([labels.index(label) for label in self.out])

    def positions(self, shape: Sequence[int]) -> int:
        """Products for a value of this shape."""
        return math.prod(shape) // (self._size(self.groups) * self._size(self.outputs))

    def _size(self, labels: Labels) -> int:
        return math.prod(self.sizes[label] for label in labels)


def contract(
    x: tuple[Ref, Labels],
    w: tuple[Weight, Labels],
    out: Labels,
    constants: Mapping[str, Array],
    bias: Argument = None,
) -> Product | str:
    """The product of activations and a constant with labelled axes, or why there is none."""
    weight, labels = w
    shape = shape_of(constants, weight.constant)
    found = Contraction.read(x[1], labels, out, tuple(shape[axis] for axis in weight.axes))
    if isinstance(found, str):
        return found
    axes = tuple(weight.axes[i] for i in found.order(labels))
    split = (len(found.groups), len(found.outputs))
    return Product(
        kind="linear",
        weight=Weight(weight.constant, axes, split),
        matrix=found.matrix,
        value=x[0],
        bias=bias,
        bias_axis=-1,
        unfold=found.unfold,
        fold=found.fold,
        positions=found.positions,
        whole=not (x[1][0] in found.free and out[0] == x[1][0]),
    )


def multiply(
    left: Argument,
    right: Argument,
    nodes: Nodes,
    constants: Mapping[str, Array],
    bias: Argument = None,
) -> Product | str:
    """A product of matrices, or of batches of matrices, with the constant on either side."""
    weight = find_weight(right, nodes, constants)
    other = left if weight is not None else right
    weight = weight or find_weight(left, nodes, constants)
    if weight is None:
        return no_weight({"left factor": left, "right factor": right}, nodes, constants)
    rank = _rank(other, nodes)
    if rank is None or not isinstance(other, Ref):
        return _RANK
    if other is left:
        x, w, out = _matmul_labels(rank, len(weight.axes))
    else:
        w, x, out = _matmul_labels(len(weight.axes), rank)
    return contract((other, x), (weight, w), out, constants, bias)


def _rank(argument: Argument, nodes: Nodes) -> int | None:
    shape = nodes[argument.name].shape if isinstance(argument, Ref) else None
    return len(shape) if shape else None


def _matmul_labels(left: int, right: int) -> tuple[Labels, Labels, Labels]:
    """Labels of both factors and the value; batch axes are aligned from the right.

    >>> _matmul_labels(2, 3)
    (('row', 'sum'), ('batch0', 'sum', 'column'), ('batch0', 'row', 'column'))
    """
    batch = tuple(f"batch{i}" for i in range(max(left, right) - 2))[::-1]
    rows = ("row",) if left > 1 else ()
    columns = ("column",) if right > 1 else ()
    a = (*batch[len(batch) - max(left - 2, 0) :], *rows, "sum")
    b = (*batch[len(batch) - max(right - 2, 0) :], "sum", *columns)
    return a, b, (*batch, *rows, *columns)


def _batched(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    given = bind(node, "self mat2" if node.op == "aten.bmm.default" else "self vec")
    if given is None:
        return UNKNOWN
    return multiply(given.get("self"), given.get("mat2", given.get("vec")), nodes, constants)


def _batched_add(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    given = bind(node, "self batch1 batch2")
    if given is None:
        return SCALED
    left, right = given.get("batch1"), given.get("batch2")
    return multiply(left, right, nodes, constants, given.get("self"))


def linear(
    given: tuple[Argument, Argument, Argument], nodes: Nodes, constants: Mapping[str, Array]
) -> Product | str:
    """A linear layer whose weight is one row, or whose constant is the value that it takes.

    Args:
        given: value, weight and bias.
        nodes: nodes by name.
        constants: constants by name.
    """
    value, weight, bias = given
    row, constant = find_weight(weight, nodes, constants), find_weight(value, nodes, constants)
    other, found = (value, row) if row is not None else (weight, constant)
    if found is None:
        return no_weight({"weight": weight}, nodes, constants)
    rank = _rank(other, nodes)
    if rank is None or not isinstance(other, Ref):
        return _RANK
    rows, columns = (rank, len(found.axes)) if row is not None else (len(found.axes), rank)
    x = (*(f"row{i}" for i in range(rows - 1)), "sum")
    w = (*(f"column{i}" for i in range(columns - 1)), "sum")
    out = (*x[:-1], *w[:-1])
    if row is not None:
        return contract((other, x), (found, w), out, constants, bias)
    return contract((other, w), (found, x), out, constants, bias)


def _inner(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    given = bind(node, "self other")
    if given is None:
        return UNKNOWN
    return linear((given.get("self"), given.get("other"), None), nodes, constants)


def _einsum(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    given = bind(node, "equation tensors path")
    tensors = given.get("tensors") if given else None
    if given is None or not isinstance(tensors, tuple) or not isinstance(given["equation"], str):
        return UNKNOWN
    if len(tensors) != 2:
        return f"it multiplies {len(tensors)} factors at once"
    return _labelled(tensors, given["equation"], nodes, constants)


def _labelled(
    tensors: Sequence[Argument], equation: str, nodes: Nodes, constants: Mapping[str, Array]
) -> Product | str:
    factors = dict(zip(("first factor", "second factor"), tensors, strict=True))
    weights = [find_weight(each, nodes, constants) for each in tensors]
    which = 1 if weights[1] is not None else 0
    weight, other = weights[which], tensors[1 - which]
    if weight is None:
        return no_weight(factors, nodes, constants)
    rank = _rank(other, nodes)
    if rank is None or not isinstance(other, Ref):
        return _RANK
    ranks = [rank, len(weight.axes)] if which else [len(weight.axes), rank]
    labels = _einsum_labels(equation, ranks)
    if labels is None:
        return f"its equation {equation!r} does not fit its factors"
    return contract((other, labels[1 - which]), (weight, labels[which]), labels[2], constants)


def _einsum_labels(equation: str, ranks: Sequence[int]) -> list[Labels] | None:
    """Labels of each factor and of the value; None if the equation does not fit.

    >>> _einsum_labels("...i,oi->...o", [3, 2])
    [('.1', '.0', 'i'), ('o', 'i'), ('.1', '.0', 'o')]
    >>> _einsum_labels("ij,jk", [2, 2])
    [('i', 'j'), ('j', 'k'), ('i', 'k')]
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        return None
    dots = [rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True)]
    longest = max([0, *(n for t, n in zip(terms, dots, strict=True) if "..." in t)])
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        once = sorted(each for each in {*letters} if letters.count(each) == 1)
        right = "..." * ("..." in left) + "".join(once)
    found = [_term(t, n) for t, n in zip([*terms, right], [*dots, longest], strict=True)]
    known = {label for labels in found[:-1] for label in labels}
    fits = all(len(labels) == rank for labels, rank in zip(found[:-1], ranks, strict=True))
    return found if fits and known >= {*found[-1]} else None


def _term(term: str, dots: int) -> Labels:
    before, mark, after = term.partition("...")
    ellipsis = tuple(f".{i}" for i in range(max(dots, 0)))[::-1] if mark else ()
    return (*before, *ellipsis, *after)


def _tensordot(node: Node, nodes: Nodes, constants: Mapping[str, Array]) -> Product | str:
    given = bind(node, "self other dims_self dims_other")
    sides = [given.get("self"), given.get("other")] if given else []
    axes = [given.get("dims_self"), given.get("dims_other")] if given else []
    ranks = [_rank(each, nodes) for each in sides]
    if len(ranks) != 2 or None in ranks or not all(isinstance(each, tuple) for each in axes):
        return UNKNOWN
    terms = []
    for name, rank, summed in zip("ab", ranks, axes, strict=True):
        labels = [f"{name}{i}" for i in range(rank or 0)]
        for number, axis in enumerate(summed if isinstance(summed, tuple) else ()):
            if type(axis) is not int or not -len(labels) <= axis < len(labels):
                return UNKNOWN
            labels[axis] = f"sum{number}"
        terms.append(tuple(labels))
    out = tuple(label for term in terms for label in term if not label.startswith("sum"))
    weights = [find_weight(each, nodes, constants) for each in sides]
    which = 1 if weights[1] is not None else 0
    weight, other = weights[which], sides[1 - which]
    if weight is None or not isinstance(other, Ref):
        return no_weight({"first factor": sides[0], "second factor": sides[1]}, nodes, constants)
    return contract((other, terms[1 - which]), (weight, terms[which]), out, constants)


CONTRACTIONS: Mapping[str, Lowering] = MappingProxyType(
    {
        "aten.bmm.default": _batched,
        "aten.mv.default": _batched,
        "aten.baddbmm.default": _batched_add,
        "aten.einsum.default": _einsum,
        "aten.inner.default": _inner,
        "aten.tensordot.default": _tensordot,
    }
)
"""Lowering of each operation that sums over labelled axes, by name."""
