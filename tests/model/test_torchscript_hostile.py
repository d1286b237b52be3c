"""TorchScript that is hostile or damaged: nothing of it runs, and each attack works elsewhere."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

from xbar.errors import FileError, ModelError, UntrustedFileError, XbarError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn

# torch.jit has been deprecated; archives that it wrote are still about
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning"),
]


class SavesWhenLoaded(nn.Module):
    """Its __setstate__ writes a file: torch.jit.load calls it."""

    def __init__(self, marker: str):
        super().__init__()
        self.marker = marker
        self.weight = torch.ones(2)

    def forward(self, x):
        return x * self.weight

    @torch.jit.export
    def __getstate__(self):
        return (self.marker, self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[str, torch.Tensor, bool]):
        self.marker = state[0]
        self.weight = state[1]
        self.training = state[2]
        torch.save(self.weight, self.marker)


def test_a_set_state_that_torch_jit_load_runs_is_not_run(tmp_path):
    marker, path = tmp_path / "it-ran", tmp_path / "hostile.pt"
    torch.jit.script(SavesWhenLoaded(str(marker))).save(path)
    with pytest.raises(XbarError):
        read_model(path, (2,))
    assert not marker.exists()
    torch.jit.load(path)
    assert marker.exists(), "the attack must work on PyTorch's own loader"


class ReadsAFile(nn.Module):
    """Its result is the contents of a file."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x):
        return x + torch.from_file(self.path, False, 4, dtype=torch.uint8)


class WritesAFile(nn.Module):
    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x):
        torch.save(x, self.path)
        return x


@pytest.mark.parametrize(
    ("module", "name"), [(ReadsAFile, "from_file"), (WritesAFile, "aten.save")]
)
def test_a_program_that_reaches_files_is_refused_and_does_not(tmp_path, module, name):
    secret = tmp_path / "secret"
    secret.write_bytes(b"abcd")
    path = tmp_path / "hostile.pt"
    torch.jit.script(module(str(secret))).save(path)
    with pytest.raises(UntrustedFileError, match=rf"hostile.pt.*{name}"):
        read_model(path, (4,))
    assert secret.read_bytes() == b"abcd"
    torch.jit.load(path)(torch.ones(4))  # the file is one that PyTorch runs


def archive(path, code, data=None, constants=None):
    """A TorchScript archive made by hand."""
    root = b"\x80\x02c__torch__\nNet\n)\x81}(X\x08\x00\x00\x00trainingI00\nub."
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("a/data.pkl", root.replace(b"I00\n", b"\x89") if data is None else data)
        made.writestr("a/constants.pkl", b"\x80\x02)." if constants is None else constants)
        made.writestr("a/code/__torch__.py", code)
    return path


def net(*lines):
    body = "\n".join(f"    {line}" for line in lines)
    return f"class Net(Module):\n  def forward(self: __torch__.Net, x: Tensor) -> Tensor:\n{body}\n"


def test_an_archive_made_by_hand_is_read(tmp_path):
    path = archive(tmp_path / "m.pt", net("return torch.relu(torch.neg(x))"))
    np.testing.assert_array_equal(read_model(path, (2,)).run([[1.0, -2.0]]), [[0.0, 2.0]])


