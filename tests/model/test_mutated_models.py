"""Members of model files, changed at random, give a network or an error of xbar's."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xbar.errors import XbarError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning"),
]
SHAPE = (2, 6, 6)
# what the formats' texts consist of, and what they must not be led astray by
PIECES = [
    b"0", b"-1", b"9223372036854775807", b"1e999", b"null", b"true", b'"x"', b"[]", b"{}", b"[[",
    b'{"as_int": 99999999999}', b'{"as_tensor": {"name": "x"}}', b'"as_graph"', b"aten.from_file",
    b"aten.save", b"aten.rand", b"__import__('os')", b"torch.append", b"ops.prim.min", b"self",
    b"range(9999999999)", b"for i in range(3):\n      x = x\n    ", b"CONSTANTS.c0", b"\x00", b"(",
    b"\n", b"  ", b".", b"__and__", b"operator.pow", b"\x80\x04", b"c", b"R", b"Q",
]  # fmt: skip


class Net(nn.Module):
    """A bit of everything that the readers follow: sizes, masks, loops, a context."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 4, 3), nn.Linear(8, 3)

    def forward(self, x):
        y = self.conv(x)
        n, c, h, w = y.size()
        with torch.no_grad():
            mask = (y > 0) & (y < h // 2)
        y = (y * mask).reshape(n, c, h * w)
        found = []
        for i in range(2):
            found.append(y[:, :, i])
        return self.fc(torch.cat(found, 1))


@pytest.fixture(scope="module")
def members():
    """Members of each archive, by name: {kind: {name: bytes}}."""
    torch.manual_seed(0)
    module, files = Net().eval(), {}
    buffer = io.BytesIO()
    program = torch.export.export(
        module, (torch.zeros(2, *SHAPE),), dynamic_shapes=({0: torch.export.Dim.AUTO},)
    )
    torch.export.save(program, buffer)
    files["export"] = buffer.getvalue()
    for kind, made in [
        ("script", torch.jit.script(module)),
        ("trace", torch.jit.trace(module, torch.zeros(1, *SHAPE))),
    ]:
        buffer = io.BytesIO()
        torch.jit.save(made, buffer)
        files[kind] = buffer.getvalue()
    return {kind: _members(data) for kind, data in files.items()}


def _members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    # what only other tools read: notes on the source, sample inputs
    kept = {n: d for n, d in found.items() if not n.endswith(".debug_pkl")}
    return {n: _without_stacks(d) if n.endswith("model.json") else d for n, d in kept.items()}


def _without_stacks(data):
    record = json.loads(data)
    for node in record["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {}
    return json.dumps(record).encode()


changes = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),  # place
        st.integers(0, 12),  # bytes left out
        st.one_of(st.sampled_from(PIECES), st.binary(max_size=3), st.just(None)),
    ),
    min_size=1,
    max_size=3,
)


def changed(data, edits):
    for place, length, piece in edits:
        at = int(place * len(data))
        new = data[at : at + 40] if piece is None else piece  # None: a part is repeated
        data = data[:at] + new + data[at + length :]
    return data


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(["export", "script", "trace"]), which=st.floats(0, 0.999), edits=changes
)
def test_a_changed_member_gives_a_network_or_an_error(members, tmp_path, kind, which, edits):
    names = sorted(members[kind], key=lambda n: ("model.json" not in n and "__torch__" not in n, n))
    # most of the changes in the text of the network itself
    name = names[0] if which < 0.5 else names[int(which * len(names))]
    path = tmp_path / "changed"
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in members[kind].items():
            archive.writestr(each, changed(data, edits) if each == name else data)
    try:
        read_model(path, SHAPE)
    except XbarError as error:  # any other exception fails the test
        assert "\n" not in str(error)


def test_the_unchanged_archives_are_read(members, tmp_path):
    for kind, files in members.items():
        path = tmp_path / kind
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        assert [layer.matrix.shape for layer in read_model(path, SHAPE).layers] == [
            (1, 4, 18), (1, 3, 8)
        ]  # fmt: skip
