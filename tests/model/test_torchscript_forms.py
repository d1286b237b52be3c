"""TorchScript that computes with sizes: divided by constants in traces, looped over in scripts."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from xbar.errors import ModelError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:.*recompute_scale_factor.*:UserWarning"),
]
SHAPE = (4, 5, 5)


class Base(nn.Module):
    """A convolution and a classifier."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 1)
        self.fc = nn.Linear(8, 3)


class Shuffle(Base):
    """Channels in two halves, shuffled."""

    def forward(self, x):
        y = self.conv(x)
        n, c, h, w = y.size()
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.fc(y.mean((2, 3)))


class Crop(Base):
    """A window whose place and size are computed."""

    def forward(self, x):
        y = self.conv(x)
        h, w = y.size(2), y.size(3)
        at, size = (h + 1) // 2 - 1, int(w / 2)
        return self.fc(y[:, :, at : at + size].mean((2, 3)) + h % 3)


class Attention(Base):
    """Attention between pixels, scaled by a root of the number of channels."""

    def forward(self, x):
        y = self.conv(x)
        b, c, h, w = y.size()
        q = y.reshape(b, c, h * w).transpose(1, 2)
        return self.fc((torch.softmax(q @ q.transpose(1, 2) / (c**0.5), -1) @ q).mean(1))


class Resized(Base):
    """Twice the size, and half of that again."""

    def forward(self, x):
        y = self.conv(x)
        h, w = y.shape[-2:]
        y = nn.functional.interpolate(y, size=(h * 2, w * 2), mode="bilinear")
        y = nn.functional.interpolate(y, scale_factor=0.5, mode="nearest")
        return self.fc(nn.functional.adaptive_avg_pool2d(y, (1, 1)).flatten(1))


class Positions(Base):
    """Positions counted from the size."""

    def forward(self, x):
        y = self.conv(x).flatten(2).transpose(1, 2)
        places = torch.arange(y.size(1)).float()[None, :, None]
        return self.fc((y + places / y.size(1)).mean(1))


class Padded(Base):
    """Padded to a size."""

    def forward(self, x):
        p = max(0, (8 - x.size(2)) // 2)
        return self.fc(self.conv(nn.functional.pad(x, (p, p, p, p))).mean((2, 3)))


class Masked(Base):
    """Bitwise operations on masks, and a causal mask."""

    def forward(self, x):
        y = self.conv(x)
        mask = (y > 0) & (y < 1) | (y > 2) ^ (y < -1)
        values = (y * mask).flatten(2).mean(-1)
        causal = torch.triu(torch.full((8, 8), float("-inf")), 1)
        weights = torch.softmax(values[:, :, None] * values[:, None] + causal, -1)
        return self.fc((weights @ values[:, :, None])[..., 0])


class Stacked(Base):
    """A loop that appends to a list."""

    def forward(self, x):
        y = self.conv(x)
        found = []
        for i in range(y.size(1)):
            found.append(y[:, i].mean((1, 2)))
        return self.fc(torch.stack(found, 1))


@pytest.mark.parametrize("how", ["trace", "script"])
@pytest.mark.parametrize(
    "kind", [Shuffle, Crop, Attention, Resized, Positions, Padded, Masked, Stacked]
)
def test_sizes_are_followed_for_any_batch(tmp_path, kind, how):
    torch.manual_seed(0)
    module = kind().eval()
    made = (
        torch.jit.trace(module, torch.zeros(1, *SHAPE))
        if how == "trace"
        else torch.jit.script(module)
    )
    made.save(tmp_path / "model.pt")
    graph = read_model(tmp_path / "model.pt", SHAPE)
    x = torch.randn(3, *SHAPE)
    np.testing.assert_allclose(graph.run(x), module(x).detach(), atol=2e-6)
    assert [layer.matrix.shape for layer in graph.layers] == [(1, 8, 4), (1, 3, 8)]


class Placed(Base):
    """A mask moved to a device and a type in one call, which a trace writes with a layout."""

    def forward(self, x):
        y = self.conv(x)
        where = {"layout": torch.strided, "device": torch.device("cpu")}
        mask = torch.ops.aten.to.dtype_layout(y > 0, dtype=torch.float32, **where)
        return self.fc((y * mask).mean((2, 3)))


def test_an_operation_with_a_layout_is_not_taken_for_one_with_an_output(tmp_path):
    torch.manual_seed(0)
    module = Placed().eval()
    torch.jit.trace(module, torch.zeros(1, *SHAPE)).save(tmp_path / "model.pt")
    x = torch.randn(3, *SHAPE)
    outputs = read_model(tmp_path / "model.pt", SHAPE).run(x)
    np.testing.assert_allclose(outputs, module(x).detach(), atol=2e-6)


class OneRow(Base):
    """Its rows are looked up in a table of one row for each input of the trace."""

    def forward(self, x):
        rows = torch.arange(x.shape[0])
        return self.fc(self.conv(x).mean((2, 3))) + torch.ones(1, 3)[rows]


def test_a_trace_for_one_input_says_so_when_it_fails_for_more(tmp_path):
    module = OneRow().eval()
    torch.jit.trace(module, torch.zeros(1, *SHAPE)).save(tmp_path / "model.pt")
    graph = read_model(tmp_path / "model.pt", SHAPE)
    x = torch.randn(2, *SHAPE)
    np.testing.assert_allclose(graph.run(x[:1]), module(x[:1]).detach(), atol=2e-6)
    with pytest.raises(ModelError, match="traced for that number"):
        graph.run(x)


@pytest.fixture
def write_script(tmp_path):
    """A TorchScript archive made by hand, with these lines in its forward(x)."""

    def write(*lines):
        body = "\n".join(f"    {line}" for line in lines)
        head = "class Net(Module):\n  def forward(self: __torch__.Net, x: Tensor) -> Tensor:\n"
        with zipfile.ZipFile(tmp_path / "hand.pt", "w") as made:
            made.writestr("a/data.pkl", b"\x80\x02c__torch__\nNet\n)\x81}b.")
            made.writestr("a/constants.pkl", b"\x80\x02).")
            made.writestr("a/code/__torch__.py", f"{head}{body}\n")
        return tmp_path / "hand.pt"

    return write


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["for i in range(1, 9, 0):", "  x = torch.neg(x)", "return x"], "step is 0"),
        (["for i in range(1000000000000):", "  pass", "return x"], "more than 20000 steps"),
        (["for i in [1, 2]:", "  x = torch.neg(x)", "return x"], "other than a range"),
        (["a = []", "b = torch.append(a, a)", "return x"], "appends a list"),
        (["return torch.neg(x, torch.pow(10, 1000))"], "beyond 64 bits"),
        (["return torch.neg(x, torch.__lshift__(1, 1000))"], "beyond 64 bits"),
        (["return ops.prim.max(x, 1)"], "not static"),
        (["return torch.slice([1, 2], 0, 2, 0)"], "in a way that is not read"),
    ],
)
def test_what_is_endless_or_not_static_is_refused(write_script, lines, message):
    with pytest.raises(ModelError, match=message):
        read_model(write_script(*lines), (2,))


@pytest.mark.parametrize("form", ["[a, a]", "(a, a)", "{0: a, 1: a}"])
def test_a_list_that_holds_itself_again_and_again_does_not_fill_the_memory(write_script, form):
    lines = ["a = [x, x]", *[f"a = {form}"] * 200, "return torch.cat(a)"]
    with pytest.raises(ModelError, match="more than 20000 values"):
        read_model(write_script(*lines), (2,))
