"""A tile's switch states as words of a Verilog memory, in ``$readmemh`` format.

    // xbar configuration words, format 1, tile 3
    // word_lines 64 bit_lines 64 resistors 8 layout cell
    // ...
    @0000 00 1f 80 ...        word line 0: bit line 0, 1, 2, ...
    @0040 03 00 07 ...        word line 1

One word is one cell of K bits: bit k, bit 0 the lowest, is resistor k; 1 is switched in. The word
of word line w and bit line b has address w B + b. Every line of the file is one word line and
begins with the address of its first word. All text is ASCII and none of it is from the model.

Shapes: W x B cells of a tile, K resistors per cell.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.errors import FileError
from xbar.hardware.bank import Layout

Masks = NDArray[np.bool_]

FORMAT = 1
_TITLE = re.compile(r"// xbar configuration words, format (\d+), tile (\d+)")
_SHAPE = re.compile(r"// word_lines (\d+) bit_lines (\d+) resistors (\d+) layout (\w+)")
_LINE = re.compile(r"@([0-9a-f]{1,16})((?: [0-9a-f]{1,16})+)")

_PLACES = {
    "cell": "all resistors of a cell lie at one crossing",
    "columns": "resistor k of a cell lies on the array's bit line {k} b + k",
    "rows": "resistor k of a cell lies on the array's word line {k} w + k",
}


def words_text(mask: Masks, index: int, layout: Layout, name: str) -> str:
    """The file of one tile.

    Args:
        mask: (W, B, K) switches that are closed.
        index: index of the tile, for the header.
        layout: layout of a cell's resistors, for the header.
        name: name of the file, for the Verilog line in the header.
    """
    w, b, k = mask.shape
    digits = len(f"{w * b - 1:x}")
    head = [
        f"// xbar configuration words, format {FORMAT}, tile {index}",
        f"// word_lines {w} bit_lines {b} resistors {k} layout {layout}",
        f"// one word a cell: word line w, bit line b is switches[{b} * w + b]",
        "// bit k of a word, bit 0 the lowest, is resistor k: 1 switched in, 0 open",
        f"// {_PLACES[layout].format(k=k)}",
        f'// reg [{k - 1}:0] switches [0:{w * b - 1}]; initial $readmemh("{name}", switches);',
    ]
    lines = [f"@{i * b:0{digits}x} {_words(row)}" for i, row in enumerate(mask)]
    return "\n".join([*head, *lines, ""])


def _words(row: Masks) -> str:
    """Words of one word line's cells (B, K), ceil(K / 4) digits each."""
    octets = np.packbits(row, axis=-1, bitorder="little")[:, ::-1]
    text = octets.tobytes().hex(" ", octets.shape[1])
    if 1 <= row.shape[1] % 8 <= 4:  # the first digit of each word is redundant
        return " ".join(word[1:] for word in text.split(" "))
    return text


def read_words(path: Path) -> Masks:
    """Read the switch states (W, B, K) from a file written by ``words_text``.

    Raises:
        FileError: it can't be read, is of another kind, or is damaged.
    """
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: must be text in ASCII ({error})") from error
    w, b, k = _shape(path, lines)
    rows = [line for line in lines if line and not line.startswith("//")]
    if len(rows) != w or lines[-1] != "":
        raise FileError(f"{path}: must hold {w} word lines, not {len(rows)}; write it again")
    octets = -(-k // 8)
    content = bytearray()
    for i, line in enumerate(rows):
        match = _LINE.fullmatch(line)
        words = match.group(2).split() if match else []
        if match is None or int(match.group(1), 16) != i * b or len(words) != b:
            raise FileError(
                f"{path}: word line {i} must be its address and {b} words, not {line[:40]!r}; "
                "write it again"
            )
        numbers = [int(word, 16) for word in words]
        if max(numbers) >> k:
            raise FileError(f"{path}: word line {i} has a word of more than {k} bits")
        content += b"".join(number.to_bytes(octets, "little") for number in numbers)
    packed = np.frombuffer(bytes(content), dtype=np.uint8).reshape(w, b, octets)
    return np.unpackbits(packed, axis=-1, count=k, bitorder="little").view(np.bool_)


def _shape(path: Path, lines: list[str]) -> tuple[int, int, int]:
    title = _TITLE.fullmatch(lines[0])
    shape = _SHAPE.fullmatch(lines[1]) if len(lines) > 1 else None
    if title is None or shape is None:
        raise FileError(f"{path}: is not a file of configuration words; xbar emit writes one")
    if int(title.group(1)) != FORMAT:
        raise FileError(f"{path}: has format {title.group(1)}, this xbar reads {FORMAT}")
    w, b, k = (int(number) for number in shape.group(1, 2, 3))
    if not (w > 0 and b > 0 and 0 < k <= 64):
        raise FileError(f"{path}: {w} x {b} cells of {k} resistors are not a tile")
    return w, b, k
