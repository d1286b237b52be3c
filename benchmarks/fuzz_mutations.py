"""Random changes of files, for ``fuzz.py``: the same generator gives the same changes.

An input is its files by name, the first of them the one that is read. A changed file is damaged
anywhere (bits, pieces, splices), or changed where it means something: numbers, words of its format,
values of JSON, and the members of a zip archive, whose checksums are made right again.
"""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

Files: TypeAlias = dict[str, bytes]
Change: TypeAlias = Callable[[random.Random, bytes], bytes]

NUMBERS = str.split(
    "0 -1 1 2 255 65536 2147483647 -2147483648 9223372036854775807 4611686018427387904 1e9 1e18 "
    "1e308 1e999 -1e999 1e-400 nan inf -inf 0.5 0x10 1_000 1e+ 99999999999999999999999"
)
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**62, 10**30, 0.5, 1e308, "", "x", "\u0000", "9" * 5000,
    [], [[]], [0], [2**62, 2**62], {}, {"from": 0, "to": 10**12},
)  # fmt: skip
LONG = 4000


def mutated(rng: random.Random, seeds: list[Files], words: tuple[str, ...]) -> Files:
    """One of the seeds with one to four changes in one of its files."""
    files = dict(rng.choice(seeds))
    name = rng.choice(list(files))
    changes: list[Change] = [_flip, _overwrite, _cut, _repeat, _insert, _number]
    if words:
        changes += [lambda rng, data: _word(rng, data, words)] * 3
    if files[name].startswith(b"PK\x03\x04"):
        changes += [lambda rng, data: _member(rng, data, words)] * 8
    elif _is_json(files[name]):
        changes += [_json_value] * 6
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        files[name] = rng.choice(changes)(rng, files[name])
    if rng.random() < 0.1:
        files[name] = _splice(rng, files[name], rng.choice(seeds))
    return files


def _place(rng: random.Random, data: bytes) -> tuple[int, int]:
    """Start and end of a piece, mostly a short one."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 8, 64, 1024)))


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(data), rng.choice((1, 1, 2, 8)))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(rng: random.Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    filling = rng.choice((b"\x00", b"\xff", b"\x7f", b"\x80", b"[", b"(", b" ", b"\n"))
    return data[:start] + filling * (end - start) + data[end:]


def _cut(rng: random.Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    return data[:start] + (b"" if rng.random() < 0.3 else data[end:])


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    return data[:start] + data[start:end] * rng.choice((2, 3, 50, 2000)) + data[end:]


def _insert(rng: random.Random, data: bytes) -> bytes:
    start, _ = _place(rng, data)
    many = rng.choice((b"\n", b" ", b"(", b"[", b"{", b"\x00", b"+\n", b"\xe2\x80\xae"))
    return data[:start] + many * rng.choice((1, 3, LONG)) + data[start:]


def _number(rng: random.Random, data: bytes) -> bytes:
    """One number of a text, or of eight bytes, replaced by an odd one."""
    found = [m.span() for m in re.finditer(rb"(?<![\w.])-?\d+(\.\d+)?", data[:100_000])]
    if found and rng.random() < 0.8:
        first, end = rng.choice(found)
        return data[:first] + rng.choice(NUMBERS).encode() + data[end:]
    start = rng.randrange(len(data) + 1)
    value: int = rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1))
    width: int = rng.choice((1, 2, 4, 8))
    piece = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")[:: rng.choice((1, -1))]
    return data[:start] + piece + data[start + width :]


def _word(rng: random.Random, data: bytes, words: tuple[str, ...]) -> bytes:
    start, end = _place(rng, data)
    word: bytes = rng.choice(words).encode()
    return data[:start] + word * rng.choice((1, 1, 1, 30)) + data[rng.choice((start, end)) :]


def _splice(rng: random.Random, data: bytes, other: Files) -> bytes:
    piece = rng.choice(list(other.values()))
    start, end = _place(rng, piece)
    return data[: rng.randrange(len(data) + 1)] + piece[start:] + data[-max(1, end - start) :]


def _is_json(data: bytes) -> bool:
    return data[:1] in (b"{", b"[")


def _json_value(rng: random.Random, data: bytes) -> bytes:
    """A value of a JSON document deleted, moved or replaced."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _flip(rng, data)
    places = list(_places(document))
    if not places:
        return data
    parent, key = rng.choice(places)
    if rng.random() < 0.15:
        del parent[key]
    elif rng.random() < 0.3:
        source, name = rng.choice(places)
        parent[key] = source.get(name) if isinstance(source, dict) else (source or [0])[0]
    else:
        parent[key] = rng.choice(VALUES)
    try:
        return json.dumps(document, indent=1, sort_keys=True).encode()
    except (ValueError, RecursionError):  # moved into itself
        return data


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(parent, key) of every value in a document."""
    found, waiting = [], [value]
    while waiting:
        parent = waiting.pop()
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        found += [(parent, key) for key in keys]
        waiting += [parent[key] for key in keys if isinstance(parent[key], (dict, list))]
    return found


def _member(rng: random.Random, data: bytes, words: tuple[str, ...]) -> bytes:
    """A member of a zip archive changed, all checksums right again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info, archive.read(info)) for info in archive.infolist()]
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, RuntimeError, EOFError):
        return _flip(rng, data)
    chosen = rng.randrange(max(1, len(members)))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, (info, content) in enumerate(members):
            new = content
            if number == chosen:
                new = mutated(rng, [{"": content}], words)[""]
            packed = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else info.compress_type
            archive.writestr(info.filename, new, compress_type=packed)
    return stream.getvalue()
