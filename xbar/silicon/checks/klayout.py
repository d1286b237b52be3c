"""The klayout program as a subprocess: a script and its values in, the files that it wrote out.

KLayout is GPL software, so it is run, never imported. It runs in a private folder, without the
user's settings and macros, and is ended with all its children when its time is up.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xbar.errors import EngineError, ToolError

_SCRIPTS = Path(__file__).parent / "scripts"
_GRACE = 5.0
"""Seconds that a killed process may take to close its files."""


def find_klayout() -> str:
    """Path of the klayout program.

    Raises:
        ToolError: it is not on PATH.
    """
    program = shutil.which("klayout")
    if program is None:
        raise ToolError("klayout is not on PATH; install it: sudo apt-get install klayout")
    return program


def call(script: str, job: Mapping[str, Any], timeout: float = 600.0) -> Any:
    """What one of our own scripts answers to a job; both are values that JSON can hold.

    Args:
        script: name of a file in ``scripts/``.
        job: its input.
        timeout: time limit in seconds.

    Raises:
        ToolError: klayout is not on PATH.
        EngineError: klayout failed, timed out or wrote no answer.
    """
    with tempfile.TemporaryDirectory(prefix="xbar-klayout-") as folder:
        asked, answer = Path(folder, "job.json"), Path(folder, "answer.json")
        asked.write_text(json.dumps(job), encoding="utf-8")
        log = run(_SCRIPTS / script, {"job": str(asked), "answer": str(answer)}, folder, timeout)
        if not answer.is_file():
            raise EngineError(f"klayout wrote no answer to {script}: {last_line(log)}")
        return json.loads(answer.read_text(encoding="utf-8"))


def run(script: Path, values: Mapping[str, str], folder: str, timeout: float = 600.0) -> str:
    """Run a script in the klayout program and return what it printed.

    Args:
        script: a Ruby or Python script, or a deck of rules.
        values: variables that the script finds set.
        folder: an existing folder that klayout may write to.
        timeout: time limit in seconds.

    Raises:
        ToolError: klayout is not on PATH.
        EngineError: klayout can't be started, failed, or did not end in time.
    """
    command = [find_klayout(), "-b", "-nc", "-rx", "-r", str(script)]
    for name, value in values.items():
        command += ["-rd", f"{name}={value}"]
    code, log = _ended(command, folder, timeout)
    if code:
        raise EngineError(f"klayout failed on {script.name}: {_reason(log)}")
    return log


def _ended(command: Sequence[str], folder: str, timeout: float) -> tuple[int, str]:
    environment = {**os.environ, "KLAYOUT_HOME": folder, "HOME": folder, "TMPDIR": folder}
    environment["QT_QPA_PLATFORM"] = "offscreen"
    environment.pop("KLAYOUT_PATH", None)
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(f"klayout can't be started: {error.strerror}") from error
    with process:
        try:
            log, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise EngineError(
                f"klayout did not finish within {timeout:g} s; check fewer cells, or allow more time"
            ) from error
        finally:
            _kill(process)
    return process.returncode, log.decode("utf-8", errors="replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and whatever it has started, which may outlive it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:  # it hangs in the system; nothing more can be done
        return


def _reason(log: str) -> str:
    """The line of a log that tells why klayout failed."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    told = [line for line in lines if "error" in line.lower()]
    return (told or lines or ["it printed nothing"])[0][:300]


def last_line(log: str) -> str:
    """The last non-empty line of a log."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"
