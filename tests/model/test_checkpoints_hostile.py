"""Checkpoints made to do harm: nothing runs, little memory is taken, the answer is one line."""

from __future__ import annotations

import collections
import io
import json
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xbar.errors import FileError, UntrustedFileError, XbarError
from xbar.model.read import read_model
from xbar.model.state import saved_entries

torch = pytest.importorskip("torch")
nn = torch.nn

MOST_BYTES = 1 << 28
"""What reading may take of memory, at most, for files under a megabyte."""
MUTATIONS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CHANGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4), st.integers(0, 9)),
    min_size=1,
    max_size=4,
)
"""Places, as parts of the whole, bytes that come there, and how many go."""


def mutated(data, changes):
    changed = bytearray(data)
    for place, new, gone in changes:
        at = int(place * len(changed))
        changed[at : at + gone] = new
    return bytes(changed)


def saved(value, legacy=False, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy, **options)
    return buffer.getvalue()


def with_pickle(tree, storages=None, protocol=2):
    """A zip file as of ``torch.save`` with this pickle, or the pickle of this object."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        data = tree if isinstance(tree, bytes) else pickle.dumps(tree, protocol=protocol)
        archive.writestr("m/data.pkl", data)
        for key, raw in (storages or {}).items():
            archive.writestr(f"m/data/{key}", raw)
    return buffer.getvalue()


def described(shape, strides, numbers=4, offset=0):
    """A pickle of {"fc.weight": tensor} with any shape, on a storage "0" of float32."""

    class Tensor:
        def __reduce__(self):
            import torch._utils

            return torch._utils._rebuild_tensor_v2, (
                self.storage, offset, shape, strides, False, collections.OrderedDict(),
            )  # fmt: skip

    class Pickler(pickle._Pickler):
        def persistent_id(self, item):
            if isinstance(item, Storage):
                return ("storage", torch.FloatStorage, "0", "cpu", numbers)
            return None

    class Storage:
        pass

    tensor = Tensor()
    tensor.storage = Storage()
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump({"fc.weight": tensor})
    return buffer.getvalue()


def refused(path, data, **options):
    """The refusal of a file, within the bound on memory."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(XbarError) as caught:
            read_model(path, (2,), **({"activation": "relu"} | options))
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return caught.value


def shared(levels):
    tree = {"w": 1}
    for _ in range(levels):
        tree = {"a": tree, "b": tree}
    return tree


def cyclic():
    tree = {}
    tree["again"] = [tree]
    return tree


def nested(levels):
    return b"\x80\x02" + b"(" * levels + b"K\x01" + b"t" * levels + b"."


