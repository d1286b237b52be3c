"""ngspice as a subprocess: netlist in, currents into the sense amplifiers out."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.engines.answer import check_log, find_currents, last_line
from xbar.circuit.engines.rawfile import read_raw
from xbar.circuit.netlist import Netlist
from xbar.errors import EngineError, SpecError, ToolError


def run(netlist: Netlist, timeout: float = 300.0) -> NDArray[np.float64]:
    """Currents (B,) in amperes into the sense amplifiers, by ngspice.

    ngspice runs in a temporary directory and reads no start-up file.

    Args:
        netlist: netlist in the ngspice dialect.
        timeout: time limit in seconds.

    Raises:
        SpecError: the netlist is in another dialect.
        ToolError: ngspice is not on PATH.
        EngineError: ngspice failed, found the circuit singular, timed out, or its result is
            incomplete or not finite.
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
            raise EngineError(f"ngspice wrote no result: {last_line(log)}")
        vectors = read_raw(raw.read_bytes())
    return find_currents(netlist, vectors, "ngspice")


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
    check_log(log, "ngspice")
    if done.returncode:
        raise EngineError(f"ngspice ended with exit code {done.returncode}: {last_line(log)}")
    return log
