"""Claim: a Llama of a billion weights in shards compiles in a few gigabytes, also if it is killed.

    python benchmarks/llama.py                   1.1 billion weights: 22 layers of 2048
    python benchmarks/llama.py --layers 2        a quick look: 230 million
    python benchmarks/llama.py --simulate 512    and the perplexity of random tokens, behind wires

Random bfloat16 weights of the Llama shape are written as sharded safetensors with the config.json
of ``transformers``, one shard at a time. ``xbar compile`` runs in a process of its own, and its
seconds and its largest resident memory are printed. Then the same compilation is killed by SIGKILL
when half of its output is there, and started again; every file must have the same bytes.
``--once`` leaves that out. Pairs of 6 + 6 resistors a weight (``--resistors``), tiles of 128 x 128.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint16]

XBAR = (sys.executable, "-c", "from xbar.cli.main import main; main()")
CHIP = """name = "benchmark"
[bank]
resistors = {resistors}
[tile]
word_lines = 128
bit_lines = 128
word_wire = "1 ohm"
bit_wire = "1 ohm"
"""


@dataclass(frozen=True)
class Size:
    """Numbers of a configuration, named as there."""

    hidden_size: int = 2048
    intermediate_size: int = 5632
    num_hidden_layers: int = 22
    num_attention_heads: int = 32
    num_key_value_heads: int = 4
    vocab_size: int = 32000

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor, by its name in the files."""
        wide, inner = self.hidden_size, self.intermediate_size
        shared = wide // self.num_attention_heads * self.num_key_value_heads
        found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocab_size, wide)}
        for number in range(self.num_hidden_layers):
            name = f"model.layers.{number}"
            found |= {
                f"{name}.input_layernorm.weight": (wide,),
                f"{name}.self_attn.q_proj.weight": (wide, wide),
                f"{name}.self_attn.k_proj.weight": (shared, wide),
                f"{name}.self_attn.v_proj.weight": (shared, wide),
                f"{name}.self_attn.o_proj.weight": (wide, wide),
                f"{name}.post_attention_layernorm.weight": (wide,),
                f"{name}.mlp.gate_proj.weight": (inner, wide),
                f"{name}.mlp.up_proj.weight": (inner, wide),
                f"{name}.mlp.down_proj.weight": (wide, inner),
            }
        return found | {"model.norm.weight": (wide,), "lm_head.weight": (self.vocab_size, wide)}


