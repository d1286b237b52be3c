"""Validation of an engine's result: a log without failures, all currents, one point."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.netlist import Netlist
from xbar.errors import EngineError

# ngspice exits with 0 after some failures, so the log is checked as well as the exit code
_FAILURE = re.compile(
    r"singular matrix|floating|\berror\b|\bfatal\b|aborted|no such vector|unrecognized|"
    r"not converge|resistance to+ low|stepping failed",
    re.IGNORECASE,
)
# the log repeats the netlist's title, which may contain any word
_TITLE = re.compile(r"^(circuit|title)\s*:", re.IGNORECASE)


def check_log(log: str, engine: str) -> None:
    """Check that a log reports no failure.

    Raises:
        EngineError: it does; the message quotes the line.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for k, line in enumerate(lines):
        if _FAILURE.search(line) and not _TITLE.match(line):
            told = " ".join(lines[k : k + 3]) if line.endswith(":") else line
            raise EngineError(f"{engine} failed: {told}")


def last_line(log: str) -> str:
    """The last non-empty line of a log."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else "its log is empty"


def find_currents(
    netlist: Netlist, vectors: dict[str, NDArray[np.float64]], engine: str
) -> NDArray[np.float64]:
    """The netlist's currents (B,) from the vectors (points,) of a result.

    Raises:
        EngineError: one is missing or not finite, or there is more than one point.
    """
    missing = [name for name in netlist.currents if name not in vectors]
    if missing:
        raise EngineError(f"{engine} returned no {missing[0]}, only {len(vectors)} other vectors")
    found = [vectors[name] for name in netlist.currents]
    if any(len(vector) != 1 for vector in found):
        raise EngineError(
            f"{engine} returned {len(found[0])} points instead of one operating point"
        )
    current = np.array([vector[0] for vector in found])
    if not np.all(np.isfinite(current)):
        place = int(np.flatnonzero(~np.isfinite(current))[0])
        raise EngineError(f"{engine} returned {current[place]} A for {netlist.currents[place]}")
    return current
