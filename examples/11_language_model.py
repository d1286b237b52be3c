"""A language model trained here, on a chip with wires; needs the extra torch.

    python examples/11_language_model.py                    98,000 weights, some seconds
    python examples/11_language_model.py --full model.pt    10.7 million, minutes on 2 cores

It learns Python, byte by byte, from the sources of the interpreter's own standard library, whose
licence (PSF) allows it; nothing of them is stored here. One file in 16 is held out. With --full the
training is saved every 50 steps and goes on from there. --bfloat16 takes less than half of the time
on processors that have instructions for it. ``benchmarks/language.py`` puts the model on chips.
"""

import argparse
import math
import sysconfig
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import xbar

LEFT_OUT = ("site-packages", "dist-packages", "encodings", "idlelib", "lib2to3")
BYTES = 256


@dataclass(frozen=True)
class Size:
    """What is trained, and for how long."""

    layers: int
    width: int
    heads: int
    context: int
    batch: int
    steps: int
    rate: float

    def rate_at(self, step: int) -> float:
        """The rate of learning: it rises for a twentieth of the steps, and falls as a cosine."""
        fall = 0.51 + 0.49 * math.cos(math.pi * step / self.steps)
        return self.rate * min(1.0, (step + 1) / (0.05 * self.steps)) * fall


SMALL = Size(layers=2, width=64, heads=2, context=64, batch=16, steps=200, rate=4e-3)
MIDDLE = Size(layers=4, width=160, heads=5, context=128, batch=8, steps=1200, rate=3e-3)
FULL = Size(layers=6, width=384, heads=6, context=256, batch=4, steps=1200, rate=1.5e-3)


def library() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The bytes of the standard library's sources: those to learn, and those held out."""
    root = Path(sysconfig.get_path("stdlib"))
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if any(part in LEFT_OUT or part.startswith(("test", "_sysconfig")) for part in name.parts):
            continue
        parts[zlib.crc32(name.as_posix().encode()) % 16 == 0].append(path.read_bytes())
    learnt, held = (np.frombuffer(b"".join(each), np.uint8) for each in parts)
    return learnt, held


