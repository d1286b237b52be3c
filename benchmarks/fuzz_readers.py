"""Every reader of files that ``fuzz.py`` tries, with small files of its format to begin with."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import fuzz_models
import numpy as np
from fuzz_mutations import Files

import xbar

CASES = Path(__file__).parent.parent / "tests" / "cases"
NETLISTS = Path(__file__).parent.parent / "netlists"
WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((5, 9)), "none": np.zeros((2, 3))}
DESIGN = """
name = "fuzz"
[bank]
resistors = 9
nominal = "100k"
spread = "lognormal"
sigma = "30%"
stuck_open = 0.01
[tile]
word_lines = 6
bit_lines = 7
word_wire = "1 ohm"
[dac]
bits = 8
[variation]
read_noise = 0.01
"""


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        seeds: makes inputs; the first file of each is the one that is read.
        read: reads an input, given the folder and the name of the first file.
        words: words of the format.
        fixed: makes checksums right after a change; None where there are none.
    """

    seeds: Callable[[], list[Files]]
    read: Callable[[Path, str], object]
    words: tuple[str, ...] = ()
    fixed: Callable[[Files], Files] | None = None


def hardware() -> xbar.Hardware:
    """The design of every chip here."""
    return xbar.Hardware(
        bank=xbar.Bank(resistors=9), tile=xbar.Tile(word_lines=6, bit_lines=7, word_wire=1.0)
    )


def _cases(folder: Path, *endings: str) -> Iterator[Files]:
    for file in sorted(folder.glob("*")):
        if file.suffix in endings:
            yield {file.name: file.read_bytes()}


def _folder(path: Path) -> Files:
    names = sorted(file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in names}


def _deck(folder: Path, name: str) -> object:
    return xbar.read_spice(folder / name).solve()


def _decks() -> list[Files]:
    found = [*_cases(CASES / "spice", ".cir"), *_cases(NETLISTS, ".cir")]
    return [files for files in found if len(next(iter(files.values()))) < 20_000]


def _tables() -> list[Files]:
    return list(_cases(CASES / "tables", ".csv", ".tsv", ".txt"))


def _measurement(resistors: int) -> Callable[[Path, str], object]:
    tile = xbar.Tile(word_lines=2, bit_lines=2)
    design = xbar.Hardware(bank=xbar.Bank(resistors=resistors), tile=tile)
    return lambda folder, name: xbar.Chip.from_measurement(folder / name, design)


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _archives() -> list[Files]:
    on = np.random.default_rng(1).uniform(1e-6, 1e-5, (2, 2, 2, 2))
    stuck = np.zeros(on.shape, np.int8)
    return [{"chip.npz": _npz(on=on, off=on / 10, stuck=stuck)}]


def _data_sets() -> list[Files]:
    rng = np.random.default_rng(2)
    inputs, labels = rng.standard_normal((4, 3)).astype(np.float32), np.array([0, 1, 2, 1])
    stream = io.BytesIO()
    np.save(stream, inputs)
    rows = "\n".join(",".join(f"{v:.3f}" for v in row) for row in inputs)
    table = f"a,b,c\n{rows}\n"
    return [
        {"data.npz": _npz(inputs=inputs, labels=labels)},
        {"data.npy": stream.getvalue()},
        {"data.csv": table.encode()},
        {"data.csv": table.replace("a,b,c", "a,b,label").encode()},
    ]


def _readings() -> list[Files]:
    rng = np.random.default_rng(3)
    g = 10.0 * np.exp(0.3 * rng.standard_normal((12, 3))) * np.array([1.0, 0.9, 0.8])
    rows = [f"{d},{t},{g[d, k]:.4f}" for d in range(12) for k, t in enumerate((1, 60, 3600))]
    long = "\n".join(["device,time [s],conductance [uS]", *rows])
    wide = "device;1 s [uS];1 min [uS];85 C, 1 h [uS]\n" + "\n".join(
        f"d{d};" + ";".join(f"{each:.4f}".replace(".", ",") for each in g[d]) for d in range(12)
    )
    arrays = _npz(conductance_uS=g, time=np.array([1.0, 60.0, 3600.0]))
    files = {"a.csv": long.encode()}, {"b.csv": wide.replace("85 C, ", "").encode()}
    return [*files, {"c.npz": arrays}]


