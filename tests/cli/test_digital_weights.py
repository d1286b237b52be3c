"""`xbar compile` tells first how many weights stay digital, which ones, and why."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from xbar.model.read import from_module
from xbar.model.share import weigh

torch = pytest.importorskip("torch")
nn = torch.nn


class Mixed(nn.Module):
    """1120 weights for tiles, 480 in a product of three factors, a table, and a scaling."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 16)
        self.fc = nn.Linear(16, 70)
        self.gate = nn.Parameter(torch.randn(30, 16))

    def forward(self, x):
        y = self.words(x.long()[:, 0]) + x[:, 1:]
        gated = torch.einsum("bi,oi,bi->bo", y, self.gate, y)
        return self.fc(y).sum(1, keepdim=True) + gated


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 4)

    def forward(self, x):
        return self.fc(x)


def test_weights_are_counted_by_where_they_are():
    share = weigh(from_module(Mixed(), (17,)))
    assert share.on_tiles == 16 * 70
    assert share.tables == 9 * 16
    assert [(each.constants, each.weights) for each in share.digital] == [(("gate",), 30 * 16)]
    assert share.ratio == pytest.approx(0.3)


def test_weights_multiplied_one_by_one_are_counted_and_named():
    class OneByOne(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(16, 4))

        def forward(self, x):
            return (x[:, :, None] * self.w).sum(1)

    (found,) = weigh(from_module(OneByOne(), (16,))).digital
    assert (found.constants, found.weights) == (("w",), 64)
    assert "one by one" in found.reason


def test_of_an_attention_the_keys_are_weights_and_the_mask_is_not():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.keys = nn.Parameter(torch.randn(1, 1, 8, 4))
            self.values = nn.Parameter(torch.randn(1, 1, 8, 4))
            self.register_buffer("mask", torch.ones(8, 8).tril().log())

        def forward(self, x):
            keys, values = (each.expand(len(x), 1, 8, 4) for each in (self.keys, self.values))
            return nn.functional.scaled_dot_product_attention(x, keys, values, attn_mask=self.mask)

    (found,) = weigh(from_module(Attention(), (1, 8, 4))).digital
    assert (set(found.constants), found.weights) == ({"keys", "values"}, 64)


def test_a_layer_that_the_user_keeps_digital_is_counted_as_chosen():
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    share = weigh(from_module(module, (4,)).select(skip=["0"]))
    assert (share.on_tiles, share.ratio, share.chosen) == (10, pytest.approx(20 / 30), True)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Compile a module from a file with `xbar compile`; returns the result of the command."""
    from xbar.cli.main import app

    monkeypatch.chdir(tmp_path)
    (tmp_path / "chip.toml").write_text(
        '[bank]\nresistors = 6\nnominal = "50k"\n[tile]\nword_lines = 32\nbit_lines = 32\n'
    )

    def compile_(module, width, *options):
        batch = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(module, (torch.ones(2, width),), dynamic_shapes=batch)
        torch.export.save(program, tmp_path / "net.pt2")
        words = ["compile", "net.pt2", "--hardware", "chip.toml", "-o", "out.xbar", "--force"]
        return CliRunner().invoke(app, [*words, *options])

    return compile_


SAID = (
    "30 % of the network's 1,600 weights stay digital; "
    "gate: 480 weights, because it multiplies 3 factors at once"
)


def test_a_network_with_many_digital_weights_is_told_before_and_above_the_table(run):
    result = run(Mixed(), 17)
    assert result.exit_code == 0
    assert SAID in result.stderr
    assert result.stdout.startswith(SAID)
    weights = json.loads(run(Mixed(), 17, "--json").stdout)["weights"]
    assert (weights["on_tiles"], weights["digital"], weights["tables"]) == (1120, 480, 144)
    assert weights["products"][0]["constants"] == ["gate"]


def test_it_is_told_before_any_subset_is_chosen(run, monkeypatch):
    from xbar.compiler import compiler

    def never(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(compiler, "place", never)
    assert SAID in run(Mixed(), 17).stderr


def test_python_is_warned_too():
    import xbar
    from xbar.errors import XbarWarning

    hardware = xbar.Hardware(tile=xbar.Tile(word_lines=32, bit_lines=32))
    with pytest.warns(XbarWarning, match="30 % of the network's 1,600 weights stay digital"):
        xbar.compile(Mixed(), hardware, input_shape=(17,))


def test_a_network_on_tiles_is_compiled_without_a_word(run):
    result = run(Plain(), 16)
    assert result.exit_code == 0
    assert "digital" not in result.stderr + result.stdout