class Block(nn.Module):
    """Attention and a perceptron; the farther back a byte, the less it is attended to (ALiBi)."""

    bias: Tensor

    def __init__(self, size: Size) -> None:
        super().__init__()
        width, self.heads = size.width, size.heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        place = torch.arange(size.context)
        back = place[:, None] - place
        slope = 2.0 ** (-8.0 * torch.arange(1, size.heads + 1) / size.heads)
        bias = torch.where(back >= 0, -back.float(), -torch.inf) * slope[:, None, None]
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (N, T, width) from vectors of that shape."""
        shape = (x.shape[0], x.shape[1], 3, self.heads, x.shape[2] // self.heads)
        q, k, v = self.attend(self.before(x)).reshape(shape).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, self.bias.to(q.dtype))
        x = x + self.out(seen.transpose(1, 2).reshape(x.shape))
        return cast(Tensor, x + self.down(nn.functional.gelu(self.up(self.between(x)))))


class Decoder(nn.Module):
    """Each byte's logits (N, T, 256) from bytes (N, T), all but those that follow."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.embed = nn.Embedding(BYTES, size.width)
        self.blocks = nn.Sequential(*(Block(size) for _ in range(size.layers)))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, BYTES, bias=False)
        for name, matrix in self.named_parameters():
            if matrix.ndim == 2:
                onto = name.endswith(("out.weight", "down.weight"))  # added to what is there
                spread = (0.5 / math.sqrt(size.layers) if onto else 1.0) * matrix.shape[1] ** -0.5
                nn.init.normal_(matrix, std=spread)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the byte after each."""
        return cast(Tensor, self.head(self.norm(self.blocks(self.embed(tokens)))))


def gradients(model: Decoder, tokens: Tensor, bfloat16: bool) -> tuple[Tensor, ...]:
    """The mean loss of windows (N, T + 1) of bytes, and its gradient by each parameter."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16, cache_enabled=False):
        logits = model(tokens[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    return loss.detach(), *torch.autograd.grad(loss, list(model.parameters()))


def trained(
    size: Size, text: NDArray[np.uint8], file: Path | None = None, *, bfloat16: bool = False
) -> Decoder:
    """The model, trained; if it is kept in a file, training goes on from what is there."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # each half of a batch has a thread of its own
    model = Decoder(size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=size.rate, betas=(0.9, 0.95), fused=True)
    done = 0
    if file is not None and file.exists():
        saved = torch.load(file, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        done = saved["steps"]
    with ThreadPoolExecutor(2) as pool:
        for step in range(done, size.steps):
            starts = np.random.default_rng(step).integers(len(text) - size.context, size=size.batch)
            tokens = torch.from_numpy(at(text, starts, size.context + 1))
            halves = pool.map(lambda part: gradients(model, part, bfloat16), tokens.chunk(2))
            loss, *found = ((a + b) / 2 for a, b in zip(*halves, strict=True))
            for parameter, gradient in zip(model.parameters(), found, strict=True):
                parameter.grad = gradient
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimiser.param_groups:
                group["lr"] = size.rate_at(step)
            optimiser.step()
            if file is not None and ((step + 1) % 50 == 0 or step + 1 == size.steps):
                state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
                torch.save({**state, "steps": step + 1}, file.with_suffix(".new"))
                file.with_suffix(".new").replace(file)
                print(f"step {step + 1}: {math.exp(loss.item()):.2f} in the batch", flush=True)
    return model.eval()


def at(text: NDArray[np.uint8], starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Bytes (N, length) from each start on."""
    found: NDArray[np.int64] = text[starts[:, None] + np.arange(length)].astype(np.int64)
    return found


def windows(text: NDArray[np.uint8], context: int, count: int) -> NDArray[np.int64]:
    """So many windows of bytes (N, context) in equal steps through the text."""
    starts = np.linspace(0, len(text) - context, count).astype(np.int64)
    return at(text, starts, context)


def on_chips(model: Decoder, tokens: NDArray[np.int64]) -> dict[str, float]:
    """Perplexity of windows of tokens, with ideal wires, with wires, and programmed for them."""
    graph = xbar.model.from_module(model, tokens.shape[1:])
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=6, nominal=60e3),  # a cell has 100 uS, a weight 12 resistors
        tile=xbar.Tile(word_lines=128, bit_lines=128, word_wire=2.0, bit_wire=2.0),
    )
    plain = xbar.compile(graph, hardware, seed=0)
    aware = xbar.compile(graph, hardware, seed=0, wire_aware=True)
    results = {
        "ideal wires": xbar.simulate(plain, tokens, metric="perplexity"),
        "2 ohm a segment": xbar.simulate(plain, tokens, metric="perplexity", readout="nodal"),
        "programmed for them": xbar.simulate(aware, tokens, metric="perplexity", readout="nodal"),
    }
    return {name: result.score for name, result in results.items()}


def main() -> None:
    """Train; the small model also goes onto a chip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", type=Path, metavar="FILE", help="train the large model")
    parser.add_argument("--bfloat16", action="store_true", help="products of training in bfloat16")
    given = parser.parse_args()
    learnt, held = library()
    print(f"{len(learnt):,} bytes to learn, {len(held):,} held out")
    size = FULL if given.full else SMALL
    model = trained(size, learnt, given.full, bfloat16=given.bfloat16)
    tokens = windows(held, size.context, 16)
    shares = (np.bincount(learnt, minlength=BYTES) + 1.0) / (len(learnt) + BYTES)
    logits = model(torch.from_numpy(tokens)).detach()[:, :-1].transpose(1, 2)
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(tokens[:, 1:])).item()
    found = {"by frequencies of bytes": math.exp(-np.log(shares)[tokens[:, 1:]].mean())}
    found["digital"] = math.exp(loss)
    if given.full is None:
        found |= on_chips(model, tokens)
        assert abs(found["ideal wires"] / found["digital"] - 1) < 0.01
        assert found["programmed for them"] < 1.01 * found["digital"]
        assert found["2 ohm a segment"] > 1.5 * found["digital"]
    for name, value in found.items():
        print(f"{name:>23}: perplexity {value:.3f}")
    assert found["digital"] < 0.6 * found["by frequencies of bytes"]


if __name__ == "__main__":
    main()