def _fit(folder: Path, name: str) -> object:
    return str(xbar.DeviceLaw.fit(folder / name))


def _laws() -> list[Files]:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "a.csv").write_bytes(_readings()[0]["a.csv"])
        xbar.DeviceLaw.fit(Path(place) / "a.csv").save(Path(place) / "law.json")
        return [{"law.json": (Path(place) / "law.json").read_bytes()}]


def _selectors() -> list[Files]:
    design = b'[selector]\ntable = "selector.csv"\n'
    points = "0.1,1e-9\n0.2,3e-8\n0.5,9e-5\n"
    tables = f"V,I\n{points}", "V (mV);I [uA]\n100;0,001\n500;90\n", points
    return [{"chip.toml": design, "selector.csv": each.encode()} for each in tables]


def _read_data(folder: Path, name: str) -> object:
    from xbar.simulation.dataset import read_dataset

    return read_dataset(folder / name)


def _read_units(folder: Path, name: str) -> object:
    from xbar.units import parse_quantity

    return parse_quantity((folder / name).read_bytes().decode("utf-8", "replace"))


def _units() -> list[Files]:
    texts = "4.7k|2 uS|30%|1e-3 ohm|-5 mV|100 MS|0.1u|10 µm²|1,5 V|3 h"
    return [{"text": text.encode()} for text in texts.split("|")]


def _programs() -> list[Files]:
    found = []
    with tempfile.TemporaryDirectory() as place:
        on = np.random.default_rng(1).uniform(1e-6, 1e-5, (4, 6, 7, 9))
        np.savez(Path(place) / "chip.npz", on=on)
        measured = xbar.Chip.from_measurement(Path(place) / "chip.npz", hardware())
        for number, chip in enumerate((xbar.Chip.sample(hardware(), 0), measured)):
            path = Path(place) / f"{number}.xbar"
            xbar.compile(WEIGHTS, chip).save(path)
            files = _folder(path)
            found.append({"manifest.json": files.pop("manifest.json"), **files})
    return found


def _resealed(name: str) -> Callable[[Files], Files]:
    def fixed(files: Files) -> Files:
        from xbar.compiler.sealed import seal

        try:
            index = json.loads(files[name])
            index["files"] = {
                each: sha256(content).hexdigest() for each, content in files.items() if each != name
            }
            return {**files, name: seal(index)}
        except (ValueError, TypeError, RecursionError):
            return files

    return fixed


def _read_program(folder: Path, name: str) -> object:
    del name
    program = xbar.Program.load(folder)
    return program.matrices(), [repr(tile) for tile in program.tiles]


def _configurations() -> list[Files]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "out"
        xbar.compile(WEIGHTS, xbar.Chip.sample(hardware(), 0)).write_configuration(path)
        files = _folder(path)
        return [{"configuration.json": files.pop("configuration.json"), **files}]


def _read_configuration(folder: Path, name: str) -> object:
    del name
    written = xbar.Configuration.open(folder)
    return [
        written.mask(tile, form)
        for tile, forms in written.tiles.items()
        for form in ("readmemh", "csv")
        if form in forms
    ]


def _journals() -> list[Files]:
    """The journal of a run that was stopped before its end."""

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with tempfile.TemporaryDirectory() as place:
        try:
            xbar.compile(
                WEIGHTS, hardware(), seed=0, output=Path(place) / "o.xbar", workers=1, progress=stop
            )
        except KeyboardInterrupt:
            return [_folder(Path(place))]
    raise AssertionError("the run was not stopped")


def _resume(folder: Path, name: str) -> object:
    del name
    return xbar.compile(WEIGHTS, hardware(), seed=0, output=folder / "o.xbar", workers=1)