def write_model(folder: Path, size: Size, shard_bytes: int) -> int:
    """Write a folder of random weights; returns the number of weights of its matrices."""
    shapes = size.shapes()
    shards: list[list[str]] = [[]]
    room = shard_bytes
    for name, shape in shapes.items():
        need = 2 * int(np.prod(shape))
        if need > room and shards[-1]:
            shards.append([])
            room = shard_bytes
        shards[-1].append(name)
        room -= need
    files: dict[str, str] = {}
    for number, names in enumerate(shards):
        file = f"model-{number + 1:05}-of-{len(shards):05}.safetensors"
        _write_shard(folder / file, {name: shapes[name] for name in names}, number)
        files |= dict.fromkeys(names, file)
    total = {"total_size": sum(2 * int(np.prod(shape)) for shape in shapes.values())}
    index = {"metadata": total, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16",
        "max_position_embeddings": 2048, "tie_word_embeddings": False, **asdict(size),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return sum(int(np.prod(shape)) for shape in shapes.values() if len(shape) == 2)


def _write_shard(path: Path, shapes: dict[str, tuple[int, ...]], seed: int) -> None:
    """One safetensors file, a tensor at a time."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * int(np.prod(shape))
        entry = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
        header[name] = entry
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            for part in _random(rng, shape):
                part.tofile(file)


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> Iterator[Codes]:
    """Random weights as codes of bfloat16: ones for norms."""
    if len(shape) == 1:
        yield np.full(shape, 0x3F80, np.uint16)
        return
    scale = np.float32(shape[1] ** -0.5)
    for start in range(0, shape[0], 1024):
        rows = min(1024, shape[0] - start)
        numbers = rng.standard_normal((rows, shape[1]), dtype=np.float32) * scale
        yield (numbers.view(np.uint32) >> 16).astype(np.uint16)


def run_xbar(*words: str) -> tuple[float, float, float]:
    """Run xbar to its end; wall and CPU seconds, and its largest resident memory in GB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen([*XBAR, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"xbar {words[0]} ended with status {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, used.ru_maxrss / 1e6


def kill_half_way(words: tuple[str, ...], beside: Path, size: int) -> int:
    """Start xbar and kill it when so many bytes lie beside its output; returns how many did."""
    process = subprocess.Popen([*XBAR, *words], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        found = _bytes(beside)
        if found >= size:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return found
        time.sleep(0.2)
    sys.exit("the compilation was done before it could be killed")


def _bytes(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:  # it was renamed meanwhile
            continue
    return total


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files with the same bytes."""
    names = [sorted(f.relative_to(each) for f in each.rglob("*")) for each in (one, other)]
    if names[0] != names[1]:
        return False
    for name in names[0]:
        pair = [each / name for each in (one, other)]
        if pair[0].is_file():
            with pair[0].open("rb") as a, pair[1].open("rb") as b:
                while block := a.read(1 << 24):
                    if block != b.read(1 << 24):
                        return False
                if b.read(1):
                    return False
    return True


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, default=22)
    parser.add_argument("--width", type=int, default=2048, help="a multiple of 64")
    parser.add_argument("--words", type=int, default=32000, help="size of the vocabulary")
    parser.add_argument("--shard", type=float, default=0.5, help="GB of a shard")
    parser.add_argument("--resistors", type=int, default=6, help="of a cell; a weight has two")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--once", action="store_true", help="without the run that is killed")
    parser.add_argument("--simulate", type=int, default=0, metavar="TOKENS")
    parser.add_argument("--folder", type=Path, help="where to work; kept afterwards")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    size = Size(
        hidden_size=given.width,
        intermediate_size=given.width * 11 // 4,
        num_hidden_layers=given.layers,
        num_attention_heads=given.width // 64,
        num_key_value_heads=max(given.width // 512, 1),
        vocab_size=given.words,
    )
    try:
        measure(folder, size, given)
    finally:
        if given.folder is None:
            shutil.rmtree(folder)


def measure(folder: Path, size: Size, given: argparse.Namespace) -> None:
    """Write, compile, kill, resume and simulate, with what each takes."""
    model, chip = folder / "llama", folder / "chip.toml"
    if not (model / "config.json").exists():
        model.mkdir(exist_ok=True)
        write_model(model, size, int(given.shard * 1e9))
    weights = sum(int(np.prod(s)) for s in size.shapes().values() if len(s) == 2)
    tables = size.vocab_size * size.hidden_size
    chip.write_text(CHIP.format(resistors=given.resistors))
    print(f"{weights - tables:,} weights on tiles, {tables:,} in a table, {_bytes(model):,} bytes")
    words = ("compile", str(model), "--hardware", str(chip), "--workers", str(given.workers))
    whole = folder / "whole" / "llama.xbar"
    whole.parent.mkdir(exist_ok=True)
    seconds, cpu, memory = run_xbar(*words, "-o", str(whole), "--force")
    print(f"compiled: {seconds:.0f} s, {cpu:.0f} s of CPU, {memory:.2f} GB", flush=True)
    print(f"program: {_bytes(whole):,} bytes", flush=True)
    if not given.once:
        parts = folder / "parts" / "llama.xbar"
        shutil.rmtree(parts.parent, ignore_errors=True)
        parts.parent.mkdir()
        killed = kill_half_way((*words, "-o", str(parts)), parts.parent, _bytes(whole) // 2)
        seconds, cpu, memory = run_xbar(*words, "-o", str(parts))
        print(f"killed at {killed:,} bytes; resumed: {seconds:.0f} s, {cpu:.0f} s of CPU, "
              f"{memory:.2f} GB", flush=True)  # fmt: skip
        if not same_files(whole, parts):
            sys.exit("the resumed program has other bytes")
        print("the resumed program has the same bytes", flush=True)
    if given.simulate:
        tokens = np.random.default_rng(0).integers(0, size.vocab_size, given.simulate)
        np.save(folder / "tokens.npy", tokens.astype(np.int32))
        seconds, cpu, memory = run_xbar(
            "simulate", str(whole), "--data", str(folder / "tokens.npy"), "--metric", "perplexity",
            "--readout", "nodal", "--precision", "float32", "--memory", "2G",
        )  # fmt: skip
        print(f"{given.simulate} tokens behind wires: {seconds:.0f} s, {cpu:.0f} s of CPU, "
              f"{memory:.2f} GB")  # fmt: skip


if __name__ == "__main__":
    main()
