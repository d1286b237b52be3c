"""Multiply-adds of an input against PyTorch's own counter of operations, and by hand."""

from __future__ import annotations

import pytest

import xbar
from xbar.model.arithmetic import arithmetic

torch = pytest.importorskip("torch")


class Decoder(torch.nn.Module):
    """A layer of attention with shared keys, in one operation or written out."""

    def __init__(self, fused):
        super().__init__()
        self.words = torch.nn.Embedding(20, 24)
        self.q, self.k, self.v = (torch.nn.Linear(24, n) for n in (24, 24, 24))
        self.out, self.head = torch.nn.Linear(24, 24), torch.nn.Linear(24, 20)
        self.fused = fused

    def forward(self, tokens):
        x = self.words(tokens)
        q, k, v = (
            each(x).unflatten(-1, (3, 8)).transpose(1, 2) for each in (self.q, self.k, self.v)
        )
        if self.fused:
            mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            mixed = (q @ k.transpose(-1, -2)).softmax(-1) @ v
        return self.head(self.out(mixed.transpose(1, 2).flatten(2)) + x)


def counted(module, inputs):
    """Multiply-adds by PyTorch's counter, which counts two operations for each."""
    from torch.utils.flop_counter import FlopCounterMode

    backend = torch.nn.attention.SDPBackend.MATH
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(backend):
        module(inputs)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("tokens", [6, 50])
def test_a_decoder_has_pytorchs_number_whatever_its_length(tmp_path, fused, tokens):
    module = Decoder(fused).eval()
    sizes = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
    example = torch.zeros((2, 5), dtype=torch.int64)
    program = torch.export.export(module, (example,), dynamic_shapes=(sizes,), strict=False)
    torch.export.save(program, tmp_path / "m.pt2")
    found = arithmetic(xbar.read_model(tmp_path / "m.pt2"), tokens)
    total = found.on_tiles + sum(found.digital.values())
    assert total == counted(module, torch.zeros((1, tokens), dtype=torch.int64))
    assert found.on_tiles == tokens * 24 * (4 * 24 + 20)
    assert sum(found.digital.values()) == 2 * tokens * tokens * 24
    assert found.tokens == tokens
    fixed = arithmetic(xbar.model.from_module(module, (tokens,), input_dtype="int64"))
    assert (fixed.on_tiles, sum(fixed.digital.values())) == (
        found.on_tiles,
        sum(found.digital.values()),
    )


def test_layers_that_are_kept_digital_count_as_digital():
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3, groups=2),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(96, 5),
    ).eval()
    graph = xbar.model.from_module(module, (2, 6, 6))
    whole = counted(module, torch.zeros(1, 2, 6, 6))
    assert arithmetic(graph).on_tiles == whole == 16 * 6 * 9 + 96 * 5
    assert arithmetic(graph).ratio == 0
    found = arithmetic(graph.select(skip=["3"]))
    assert (found.on_tiles, dict(found.digital)) == (16 * 6 * 9, {"3": 96 * 5})
    assert found.ratio == 480 / whole


def test_the_share_is_told_by_the_token():
    graph = xbar.model.from_module(Decoder(True).eval(), (6,), input_dtype="int64")
    text = str(arithmetic(graph))
    assert "9.38 % of the multiply-adds" in text
    assert "288 of 3,072 a token, for inputs of 6 tokens" in text
