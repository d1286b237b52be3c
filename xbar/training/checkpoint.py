"""A training run as it is on disk, from which the same run goes on after whatever stopped it.

    lock         held by the active run
    run.json     all that the result depends on, and the versions of xbar and PyTorch
    state.npz    the last state that was written, see ``descent.py``; replaced in one step
    <n>.xbar/    of training for a chip its program after n epochs, and the best one

A state is written when its loss has proved to be finite: at the first step, every few seconds,
where Ctrl-C stops the run, and at the end. A folder that holds other files is left alone.
For a chip a state is written whenever the chip is programmed again.
Importing this module imports PyTorch: import it inside functions.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from xbar.compiler.bundles import npz_bytes
from xbar.compiler.program import Program
from xbar.compiler.sealed import JSON_ERRORS, read_json
from xbar.errors import FileError, ModelError, SpecError
from xbar.files import mode_of, read_regular, refuse_inside, write_bytes
from xbar.npz import npz_arrays
from xbar.training.descent import Descent, State
from xbar.training.facts import KIND, difference
from xbar.training.recipe import Epoch
from xbar.unfinished import check_own, locked
from xbar.version import __version__

if TYPE_CHECKING:
    from xbar.training.this_chip import Rounds

SECONDS = 10.0
"""From one written state to the next, at least."""
SHARE = 50
"""So many times as long as writing a state took is waited before the next one."""

_PROGRAM = r"[0-9]+\.xbar|\.[0-9]+\.xbar\.\w+\.tmp(\.old)?"
_OWN = re.compile(
    rf"lock|(\.)?(run\.json|state\.npz)(?(1)\.[0-9a-f]{{16}})|({_PROGRAM})/([a-z]+/)?[\w.]+"
)
_FOLDER = re.compile(rf"({_PROGRAM})(/[a-z]+)?")
_DAMAGE = (FileError, KeyError, TypeError, ValueError, IndexError, RuntimeError)


@dataclass(frozen=True)
class Keep:
    """Where a run is kept.

    Attributes:
        folder: path of its folder.
        facts: all that the result depends on, as JSON.
        force: discard the folder's run where it is another one.
        finish: train no further, and take what the folder's run has reached.
    """

    folder: Path
    facts: Mapping[str, Any]
    force: bool = False
    finish: bool = False


def run_kept(
    descent: Descent,
    keep: Keep,
    after_step: Callable[[int, int], None],
    after_epoch: Callable[[Epoch], None],
) -> int:
    """Train to the end, from where the folder's run is; returns the steps that it had done.

    Raises:
        FileError: the folder's run is another one, damaged or at work, or can't be written.
        ModelError: numbers are no longer finite; the message names the state that is kept.
        SpecError: there is nothing to finish.
        KeyboardInterrupt: Ctrl-C, after the state is written; the message says how to go on.
    """
    if keep.finish and not mode_of(keep.folder / "state.npz"):
        raise SpecError(f"{keep.folder}: holds no state of a run that could be finished")
    with _opened(keep) as folder:
        state = folder.load()
        if state is not None:
            folder.restore(descent, state)
        if keep.finish:
            descent.take_best()
            return descent.done
        went_on = descent.done
        with _interruption() as asked:

            def good(state: State) -> None:
                folder.save(state, descent.done)
                if asked():
                    raise KeyboardInterrupt(folder.how_to_go_on(descent))

            try:
                descent.run(lambda: asked() or folder.due, good, after_step, after_epoch)
            except ModelError as error:
                raise ModelError(f"{error}{folder.what_is_left}") from None
            folder.save(descent.state(), descent.done)
            if asked():
                raise KeyboardInterrupt(folder.how_to_go_on(descent))
        return went_on


def rounds_kept(
    rounds: Rounds,
    keep: Keep,
    after_step: Callable[[int, int], None],
    after_epoch: Callable[[Epoch], None],
) -> tuple[Program, int]:
    """Train for a chip to the end, from the last epoch that the folder has; as ``run_kept``.

    Returns:
        The program, and the steps that the folder's run had done.
    """
    if keep.finish and not mode_of(keep.folder / "state.npz"):
        raise SpecError(f"{keep.folder}: holds no state of a run that could be finished")
    with _opened(keep) as folder:
        state = folder.load()
        if state is not None:
            folder.restore_rounds(rounds, state)
        went_on = sum(rounds.steps)
        if keep.finish:
            return rounds.finished(), went_on
        try:
            program = rounds.run(after_step, after_epoch, lambda: folder.save_rounds(rounds))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted after epoch {len(rounds.history)} of {rounds.schedule.epochs}; "
                f"the same command goes on from what {keep.folder} keeps"
            ) from None
        except ModelError as error:
            raise ModelError(f"{error}{folder.what_is_left}") from None
        return program, went_on


def discard(folder: Path) -> None:
    """Remove a folder of a run, or what is there of it; nothing else.

    Raises:
        FileError: it holds other files.
    """
    if not mode_of(folder):
        return
    check_own(folder, folder, _OWN, _FOLDER)
    shutil.rmtree(folder)


class _Folder:
    """The folder of a run, while it is locked."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._next = 0.0
        self._step: int | None = None

    @property
    def due(self) -> bool:
        """Whether the last state is old enough for the next one."""
        return time.monotonic() >= self._next

    def begin(self) -> None:
        """Check that the run is the same one; or begin it."""
        facts, folder = self._facts(), self._keep.folder
        self._sweep(".*")
        found = self._read()
        if found not in (None, facts) and (not self._keep.force or self._keep.finish):
            raise FileError(difference(folder, found, facts))
        if found != facts:
            (folder / "state.npz").unlink(missing_ok=True)
            self._sweep("*.xbar")
            write_bytes(folder / "run.json", json.dumps(facts, indent=1).encode(), force=True)

    def load(self) -> State | None:
        """The last state; None without one."""
        path = self._keep.folder / "state.npz"
        if not mode_of(path):
            return None
        try:
            return npz_arrays(read_regular(path), path.name)
        except FileError as error:
            raise self._damaged(error) from None

    def restore(self, descent: Descent, state: State) -> None:
        """Go on from a state."""
        try:
            descent.restore(state)
        except _DAMAGE as error:
            raise self._damaged(error) from None
        self._step = descent.done

    def save(self, state: State, step: int) -> None:
        """Write the state after so many steps."""
        start = time.monotonic()
        write_bytes(self._keep.folder / "state.npz", npz_bytes(state), force=True)
        now = time.monotonic()
        self._next, self._step = now + max(SECONDS, SHARE * (now - start)), step

    def save_rounds(self, rounds: Rounds) -> None:
        """Write the state of a chip's training, its programs first."""
        names = {f"{number}.xbar": program for number, program in rounds.programs().items()}
        for name, program in names.items():
            path = self._keep.folder / name
            if not mode_of(path):
                program.save(path, embed=True)
        self.save(rounds.state(), sum(rounds.steps))
        for path in self._keep.folder.glob("*.xbar"):
            if path.name not in names:
                shutil.rmtree(path)

    def restore_rounds(self, rounds: Rounds, state: State) -> None:
        """Go on from a chip's state."""
        try:
            rounds.restore(state, lambda n: Program.load(self._keep.folder / f"{n}.xbar"))
        except _DAMAGE as error:
            raise self._damaged(error) from None
        self._step = sum(rounds.steps)

    def _sweep(self, names: str) -> None:
        """Delete files and folders; ``locked`` has seen that they are a run's."""
        for stale in self._keep.folder.glob(names):
            if stale.is_dir():
                shutil.rmtree(stale)
            else:
                stale.unlink()

    def how_to_go_on(self, descent: Descent) -> str:
        """What Ctrl-C is answered with."""
        return (
            f"interrupted after step {descent.done} of {descent.steps}, which {self._keep.folder} "
            "keeps: the same command goes on from there"
        )

    @property
    def what_is_left(self) -> str:
        """What is told where numbers are no longer finite."""
        if self._step is None:
            return ""
        return f"; {self._keep.folder} keeps step {self._step}, whose network --finish writes"

    def _facts(self) -> dict[str, Any]:
        versions = {"kind": KIND, "xbar": __version__, "torch": str(torch.__version__)}
        facts: dict[str, Any] = json.loads(json.dumps({**versions, **self._keep.facts}))
        return facts

    def _read(self) -> dict[str, Any] | None:
        path = self._keep.folder / "run.json"
        if not mode_of(path):
            return None
        try:
            content = read_json(read_regular(path))
        except (FileError, *JSON_ERRORS):
            content = None
        return content if isinstance(content, dict) else {}

    def _damaged(self, error: Exception) -> FileError:
        return FileError(
            f"{self._keep.folder}: state.npz is damaged ({error}); put back a copy of it, or "
            "remove the folder to begin again"
        )


@contextmanager
def _opened(keep: Keep) -> Iterator[_Folder]:
    refuse_inside(keep.folder)
    try:
        with locked(keep.folder, keep.folder, _OWN, _FOLDER):
            folder = _Folder(keep)
            folder.begin()
            yield folder
    except OSError as error:
        raise FileError(f"{keep.folder}: can't be written ({error.strerror or error})") from error


@contextmanager
def _interruption() -> Iterator[Callable[[], bool]]:
    """Note the first Ctrl-C, to be obeyed where a state is whole; a second one stops at once.

    Only where Python's own handler is in place, in the main thread.
    """
    asked = False

    def note(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    usual = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()
    if not here or usual is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, usual)
