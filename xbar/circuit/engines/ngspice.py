"""ngspice as a subprocess: one netlist in, the currents into the sense amplifiers out."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.engines.rawfile import read_raw
from xbar.circuit.netlist import Netlist
from xbar.errors import EngineError, SpecError, ToolError

# ngspice ends with 0 after some failures, so its log counts as well as its exit code
_FAILURE = re.compile(
    r"singular matrix|floating|\berror\b|\bfatal\b|aborted|no such vector|unrecognized|"
    r"not converge|resistance to+ low|stepping failed",
    re.IGNORECASE,
)
# the log repeats the netlist's title, which may hold any word
_TITLE = re.compile(r"^(circuit|title)\s*:", re.IGNORECASE)


def run(netlist: Netlist, timeout: float = 300.0) -> NDArray[np.float64]:
    """Currents (B,) in amperes into the sense amplifiers, as ngspice finds them.

    ngspice runs in a temporary directory of its own and reads no start-up file.

    Args:
        netlist: in the ngspice dialect.
        timeout: seconds after which ngspice is stopped.

    Raises:
        SpecError: the netlist is written in another dialect.
        ToolError: ngspice is not on PATH.
        EngineError: ngspice failed, found the circuit singular, took too long, or its answer is
            not complete and finite.
    """
    if netlist.dialect != "ngspice":
        raise SpecError(f"ngspice needs a netlist in its own dialect, not {netlist.dialect!r}")
    program = shutil.which("ngspice")
    if program is None:
        raise ToolError("ngspice is not on PATH; install it: sudo apt-get install ngspice")
    with tempfile.TemporaryDirectory(prefix="xbar-ngspice-") as folder:
        deck, raw = Path(folder, "deck.cir"), Path(folder, "out.raw")
        deck.write_text(netlist.text, encoding="ascii", newline="\n")
        log = _call([program, "-n", "-b", "-r", raw.name, deck.name], folder, timeout)
        if not raw.is_file():
            raise EngineError(f"ngspice wrote no result: {_last(log)}")
        vectors = read_raw(raw.read_bytes())
    return _currents(netlist, vectors)


def _call(command: list[str], folder: str, timeout: float) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"ngspice did not finish within {timeout:g} s; simulate a smaller part of the crossbar"
        ) from error
    except OSError as error:
        raise EngineError(f"ngspice can't be started: {error.strerror}") from error
    log = done.stdout.decode("utf-8", errors="replace")
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for k, line in enumerate(lines):
        if _FAILURE.search(line) and not _TITLE.match(line):
            told = " ".join(lines[k : k + 3]) if line.endswith(":") else line
            raise EngineError(f"ngspice failed: {told}")
    if done.returncode:
        raise EngineError(f"ngspice ended with exit code {done.returncode}: {_last(log)}")
    return log


def _currents(netlist: Netlist, vectors: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    missing = [name for name in netlist.currents if name not in vectors]
    if missing:
        raise EngineError(f"ngspice gave no {missing[0]}; its result holds {len(vectors)} vectors")
    found = [vectors[name] for name in netlist.currents]
    if any(len(vector) != 1 for vector in found):
        raise EngineError(f"ngspice gave {len(found[0])} points instead of one operating point")
    current = np.array([vector[0] for vector in found])
    if not np.all(np.isfinite(current)):
        place = int(np.flatnonzero(~np.isfinite(current))[0])
        raise EngineError(f"ngspice gave {current[place]} A for {netlist.currents[place]}")
    return current


def _last(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else "its log is empty"
