"""ngspice with the models of a process: a deck in, the vectors of its one analysis out.

The PDKs' libraries are written for HSPICE, so ngspice reads them in that mode. The smallest
conductance that it adds to junctions is set far below what an open switch leaks, and a seed is
given as an option, because ``setseed`` comes too late for the deviations in a netlist.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.circuit.engines.answer import check_log, last_line
from xbar.circuit.engines.rawfile import read_raw
from xbar.errors import EngineError, SpecError, ToolError
from xbar.silicon.external import find_program, run_program
from xbar.silicon.process import FOLDER, Process

OPTIONS = ".options gmin=1e-18 abstol=1e-17 reltol=1e-7 vntol=1e-10 itl1=500 itl2=40"
"""Tolerances of ngspice; its own gmin, 1e-12 S, is ten times the leakage of eight open switches."""
TIGHT = OPTIONS.replace("reltol=1e-7", "reltol=1e-9")
"""Those of single branches, which step from 0.1 V to 1 mV; large arrays do not reach them."""
_DIRECT = " gminsteps=0 srcsteps=0"
# arrays of 1,024 branches round by about reltol: where Newton's method does not settle, ngspice
# would raise gmin and the supplies in ever smaller steps for minutes, and not settle again
_LOOSE = "reltol=3e-7"
"""What settles; the last step of Newton's method leaves some 1e-7 of small arrays' currents."""
INSTALL = "sudo apt-get install ngspice"
_SETTINGS = "set ngbehavior=hsa\nset ng_nomodcheck\n"
_LARGEST_SEED = 2**31 - 1
# of what ngspice prints on a failure, the lines that say what failed
_TOLD = re.compile(
    r"\berror\b|could not find|can't find|unknown|no such|not found|undefined|undeclared|bad ",
    re.IGNORECASE,
)
# ngspice then tries another way, and says "aborted" if none leads to a solution
_STEPPING = re.compile(r"^.*\bstepping failed.*$", re.IGNORECASE | re.MULTILINE)
_EMPTY = re.compile(
    r"error on line|circuit not parsed|fatal error in ngspice|due to error", re.IGNORECASE
)


class _NotSolvedError(EngineError):
    """ngspice ended without a usable result, perhaps as Newton's method did not settle."""


def simulate(
    deck: str,
    process: Process | None = None,
    seed: int | None = None,
    timeout: float = 600.0,
    options: str = OPTIONS,
) -> dict[str, NDArray[np.float64]]:
    """Vectors (points,) of a deck's one analysis, by name in lower case: "v(node)", "i(source)".

    Args:
        deck: title, elements and one analysis, without ``.end``. It loads models by the lines of
            ``Process.load``.
        process: the process of these models.
        seed: seed of the deviations that the models draw, 1 or more.
        timeout: time limit in seconds.
        options: ngspice's options.

    Raises:
        SpecError: the seed is out of range.
        ToolError: ngspice or the models are not installed, or it can't load what they need.
        EngineError: ngspice failed, timed out, or its result is incomplete or not finite.
    """
    program = find_program("ngspice", INSTALL)
    lines = [deck.rstrip("\n")]
    if seed is not None:
        if not 1 <= seed <= _LARGEST_SEED:
            raise SpecError(f"seed must be from 1 to {_LARGEST_SEED} for ngspice, not {seed}")
        lines.append(f".options seed={seed}")
    with tempfile.TemporaryDirectory(prefix="xbar-silicon-") as name:
        folder = Path(name)
        settings = _SETTINGS
        if process is not None:
            (folder / FOLDER).symlink_to(process.folder, target_is_directory=True)
            settings += _osdi(program, process, folder)
        (folder / ".spiceinit").write_text(settings, encoding="ascii")
        try:
            found = _vectors(program, folder, [*lines, options + _DIRECT], timeout)
        except _NotSolvedError:
            loose = re.sub(r"reltol=\S+", _LOOSE, options) if options == OPTIONS else options
            found = _vectors(program, folder, [*lines, loose], timeout)
    bad = [key for key, values in found.items() if not np.all(np.isfinite(values))]
    if bad:
        raise EngineError(f"ngspice returned values for {bad[0]} that are not finite")
    return found


def _vectors(
    program: str, folder: Path, lines: list[str], timeout: float
) -> dict[str, NDArray[np.float64]]:
    """One run of ngspice in a folder that has its settings.

    Raises:
        EngineError: it failed, timed out, or its result is incomplete.
    """
    raw = folder / "out.raw"
    raw.unlink(missing_ok=True)
    (folder / "deck.cir").write_text("\n".join([*lines, ".end", ""]), encoding="ascii")
    command = [program, "-b", "-r", raw.name, "deck.cir"]
    ended = run_program(command, folder, timeout, "simulate fewer branches at once")
    if ended.code or not raw.is_file():
        raise _NotSolvedError(f"ngspice failed: {_reason(ended.log)}")
    try:
        check_log(_STEPPING.sub("", ended.log), "ngspice")
        return read_raw(raw.read_bytes())
    except EngineError as error:
        raise _NotSolvedError(str(error)) from error


def source(name: str, node: str, values: Floats) -> str:
    """A source of values[n] volts at point n of a sweep; only changes are written.

    The sweep is one of a source at the node ``sel``, which counts.
    """
    change = np.flatnonzero(values[1:] != values[:-1])
    if not len(change):
        return f"V{name} {node} 0 {values[0]:.15g}"
    kept = np.unique(np.concatenate([[0], change, change + 1, [len(values) - 1]]))
    pairs = ",".join(f"{n},{values[n]:.15g}" for n in kept)
    return f"B{name} {node} 0 V=pwl(v(sel),{pairs})"


def _reason(log: str) -> str:
    """What went wrong, of all that ngspice prints."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    told = [line for line in lines if _TOLD.search(line) and not _EMPTY.search(line)]
    return told[0] if told else last_line(log)


def _osdi(program: str, process: Process, folder: Path) -> str:
    """The settings that load a process's compiled models."""
    if not process.place.osdi:
        return ""
    (folder / "probe.cir").write_text("* probe\n.control\nosdi\n.endc\n.end\n", encoding="ascii")
    ended = run_program([program, "-n", "-b", "probe.cir"], folder, 60.0, "try again")
    if "no such command" in ended.log:
        raise ToolError(
            f"the models of {process.name} are compiled Verilog-A (OSDI), which this ngspice can't "
            "load; ngspice 40 and later do where built with --enable-osdi, as 46 of Debian's "
            "bookworm-backports is"
        )
    missing = [file for file in process.place.osdi if not (process.folder / file).is_file()]
    if missing:
        raise ToolError(
            f"{process.folder / missing[0]}: no such file; compile the process's Verilog-A models "
            "by openvaf, as the PDK's script does"
        )
    return "".join(f"osdi {FOLDER}/{file}\n" for file in process.place.osdi)
