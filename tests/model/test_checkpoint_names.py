"""However names in a checkpoint are wrapped, each weight is the right one or is refused."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.errors import ModelError
from xbar.model.checkpoint import Entry, choose_for

PART = st.sampled_from(["a", "b", "body", "head", "0", "1", "conv", "model", "net", "module"])
NAMES = st.lists(
    st.tuples(PART, PART, st.sampled_from(["weight", "bias"])), min_size=1, max_size=6, unique=True
).map(lambda parts: [".".join(each) for each in parts])
PREFIX = st.sampled_from(["", "module.", "_orig_mod.", "_orig_mod.module.", "model.", "net.model."])
CONTAINER = st.sampled_from([(), ("state_dict",), ("model",), ("checkpoint", "net")])
OTHERS = st.lists(
    st.tuples(
        st.sampled_from([("optimizer", "state", "0"), ("ema",), ("loss",), ()]),
        st.sampled_from(["exp_avg", "weight", "a.b.weight", "n_averaged", "criterion.weight"]),
    ),
    max_size=3,
    unique=True,
)


def entry(container, key):
    return Entry(container, key, "float32", lambda: None)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(names=NAMES, prefix=PREFIX, container=CONTAINER, others=OTHERS, inner=st.booleans())
def test_each_weight_is_found_under_its_own_name(names, prefix, container, others, inner):
    own: dict[str, Entry] = {}
    for name in names:
        first, _, rest = name.partition(".")
        key = f"{first}.module.{rest}" if inner else name
        own[name] = entry(container, prefix + key)
    taken = {(e.container, e.key) for e in own.values()}
    more = [entry(*other) for other in others if other not in taken]
    with contextlib.suppress(ModelError):  # that the weights are there several times
        chosen = choose_for([frozenset([name]) for name in names], [*own.values(), *more], "file")
        wrong = {n: e.path for n, e in chosen.entries.items() if e is not own[n]}
        # a stranger that stands exactly where a weight of the module belongs is that weight
        assert all(path == name for name, path in wrong.items()), wrong
        if not more:
            assert chosen.entries == own
            assert not chosen.unused
            assert not chosen.missing


def test_the_names_of_tied_weights_may_be_either():
    for stored in ("a.weight", "b.weight"):
        held = entry(("model",), f"module.{stored}")
        chosen = choose_for([frozenset(["a.weight", "b.weight"])], [held], "file")
        assert chosen.entries == {stored: held}
        assert not chosen.missing
