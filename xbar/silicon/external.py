"""External programs: run in a private folder, with a time limit, and ended with their children."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from xbar.errors import EngineError, ToolError


@dataclass(frozen=True)
class Ended:
    """A program that has ended.

    Attributes:
        code: its exit code.
        log: what it printed.
    """

    code: int
    log: str


def find_program(name: str, install: str) -> str:
    """The path of a program.

    Raises:
        ToolError: it is not on PATH; the message says how to install it.
    """
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} is not on PATH; install it: {install}")
    return path


@contextmanager
def _leaving_by_exit() -> Iterator[None]:
    """Let signals that end this process raise SystemExit, so that programs and folders go too."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():  # others may not set handlers
        for each in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(each) == signal.SIG_DFL:
                before[each] = signal.signal(each, leave)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def run_program(
    command: Sequence[str],
    folder: Path,
    timeout: float,
    smaller: str,
    name: str = "",
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program in a folder and wait for its end; all its processes end with it.

    Args:
        command: the program and its arguments.
        folder: folder to run it in.
        timeout: time limit in seconds.
        smaller: what to do if it needs more time or memory, for the message.
        name: name of the program in messages; that of its file by default.
        environment: its variables; those of this process by default.

    Raises:
        EngineError: it can't be started, did not end in time, or was ended by a signal.
    """
    name = name or Path(command[0]).name
    guard = shutil.which("setpriv")  # ends the program even where we are killed ourselves
    if guard is not None:
        command = [guard, "--pdeathsig", "KILL", "--", *command]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its children are of its group, so they can be ended with it
        )
    except OSError as error:
        raise EngineError(f"{name} can't be started: {error.strerror}") from error
    try:
        with _leaving_by_exit():
            log, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{name} did not end within {timeout:g} s; {smaller}") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    text = log.decode("utf-8", errors="replace")
    if process.returncode in (126, 127) and text.startswith("setpriv:"):
        raise EngineError(f"{name} can't be started: {text.strip().rpartition(': ')[2]}")
    if process.returncode < 0:
        ended_by = signal.Signals(-process.returncode).name
        raise EngineError(f"{name} was ended by {ended_by}, perhaps for its memory; {smaller}")
    return Ended(process.returncode, text)
