"""Tokens as a language model takes them: windows of a stream, and what is scored in each.

    stream      t0 t1 t2 t3 t4 t5 t6 t7 t8 t9        window 4, stride 2
    windows     t0 t1 t2 t3                          scored: t1 t2 t3
                      t2 t3 t4 t5                            t4 t5
                            t4 t5 t6 t7                      t6 t7
                                  t6 t7 t8 t9                t8 t9

A token is scored once, by what the network says at the place before it. The stride tells how many
are scored in a window: the smaller it is, the more a token has before it. The last window reaches
back, so that all windows are full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import one_integer
from xbar.errors import SpecError
from xbar.model.graph import Graph, Node, references
from xbar.model.stored import shape_of
from xbar.tables import count

Array: TypeAlias = NDArray[Any]
Whole: TypeAlias = NDArray[np.int64]

WINDOW = 256
"""Default number of tokens of a window, where the network takes any."""
NOT_SCORED = -1
"""Label of a place that is not scored."""
MOST_TOKENS = 1 << 27
"""Most tokens of a run: their windows are a gigabyte."""
_MOST = 1 << 31
_SAME_NUMBERS = frozenset(
    "view reshape _unsafe_view squeeze unsqueeze flatten _to_copy to clone contiguous alias detach "
    "expand slice select".split()
)


@dataclass(frozen=True)
class Windows:
    """The caller's choice of windows.

    Attributes:
        window: tokens of a window; None for the network's own number, or 256.
        stride: tokens from one window to the next; None for a whole window.
        tokens: number of tokens that are used, from the first; None for all.
    """

    window: int | None = None
    stride: int | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        for name, low in (("window", 2), ("stride", 1), ("tokens", 2)):
            value = getattr(self, name)
            if value is not None:
                one_integer(value, name, low, _MOST)

    def refuse(self) -> None:
        """Refuse a choice for data that are no stream of tokens."""
        given = [name for name in ("window", "stride", "tokens") if getattr(self, name) is not None]
        if given:
            raise SpecError(
                f"{' and '.join(given)} must be left out unless the data are one stream of tokens "
                "(whole numbers, one axis) for a network that takes tokens (N, T)"
            )

    def cut(self, stream: Array, graph: Graph) -> tuple[Array, Whole, tuple[str, ...]]:
        """Windows of a stream.

        Args:
            stream: tokens, one axis; only those that are used are read.
            graph: network that takes them.

        Returns:
            Tokens (N, T); number of each window's first places (N,) whose own token was in the
            window before; and what was assumed.

        Raises:
            SpecError: the stream is too short, or the network does not take windows of that size.
        """
        total = min(len(stream), self.tokens or len(stream))
        if total > MOST_TOKENS:
            raise SpecError(
                f"tokens must be given for a stream of {len(stream):,}: at most {MOST_TOKENS:,} "
                "are used at once, such as --tokens 100000"
            )
        own, most = graph.inputs[0].shape[1], graph.inputs[0].most
        window = self.window or own or min(WINDOW, most or WINDOW, max(total, 2))
        if own not in (None, window) or (own is None and most is not None and window > most):
            raise SpecError(
                f"window must be {own or f'at most {most}'}, the tokens that the network takes, "
                f"not {window}"
            )
        if total < window:
            raise SpecError(f"there must be at least {window} tokens, one window, not {total}")
        stride = self.stride or window
        if stride > window:
            raise SpecError(f"stride must be at most the window, {window}, not {stride}")
        starts = [*range(0, total - window, stride), total - window]
        cut = np.stack([np.asarray(stream[at : at + window]) for at in starts])
        if int(cut.max()) < 2**63:  # others are refused as what they are
            cut = cut.astype(np.int64)
        ends = np.array([0, *(at + window for at in starts[:-1])])
        seen = np.maximum(ends - np.array(starts), 0)
        told = f"{count(len(starts), 'window')} of {window} tokens"
        if len(starts) > 1:
            told += f", one every {stride}" if stride < window else ", one after another"
        note = f"{told}, from {total} of the stream's {len(stream)} tokens"
        return cut, seen, (note,)


def is_stream(inputs: Array, graph: Graph) -> bool:
    """Whether data are one stream of tokens for a network that takes them in rows.

    Raises:
        SpecError: they are one, but of numbers that are not of a whole type.
    """
    want = graph.inputs[0]
    if inputs.ndim != 1 or len(want.shape) != 2 or np.dtype(want.dtype).kind not in "iu":
        return False
    if inputs.dtype.kind not in "iu":
        _refuse_type(inputs)
    return True


def _refuse_type(tokens: Array) -> NoReturn:
    raise SpecError(
        f"tokens must be whole numbers, not {tokens.dtype}; save them as numpy.uint16 or another "
        "type of whole numbers"
    )


def leading(inputs: Array, graph: Graph, most: int) -> Array:
    """The first inputs of some data, at most so many, or the tokens of as many windows."""
    if is_stream(inputs, graph):
        want = graph.inputs[0]
        most *= want.shape[1] or min(WINDOW, want.most or WINDOW)
    return inputs[:most] if inputs.ndim else inputs


def vocabulary(graph: Graph) -> int | None:
    """Number of tokens that a network knows: rows of the table that its input looks up."""
    same = {graph.inputs[0].name}
    nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        name = node.op.split(".")[1] if node.op.startswith("aten.") else ""
        used = references(node)
        if name in _SAME_NUMBERS and used[:1] and used[0] in same:
            same.add(node.name)
        if name == "embedding" and len(used) > 1 and used[1] in same:
            table = nodes[used[0]]
            if table.op == "constant":
                return shape_of(graph.constants, str(table.args[0]))[0]
    return None


def check_tokens(tokens: Array, graph: Graph, seen: Whole | None = None) -> None:
    """Check that tokens are in the network's vocabulary.

    Args:
        tokens: inputs (N, ...) of the network.
        graph: the network.
        seen: as from ``Windows.cut``, whose windows are called so in the message; None for rows.

    Raises:
        SpecError: one is not, and where the first one is; or they are no whole numbers.
    """
    known = vocabulary(graph)
    if known is None:
        return
    if tokens.dtype.kind not in "iu":
        if np.dtype(graph.inputs[0].dtype).kind in "iu":
            _refuse_type(tokens)
        return
    wrong = (tokens < 0) | (tokens >= known)
    if wrong.any():
        row, *place = (int(i) for i in np.argwhere(wrong)[0])
        of = "input" if seen is None else "window"
        raise SpecError(
            f"tokens must be from 0 to {known - 1}, the network's vocabulary, not "
            f"{tokens[(row, *place)]} at place {place[0] if place else 0} of {of} {row}; "
            f"{count(int(wrong.sum()), 'token')} in all"
        )
