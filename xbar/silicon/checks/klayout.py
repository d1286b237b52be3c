"""The klayout program as a subprocess: a script and its values in, the files that it wrote out.

KLayout is GPL software, so it is run, never imported. It runs in a private folder, without the
user's settings and macros, and is ended with all its children when its time is up.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from xbar.circuit.engines.answer import last_line
from xbar.errors import EngineError
from xbar.silicon.external import find_program, run_program

T = TypeVar("T")
_UNLIKE = (ValueError, LookupError, TypeError, AttributeError)
"""What is raised where an answer is not of the form that a script writes."""
_SCRIPTS = Path(__file__).parent / "scripts"


def find_klayout() -> str:
    """Path of the klayout program.

    Raises:
        ToolError: it is not on PATH.
    """
    return find_program("klayout", "sudo apt-get install klayout")


def call(
    script: str, job: Mapping[str, Any], make: Callable[[Any], T], timeout: float = 600.0
) -> T:
    """What one of our own scripts answers to a job; both are values that JSON can hold.

    Args:
        script: name of a file in ``scripts/``.
        job: its input.
        make: makes what is wanted of the answer.
        timeout: time limit in seconds.

    Raises:
        ToolError: klayout is not on PATH.
        EngineError: klayout failed, timed out or wrote no answer that can be read.
    """
    with tempfile.TemporaryDirectory(prefix="xbar-klayout-") as folder:
        private = Path(folder)
        asked, answer = private / "job.json", private / "answer.json"
        asked.write_text(json.dumps(job), encoding="utf-8")
        log = run(_SCRIPTS / script, {"job": str(asked), "answer": str(answer)}, private, timeout)
        if not answer.is_file():
            raise EngineError(f"klayout wrote no answer to {script}: {last_line(log)}")
        try:
            return make(json.loads(answer.read_bytes()))
        except _UNLIKE as error:  # a full disk cuts it short
            why = f"{type(error).__name__} {error}" if isinstance(error, LookupError) else error
            raise EngineError(f"klayout's answer to {script} can't be read: {why}") from error


def run(script: Path, values: Mapping[str, str], folder: Path, timeout: float = 600.0) -> str:
    """Run a script in the klayout program and return what it printed.

    Raises:
        ToolError: klayout is not on PATH.
        EngineError: klayout can't be started, failed, or did not end in time.
    """
    code, log = run_anyhow(script, values, folder, timeout)
    if code:
        raise failure(script, log)
    return log


def failure(script: Path, log: str) -> EngineError:
    """The error of a script that has failed, with the line of its log that says why."""
    return EngineError(f"klayout failed on {script.name}: {_reason(log)}")


def run_anyhow(
    script: Path, values: Mapping[str, str], folder: Path, timeout: float = 600.0
) -> tuple[int, str]:
    """Exit code and log of a script run in the klayout program.

    Args:
        script: a Ruby or Python script, or a deck of rules.
        values: variables that the script finds set.
        folder: an existing folder that klayout may write to.
        timeout: time limit in seconds.

    Raises:
        ToolError: klayout is not on PATH.
        EngineError: klayout can't be started, or did not end in time.
    """
    command = [find_klayout(), "-b", "-nc", "-rx", "-r", str(script)]
    for name, value in values.items():
        command += ["-rd", f"{name}={value}"]
    smaller = "check fewer cells, or allow more time"
    ended = run_program(command, folder, timeout, smaller, "klayout", _variables(folder))
    return ended.code, ended.log


def _variables(folder: Path) -> dict[str, str]:
    """Klayout's environment: no screen, and none of the user's settings and macros."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KLAYOUT")}
    private = dict.fromkeys(("KLAYOUT_HOME", "HOME", "TMPDIR"), str(folder))
    return {**kept, **private, "QT_QPA_PLATFORM": "offscreen"}


def _reason(log: str) -> str:
    """The line of a log that tells why klayout failed."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    told = [line for line in lines if "error" in line.lower()]
    return told[0] if told else lines[0] if lines else last_line(log)