class Payload:
    """Makes a directory when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        import os

        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
@pytest.mark.parametrize("place", ["data", "constants"])
def test_a_hostile_pickle_inside_does_not_run(tmp_path, protocol, place):
    marker = tmp_path / "it-ran"
    payload = pickle.dumps(Payload(marker), protocol=protocol)
    path = archive(tmp_path / "m.pt", net("return torch.add(x, CONSTANTS.c0)"), **{place: payload})
    with pytest.raises(XbarError) as refused:
        read_model(path, (2,))
    assert "\n" not in str(refused.value)
    assert not marker.exists()
    pickle.loads(payload)
    assert marker.exists(), "the attack must work on an ordinary loader"


@pytest.mark.parametrize(
    "lines",
    [
        ["return __import__('os').mkdir('it-ran')"],
        ["return x.__class__"],
        ["return eval('1')"],
        ["return torch.ops.aten.relu(x)"],
        ["return torch.__init__(x)"],
        ["return torch._print('hello')"],
        ["return torch.manual_seed(3)"],
        ["return (lambda: 1)()"],
        ["return [x for x in (1, 2)]"],
        ["import os"],
        ["while True:", "  pass"],
        ["self.training = True", "return x"],
        ["x += 1", "return x"],
        ["return self.nothing"],
        ["return CONSTANTS.c7"],
        ["return CONSTANTS.data"],
        ["return ops.aten.from_file('secret')"],
        ["return ops.prim.Print(x)"],
        ["return getattr(self, x)"],
        ["return getattr(self, '__class__')"],
        ["return __torch__.os.system('ls')"],
        ["return __torch__.Net.forward(self, x, x, x)"],
        ["return (self).forward(x, )"],
        ["return torch.zeros([1000000000, 1000000000, 1000])"],
        ["return torch.expand(x, [9223372036854775807, 2])"],
        ["a = torch.mul('a', 1000000000000)", "return x"],
        ["a = torch.mul(9223372036854775807, 9)", "return x"],
        ["a = torch.floordiv(1, 0)", "return x"],
        ["a, b, = x", "return a"],
        ["return 3"],
        ["return [1, 2][5]"],
        ["return torch.add(x, None)"],
        ["return getattr(self)"],
        ["return annotate(x)"],
        ["return unchecked_cast(*x)"],
        ["return int()"],
        ["return torch.len()"],
        ["return torch.__is__(x)"],
        ["return " + "-" * 20_000 + "1"],
        ["return " + "torch.relu(" * 3_000 + "x" + ")" * 3_000],
        ["return torch.relu(x", ""],
        ["\x00"],
    ],
)
def test_a_program_of_anything_else_is_an_error_of_one_line(tmp_path, monkeypatch, lines):
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "m.pt", net(*lines))
    with pytest.raises(XbarError) as refused:
        read_model(path, (2,))
    assert "\n" not in str(refused.value)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m.pt"]


def test_functions_that_double_their_calls_end(tmp_path):
    doubling = "".join(
        f"def f{i}(x: Tensor) -> Tensor:\n"
        f"  a = __torch__.f{i + 1}(x, )\n  return __torch__.f{i + 1}(a, )\n"
        for i in range(50)
    )
    code = (
        net("return __torch__.f0(x, )") + doubling + "def f50(x: Tensor) -> Tensor:\n  return x\n"
    )
    with pytest.raises(ModelError, match="takes more than"):
        read_model(archive(tmp_path / "m.pt", code), (2,))


def test_source_that_unpacks_to_too_much_is_refused_unread(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a/code/__torch__.py", bytes(1 << 27))
    assert path.stat().st_size < 1 << 18
    with pytest.raises(FileError, match="source text is larger"):
        read_model(path, (2,))


def test_a_tensor_can_not_reach_outside_its_storage(tmp_path):
    tensor = (
        b"\x80\x02(ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
        b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00%s\x89NtRt."
    )
    for shape in (b"K\x09\x85K\x01\x85", b"J\xff\xff\xff\x7f\x85K\x00\x85", b"K\x01\x85)"):
        path = archive(
            tmp_path / "m.pt",
            net("return torch.add(x, CONSTANTS.c0)"),
            constants=tensor % shape,
        )
        with zipfile.ZipFile(path, "a") as made:
            made.writestr("a/constants/0", bytes(8))
        with pytest.raises(FileError, match="a tensor in constants"):
            read_model(path, (2,))


def test_torchscript_cut_or_changed_anywhere_gives_a_network_or_one_line(tmp_path, make_net):
    module, shape = make_net("mlp")
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, torch.zeros(2, *shape)), buffer)
    data, path = buffer.getvalue(), tmp_path / "m.pt"
    for cut in sorted({*range(1, 40), *range(40, len(data), len(data) // 60), len(data) - 1}):
        path.write_bytes(data[:cut])
        with pytest.raises(XbarError) as refused:
            read_model(path, shape)
        assert "\n" not in str(refused.value)
    for position in range(0, len(data), len(data) // 200):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
        try:
            read_model(path, shape)
        except XbarError as error:
            assert "\n" not in str(error)


def test_a_pickle_changed_anywhere_gives_a_network_or_one_line(tmp_path, make_net, rewrite):
    """The checksum of the archive is right, so the damage reaches the pickle's reader."""
    module, shape = make_net("mlp")
    source = tmp_path / "good.pt"
    torch.jit.trace(module, torch.zeros(2, *shape)).save(source)
    rng = np.random.default_rng(0)
    for _ in range(150):

        def change(name, data):
            if name != "data.pkl":
                return data
            changed = bytearray(data)
            changed[rng.integers(len(data))] = rng.integers(256)
            return bytes(changed)

        path = rewrite(source, tmp_path / "bad.pt", change)
        try:
            read_model(path, shape)
        except XbarError as error:
            assert "\n" not in str(error)


def test_lists_shared_in_each_other_are_not_expanded(tmp_path, rewrite):
    """Sixty tuples, each of the one before twice, are 2**60 items."""
    source = tmp_path / "good.pt"
    torch.jit.trace(nn.ReLU(), torch.zeros(2, 3)).save(source)
    tree = (1,)
    for _ in range(60):
        tree = (tree, tree)

    def change(name, data):
        if name == "constants.pkl":
            return pickle.dumps((tree,), protocol=2)
        return data.replace(b"return torch", b"a = CONSTANTS.c0\n    return torch")

    path = rewrite(source, tmp_path / "bad.pt", change)
    with pytest.raises(ModelError, match="lists of more than 20000 items"):
        read_model(path, (3,))
