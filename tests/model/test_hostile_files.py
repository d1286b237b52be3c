"""Files that carry code: none of it runs, and each attack is shown to work on an unsafe loader."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest

from xbar.errors import FileError, UntrustedFileError, XbarError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


class NetInAPickle(torch.nn.Linear):
    """A module whose class lives in the user's code."""


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "it-ran"


def load_unsafely(path, call=False):
    """What torch.export.load does with a file, errors aside."""
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        program = torch.export.load(path)
        if call:
            program.module()(torch.zeros(2, 1, 6, 6))


def in_json(ending, edit):
    """A change of one JSON member."""

    def change(name, data):
        if not name.endswith(ending):
            return data
        record = json.loads(data)
        edit(record)
        return json.dumps(record).encode()

    return change


def with_hostile_sample_inputs(source, target, marker, rewrite, saved_bytes):
    payload = saved_bytes(((Payload(marker),), {}))
    return rewrite(source, target, lambda n, d: payload if "sample_inputs" in n else d)


def with_a_pickled_weight(source, target, marker, rewrite, saved_bytes):
    payload = saved_bytes(Payload(marker))
    config = in_json(
        "weights_config.json", lambda r: r["config"]["fc.bias"].update(use_pickle=True)
    )
    paths = json.loads(
        zipfile.ZipFile(source).read("honest/data/weights/model_weights_config.json")
    )
    member = paths["config"]["fc.bias"]["path_name"]
    return rewrite(
        source, target, lambda n, d: payload if n.endswith("/" + member) else config(n, d)
    )


def with_a_pickled_constant(source, target, marker, rewrite, saved_bytes):
    entry = {
        "path_name": "opaque_obj_0",
        "is_param": False,
        "use_pickle": True,
        "tensor_meta": None,
    }
    config = in_json("constants_config.json", lambda r: r["config"].update(thing=entry))
    payload = pickle.dumps(Payload(marker), protocol=2)
    return rewrite(source, target, config, [("data/constants/opaque_obj_0", payload)])


def with_code_as_a_size(source, target, marker, rewrite, saved_bytes):
    code = f"__import__('os').mkdir({str(marker)!r})"

    def edit(record):
        sizes = record["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
        sizes[0]["as_expr"]["expr_str"] = code

    return rewrite(source, target, in_json("models/model.json", edit))


def with_guards(source, target, marker, rewrite, saved_bytes):
    code = f"__import__('os').mkdir({str(marker)!r}) is None"
    change = in_json("models/model.json", lambda record: record.update(guards_code=[code]))
    return rewrite(source, target, change)


ATTACKS = {
    "sample inputs": (with_hostile_sample_inputs, False),
    "pickled weight": (with_a_pickled_weight, False),
    "pickled constant": (with_a_pickled_constant, False),
    "size": (with_code_as_a_size, False),
    "guards": (with_guards, True),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_code_in_an_archive_is_refused_and_does_not_run(
    attack, honest, tmp_path, marker, rewrite, saved_bytes
):
    build, call = ATTACKS[attack]
    path = build(honest, tmp_path / "hostile.pt2", marker, rewrite, saved_bytes)
    with pytest.raises(UntrustedFileError) as refused:
        read_model(path)
    assert "\n" not in str(refused.value)
    assert not marker.exists()
    load_unsafely(path, call)
    assert marker.exists(), "the attack must work on a loader that trusts the file"


@pytest.mark.parametrize(
    "guards",
    [
        ["L['x'].size()[0] == 2", "print(1)"],
        ["L['x'].size()[0] == 2 or print(1)"],
        ["L['x'].size()[print(1)] == 2"],
        ["L['x'].resize_()[0] == 2"],
        ["L['x' if 1 else 2].size()[0] == 2"],
        ["L['x'].size()[0] == 2 or L['x'].__class__"],
        ["max(L['x'].size()[0], open('x')) == 2"],
        ["abs(L['x'].size()[0], key=print) == 2"],
        ["L['x'].size()[0] == (lambda: 2)()"],
        ["1"],
        [7],
        "print(1)",
        {"a": 1},
    ],
)
def test_a_guard_may_compare_sizes_and_nothing_else(honest, tmp_path, rewrite, guards):
    def guarded(code):
        change = in_json("models/model.json", lambda record: record.update(guards_code=code))
        return rewrite(honest, tmp_path / "guarded.pt2", change)

    sizes = "4*max(1, L['x'].size()[0] // 2) + (L['x'].size()[0] % 3)"
    harmless = ["L['x'].size()[0] >= 2", "L['x'].size()[1] == 1", f"{sizes} >= 0 and {sizes} <= 9"]
    assert read_model(guarded(harmless)).layers
    with pytest.raises(UntrustedFileError, match="it has a guard"):
        read_model(guarded(guards))


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ("data/aotinductor/model/wrapper.so", b"\x7fELF..."),
        ("data/aotinductor/model/notes.txt", b"..."),
        ("extra/kernel.so.1", b""),
        ("data/weights/weight_99", b"\x7fELF\x02\x01\x01\x00"),
        ("extra/library.dll", b"MZ"),
    ],
)
def test_compiled_code_in_an_archive_is_refused(honest, tmp_path, rewrite, member, data):
    path = rewrite(honest, tmp_path / "native.pt2", extra=[(member, data)])
    with pytest.raises(UntrustedFileError, match="program code"):
        read_model(path)