BOMBS = {
    "containers shared in each other": (with_pickle(shared(40)), "not a state dict"),
    "a container in itself": (with_pickle(cyclic()), "not a state dict"),
    "a long list many times": (
        with_pickle([[[0] * 1000] * 1000] * 1000),
        "200000 entries",
    ),
    "tuples in tuples": (with_pickle(nested(100_000)), "not a state dict"),
    "a billion numbers of one": (
        with_pickle(described((10**9, 2), (0, 0)), {"0": bytes(16)}),
        "2000000000 numbers",
    ),
    "more than the storage": (
        with_pickle(described((2, 3), (3, 1)), {"0": bytes(16)}),
        "needs 6 numbers",
    ),
    "a size of 2**62": (
        with_pickle(described((2**62, 2**62), (2**62, 1)), {"0": bytes(16)}),
        "numbers",
    ),
    "before the storage": (
        with_pickle(described((2, 2), (-2, 1), offset=2), {"0": bytes(16)}),
        "the tensor needs",
    ),
    "without a storage": (with_pickle(described((2, 2), (2, 1))), "lacks its member"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_little_memory(tmp_path, name):
    data, message = BOMBS[name]
    assert message in str(refused(tmp_path / "model.pt", data))


def test_many_views_of_one_storage_are_bounded(tmp_path):
    whole = torch.ones(1 << 17)
    state = {f"{n}.weight": whole[n:].reshape(1, -1) for n in range(2000)}
    assert len(saved(state)) < 1 << 20
    assert "times their storages" in str(refused(tmp_path / "model.pt", saved(state)))


def test_a_small_tensor_that_repeats_one_number_is_read(tmp_path):
    """As ``expand`` makes it: honest files have them."""
    torch.save({"fc.weight": torch.tensor([[2.0]]).expand(3, 4)}, tmp_path / "model.pt")
    assert np.array_equal(read_model(tmp_path / "model.pt").run([[1.0, 1, 1, 1]]), [[8.0] * 3])


def test_a_storage_in_the_old_format_that_claims_more_than_the_file_is_refused(tmp_path):
    data = saved({"fc.weight": torch.ones(3, 2)}, legacy=True)
    count = struct.pack("<q", 6)
    at = data.rindex(count)
    for claim in (7, 1 << 40, (1 << 63) - 1):
        huge = data[:at] + struct.pack("<q", claim) + data[at + 8 :]
        assert isinstance(refused(tmp_path / "model.pt", huge), FileError)


class Payload:
    """Makes a directory when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        import os

        return os.mkdir, (self.marker,)


PLACES = {
    "beside the weights": lambda good, bad: {"state_dict": good, "extra": bad},
    "as a weight": lambda good, bad: good | {"fc.bias": bad},
    "as a key": lambda good, bad: {"state_dict": good, ("k", 1): bad},
    "in a list": lambda good, bad: [good, [bad]],
    "first": lambda good, bad: collections.OrderedDict(a=bad, state_dict=good),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("protocol", [1, 2, 4, 5])
def test_code_beside_good_weights_does_not_run(tmp_path, place, protocol, legacy):
    marker = tmp_path / "ran"
    content = PLACES[place]({"fc.weight": torch.ones(3, 2)}, Payload(marker))
    data = saved(content, legacy, pickle_protocol=protocol)
    for arch in (None, "torch.nn:Identity"):
        options = {"activation": None, "arch": arch} if arch else {}
        error = refused(tmp_path / "model.pt", data, **options)
        assert isinstance(error, UntrustedFileError)
        assert "--trust-pickle" in str(error)
    assert not marker.exists()
    torch.load(tmp_path / "model.pt", weights_only=False)
    assert marker.exists(), "the attack must work on a loader that trusts the file"


@pytest.mark.parametrize(
    "code",
    [
        b"cos\nsystem\n(S'false'\ntR.",
        b"(S'false'\nios\nsystem\n.",
        b"(cos\nsystem\nS'false'\no.",
        b"\x80\x02\x82\x01.",
        b"Pstorage\n.",
        b"cbuiltins\ngetattr\n(cos\nsystem\nS'x'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x05false\x85R.",
        b"\x80\x02ccollections\nOrderedDict\n)R)R.",
        b"(dS'odd \\ escape'\ncos\nsystem\ns.",
    ],
)
def test_every_instruction_that_builds_other_things_is_refused(tmp_path, code):
    error = refused(tmp_path / "model.pt", with_pickle(code))
    assert isinstance(error, FileError)


def test_a_compressed_member_is_refused(tmp_path):
    """Else a small file could hold gigabytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", described((2, 2), (2, 1)))
        archive.writestr("m/data/0", bytes(1 << 22))
    assert "compressed" in str(refused(tmp_path / "model.pt", buffer.getvalue()))


@pytest.mark.parametrize(
    "state",
    [
        {"a\nb.weight": torch.ones(3, 2).to_sparse()},
        {"a\nb.weight": torch.ones(3, 2).int()},
        {"a\nb": {"w.weight": torch.ones(3, 2)}, "c\nd": {"w.weight": torch.ones(3, 2)}},
        {"a\nb": 3},
    ],
)
def test_names_with_line_breaks_stay_on_the_one_line(tmp_path, state):
    for options in ({}, {"arch": "torch.nn:Identity", "activation": None}):
        assert refused(tmp_path / "model.pt", saved(state), **options)


@pytest.mark.parametrize("kind", ["zip", "legacy"])
@MUTATIONS
@given(changes=CHANGES)
def test_a_checkpoint_changed_anywhere_gives_tensors_or_one_line(kind, changes):
    state = {"model": {"fc.weight": torch.ones(3, 2)}, "epoch": 3, "h": np.float64(2)}
    if kind == "legacy":
        data = mutated(saved(state, legacy=True), changes)
    else:
        with zipfile.ZipFile(io.BytesIO(saved(state))) as archive:
            names = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
        data = with_pickle(mutated(names["data.pkl"], changes), {"0": names["data/0"]})
    try:
        for entry in saved_entries(data, "model.pt"):
            assert entry.load().dtype.kind in "fiub"
    except XbarError as error:
        assert "\n" not in str(error)


@MUTATIONS
@given(changes=CHANGES)
def test_safetensors_changed_anywhere_give_a_network_or_one_line(tmp_path, changes):
    library = pytest.importorskip("safetensors.torch")
    data = library.save({"fc.weight": torch.ones(3, 2)}, metadata={"a.weight": "fc.weight"})
    (tmp_path / "model.safetensors").write_bytes(mutated(data, changes))
    try:
        read_model(tmp_path / "model.safetensors", activation="relu")
    except XbarError as error:
        assert "\n" not in str(error)


@MUTATIONS
@given(changes=CHANGES)
def test_an_index_changed_anywhere_gives_a_network_or_one_line(tmp_path, changes):
    torch.save({"fc.weight": torch.ones(3, 2)}, tmp_path / "part.bin")
    index = json.dumps({"weight_map": {"fc.weight": "part.bin"}}).encode()
    (tmp_path / "model.bin.index.json").write_bytes(mutated(index, changes))
    try:
        read_model(tmp_path / "model.bin.index.json", activation="relu")
    except XbarError as error:
        assert "\n" not in str(error)