@dataclass
class _Ticket:
    """A ticket's files, and the network and chip that they are read with."""

    chip: xbar.Chip = field(
        default_factory=lambda: xbar.Chip.sample(
            xbar.Hardware(bank=xbar.Bank(resistors=1), tile=xbar.Tile(word_lines=8, bit_lines=16)),
            seed=3,
        )
    )
    graph: Any = None

    def seeds(self) -> list[Files]:
        from xbar.pruning.store import save_ticket, switches_path
        from xbar.pruning.ticket import Ticket

        mask, module = {"0": np.ones((4, 6), dtype=bool)}, fuzz_models.layers()[:1]
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "t.pt2"
            save_ticket(Ticket(module, mask, (6,), "fuzz", chip=self.chip), path)
            return [{"t.switches.npz": switches_path(path).read_bytes()}]

    def read(self, folder: Path, name: str) -> object:
        from xbar.model import from_module
        from xbar.pruning.store import load_switches

        self.graph = self.graph or from_module(fuzz_models.layers()[:1], (6,))
        return load_switches(folder / name, self.graph, self.chip)


_ticket = _Ticket()

DECK_WORDS = (
    *str.split(
        ".subckt .ends .param .include .lib .model .func .global .option .if .else .endif .step "
        ".temp .end { } ( ) ? : ** // $ ; * + = ' \" R1 V1 I1 E1 F1 H1 X1 C1 L1 K1 dc ac pulse "
        "sin tc1= m= l= w= 1k 1meg 0 gnd deck.cir"
    ),
    "\n.subckt a 1 2\nX1 1 2 a\n.ends\nX9 1 0 a\n",
    "\n.include deck.cir\n",
)

READERS: Mapping[str, Reader] = {
    "deck": Reader(
        _decks,
        _deck,
        DECK_WORDS,
    ),
    "table": Reader(
        _tables, _measurement(1), ("tile", "on", ";", ",", "\t", "uS", "#", '"', "nan")
    ),
    "npz": Reader(_archives, _measurement(2), ("shape", "(2, 2, 2, 2)", "|O", "<f8", "True")),
    "data": Reader(_data_sets, _read_data, ("inputs", "labels", "|O", "<U9", ",", '"', "\n")),
    "readings": Reader(_readings, _fit, ("device", "target", "read", "nan", "ohm", ";", "25 C")),
    "selector": Reader(
        _selectors,
        lambda folder, name: xbar.Hardware.load(folder / name).selector,
        ("V", "I", "(mV)", "[nA]", "nan", "1e999", ";", "table"),
    ),
    "law": Reader(
        _laws, lambda folder, name: str(xbar.DeviceLaw.load(folder / name)), ("null", "1e999", "[]")
    ),
    "toml": Reader(
        lambda: [{"chip.toml": DESIGN.encode()}],
        lambda folder, name: xbar.Hardware.load(folder / name),
        ("[bank]", "[[", "=", '"""', "{", "inf", "ohm", "uS", "%", "layout", "[tile.x]", "\\u0000"),
    ),
    "onnx": Reader(
        fuzz_models.onnx, fuzz_models.network(), ("Conv", "Loop", "If", "Gemm", "x", "w", "pads")
    ),
    "pt2": Reader(
        fuzz_models.exported,
        fuzz_models.network(),
        ("aten.linear", "aten.relu", "p_0_weight", "tensor"),
    ),
    "pt": Reader(
        fuzz_models.scripts,
        fuzz_models.network((6,)),
        ("torch.relu", "return", "def forward", "self", "for "),
    ),
    "state": Reader(
        fuzz_models.states,
        fuzz_models.network(),
        ("c__builtin__\neval\n", "R.", "weight", "storage"),
    ),
    "safetensors": Reader(
        fuzz_models.safetensors, fuzz_models.network(), ("F32", "shape", "data_offsets", "BF16")
    ),
    "located safetensors": Reader(
        fuzz_models.safetensors, fuzz_models.located, ("F32", "shape", "data_offsets", "BF16")
    ),
    "program": Reader(
        _programs, _read_program, ("null", "weights/0.npy", "<f8"), _resealed("manifest.json")
    ),
    "configuration": Reader(
        _configurations, _read_configuration, ("@000", "//", ","), _resealed("configuration.json")
    ),
    "ticket": Reader(_ticket.seeds, _ticket.read, ("|O", "<f8", "switches/0")),
    "journal": Reader(_journals, _resume, ("digest", "version", "|O", "manifest")),
    "units": Reader(_units, _read_units, ("k", "M", "ohm", "S", "%", "e", "µ", "Ω", "²", "/", " ")),
}
