"""PySpice with ngspice as a shared library: an alternative interface to the same simulator.

This is the only module that imports PySpice (an optional package, GPL-3), in a separate process for
each run: PySpice has one simulator per process and leaks memory.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.engines.answer import check_log, find_currents, last_line
from xbar.circuit.netlist import Netlist
from xbar.errors import EngineError, SpecError, ToolError

_INSTALL = "install both: pip install 'xbar[spice]' and sudo apt-get install libngspice0"
_LIBRARY = "NGSPICE_LIBRARY_PATH"
_MISSING = 3  # exit code if the library can't be loaded
_MODULE = "xbar.circuit.engines.pyspice"


def run(netlist: Netlist, timeout: float = 300.0) -> NDArray[np.float64]:
    """Currents (B,) in amperes into the sense amplifiers, by PySpice.

    The library is given by NGSPICE_LIBRARY_PATH; default: libngspice.so.0.

    Args:
        netlist: netlist in the ngspice dialect.
        timeout: time limit in seconds.

    Raises:
        SpecError: the netlist is in another dialect.
        ToolError: PySpice or the ngspice library is not installed.
        EngineError: the run failed, found the circuit singular, timed out, or its result is
            incomplete or not finite.
    """
    if netlist.dialect != "ngspice":
        raise SpecError(f"PySpice needs a netlist in the ngspice dialect, not {netlist.dialect!r}")
    if importlib.util.find_spec("PySpice") is None:
        raise ToolError(f"PySpice is not installed; {_INSTALL}")
    with tempfile.TemporaryDirectory(prefix="xbar-pyspice-") as folder:
        deck, answer = Path(folder, "deck.cir"), Path(folder, "answer.json")
        deck.write_text(netlist.text, encoding="ascii", newline="\n")
        # the library runs the first start-up file that it finds: this empty one
        Path(folder, ".spiceinit").touch()
        log = _call([sys.executable, "-m", _MODULE, deck.name, answer.name], folder, timeout)
        if not answer.is_file():
            raise EngineError(f"PySpice wrote no result: {last_line(log)}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    vectors = {name: np.array(values, dtype=np.float64) for name, values in found.items()}
    return find_currents(netlist, vectors, "PySpice")


def _call(command: list[str], folder: str, timeout: float) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.setdefault(_LIBRARY, "libngspice.so.0")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"PySpice did not finish within {timeout:g} s; simulate a smaller part of the crossbar"
        ) from error
    log = done.stdout.decode("utf-8", errors="replace")
    if done.returncode == _MISSING:
        library = environment[_LIBRARY]
        raise ToolError(f"PySpice can't load the ngspice library {library!r}; {_INSTALL}")
    check_log(log, "PySpice")
    if done.returncode:
        raise EngineError(f"PySpice ended with exit code {done.returncode}: {last_line(log)}")
    return log


def _simulate(deck: str, answer: str) -> int:
    """Main function of the separate process: deck in, vectors as JSON out."""
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared

    try:
        simulator = NgSpiceShared.new_instance()
    except OSError as error:
        print(error, file=sys.stderr)
        return _MISSING
    simulator.load_circuit(Path(deck).read_text(encoding="ascii"))
    simulator.run()
    print(simulator.stdout)
    print(simulator.stderr, file=sys.stderr)
    plot = simulator.plot(None, simulator.last_plot)
    vectors = {}
    for name, vector in plot.items():
        key = name.lower()
        key = f"i({key.removesuffix('#branch')})" if key.endswith("#branch") else key
        vectors[key] = np.asarray(vector.to_waveform(to_float=True), dtype=np.float64).tolist()
    Path(answer).write_text(json.dumps(vectors), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_simulate(*sys.argv[1:]))