def test_a_module_to_import_in_the_call_signature_is_refused(honest, tmp_path, rewrite):
    def edit(record):
        call = record["graph_module"]["module_call_graph"][0]["signature"]
        call["in_spec"] = json.dumps(
            [1, {"context": json.dumps({"default_factory_module": "this"})}]
        )

    path = rewrite(honest, tmp_path / "hostile.pt2", in_json("models/model.json", edit))
    with pytest.raises(UntrustedFileError, match="module to import"):
        read_model(path)


@pytest.mark.parametrize(
    "target",
    ["torch.ops.aten.from_file.default", "torch.ops.aten.save.default", "os.system", "#evil"],
)
def test_an_operation_that_is_no_tensor_operation_is_refused(honest, tmp_path, rewrite, target):
    def edit(record):
        record["graph_module"]["graph"]["nodes"][2]["target"] = target

    path = rewrite(honest, tmp_path / "hostile.pt2", in_json("models/model.json", edit))
    with pytest.raises(XbarError, match="graph"):
        read_model(path)


def test_a_text_constant_in_a_size_is_code_too(honest, tmp_path, rewrite):
    for code in (
        "Symbol('s0', **{'a': 1})",
        "(lambda: 1)()",
        "().__class__",
        "[x for x in ()]",
        "Integer.mro()",
        "Symbol('__import__(1)')",
        "s0[0]",
        "1 if 1 else 2",
        "f'{1}'",
        "open('/etc/passwd')",
        "x" * 9999,
    ):

        def edit(record, code=code):
            constraint = {"expr_str": code, "hint": None}
            record["graph_module"]["graph"]["sym_int_values"]["extra"] = {"as_expr": constraint}

        path = rewrite(honest, tmp_path / "hostile.pt2", in_json("models/model.json", edit))
        with pytest.raises(UntrustedFileError, match="is code"):
            read_model(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path, marker, legacy):
    path = tmp_path / "model.pt"
    torch.save({"weight": Payload(marker)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UntrustedFileError, match="--trust-pickle"):
        read_model(path, (3,), arch="torch.nn:Identity")
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the attack must work on a loader that trusts the file"


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_bare_pickle_is_refused_and_does_not_run(tmp_path, marker, protocol):
    path = tmp_path / "model.pt"
    path.write_bytes(pickle.dumps(Payload(marker), protocol=protocol))
    with pytest.raises(FileError):
        read_model(path, trust_pickle=True)
    assert not marker.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickled_module_is_refused_unless_trusted(tmp_path, legacy):
    path = tmp_path / "model.pt"
    torch.manual_seed(0)
    module = NetInAPickle(3, 2)
    torch.save(module, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UntrustedFileError, match="--trust-pickle"):
        read_model(path, (3,))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_trusted_pickled_module_is_read(tmp_path, legacy):
    path = tmp_path / "model.pt"
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2))
    torch.save(module, path, _use_new_zipfile_serialization=not legacy)
    graph = read_model(path, (3,), trust_pickle=True)
    want = module(torch.ones(1, 3)).detach().numpy()
    assert abs(graph.run([[1.0, 1.0, 1.0]]) - want).max() < 1e-6


@pytest.mark.parametrize(
    "name", ["../outside", "/absolute", "a/../../b", "a\\b", "C:/x", "honest/models/MODEL.json"]
)
def test_a_member_with_a_tricky_name_is_refused(honest, tmp_path, name):
    path = tmp_path / "tricky.pt2"
    path.write_bytes(honest.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"{}")
    with pytest.raises(FileError, match="repeated name or a path"):
        read_model(path)


def test_a_compressed_member_is_refused_before_it_grows(honest, tmp_path):
    path = tmp_path / "bomb.pt2"
    path.write_bytes(honest.read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("honest/extra/bomb", bytes(10_000_000))
    with pytest.raises(FileError, match="compressed"):
        read_model(path)


@pytest.mark.parametrize("field", ["sizes", "strides", "storage_offset"])
@pytest.mark.parametrize("value", [10**12, -1])
def test_a_weight_can_not_reach_outside_its_bytes(honest, tmp_path, rewrite, field, value):
    def edit(record):
        meta = record["config"]["fc.weight"]["tensor_meta"]
        if field == "storage_offset":
            meta[field] = {"as_int": value}
        else:
            meta[field][0] = {"as_int": value}

    path = rewrite(honest, tmp_path / "far.pt2", in_json("weights_config.json", edit))
    with pytest.raises(FileError, match=r"fc.weight: the tensor (needs|has)"):
        read_model(path)


def test_a_weight_can_not_repeat_its_bytes_without_end(honest, tmp_path, rewrite):
    def edit(record):
        meta = record["config"]["fc.weight"]["tensor_meta"]
        meta["sizes"] = [{"as_int": 10**6}, {"as_int": 10**6}]
        meta["strides"] = [{"as_int": 0}, {"as_int": 0}]

    path = rewrite(honest, tmp_path / "bomb.pt2", in_json("weights_config.json", edit))
    with pytest.raises(FileError, match="numbers"):
        read_model(path)


def test_nothing_of_a_hostile_archive_is_unpickled_even_by_the_scan(
    honest, tmp_path, marker, rewrite
):
    """Pickle opcodes that build objects without naming a global are refused too."""
    stack_global = (
        b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93\x8c"
        + bytes([len(str(marker))])
        + str(marker).encode()
        + b"\x85R."
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as inner:
        inner.writestr("archive/data.pkl", stack_global)

    def change(name, content):
        return buffer.getvalue() if "sample_inputs" in name else content

    path = rewrite(honest, tmp_path / "hostile.pt2", change)
    with pytest.raises(UntrustedFileError, match="STACK_GLOBAL"):
        read_model(path)
    assert not Path(marker).exists()
    pickle.loads(stack_global)
    assert Path(marker).exists()
