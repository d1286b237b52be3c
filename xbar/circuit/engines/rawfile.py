"""Reader of ngspice's binary result files.

Title: …
No. Variables: 3
No. Points: 1
Variables:
        0       v(d_0)  voltage
        …
Binary:
<points x variables little-endian float64>
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xbar.errors import EngineError

_MARK = b"Binary:\n"


def read_raw(data: bytes) -> dict[str, NDArray[np.float64]]:
    """Vectors (points,) of a result file's first plot, by name in lower case.

    Currents are named ``i(v)``, also where the file has ``v#branch``, as in some versions.

    Raises:
        EngineError: the file is cut short, complex, or not a result file.
    """
    head, mark, body = data.partition(_MARK)
    lines = head.decode("ascii", errors="replace").splitlines()
    if not mark:
        raise EngineError("the result file has no binary data; the simulation wrote no result")
    fields = dict(_field(line) for line in lines if ":" in line and not line[:1].isspace())
    if "complex" in fields.get("flags", ""):
        raise EngineError("the result file holds complex numbers, not an operating point")
    variables, points = _count(fields, "no. variables"), _count(fields, "no. points")
    start = next(k for k, line in enumerate([*lines, "variables:"]) if _is_table(line)) + 1
    names = [line.split()[1] for line in lines[start:] if len(line.split()) >= 3]
    if len(names) != variables:
        raise EngineError(
            f"the result file has {len(names)} vector names but announces {variables}"
        )
    if len(body) < 8 * variables * points:
        raise EngineError(
            f"the result file is cut short: {len(body)} bytes for {variables} vectors of {points}"
        )
    values = np.frombuffer(body, dtype="<f8", count=variables * points).reshape(points, variables)
    return {_name(name): values[:, k].astype(np.float64) for k, name in enumerate(names)}


def _is_table(line: str) -> bool:
    return line.lower().startswith("variables:")


def _field(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip().lower(), value.strip().lower()


def _count(fields: dict[str, str], key: str) -> int:
    text = fields.get(key, "")
    if not text.isdecimal():
        raise EngineError(f"the result file must give {key!r} as a number, not {text!r}")
    return int(text)


def _name(name: str) -> str:
    name = name.lower()
    return f"i({name.removesuffix('#branch')})" if name.endswith("#branch") else name
