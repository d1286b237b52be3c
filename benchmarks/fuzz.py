"""Claim: no file makes a reader fail with a traceback, hang, or take a gigabyte.

Small files of every format are changed at random (``fuzz_mutations.py``) and read in a process of
its own: each is read, or refused by an error of xbar's own. Anything else is a finding: another
exception, the end of the process, more than ten seconds of a processor, or more than a gigabyte of
memory in all. Findings are kept in build/fuzz and their tracebacks printed; the exit code is then
1. The same seed, reader and version give the same inputs.

    python benchmarks/fuzz.py [deck ...] [--minutes 10] [--inputs N] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from fuzz_mutations import Files, mutated
from fuzz_readers import READERS

SECONDS = 10.0
MEMORY = 1 << 30
KEPT = Path("build/fuzz")
WARM = 60.0
"""Seconds that a worker's first input may take, with its imports."""

PATIENCE = 60.0
"""Seconds of waiting beyond a process's own seconds: the machine may be busy."""


def read_one(reader: str, folder: Path, name: str) -> str:
    """What comes of one input: "read", "refused", or a traceback."""
    from xbar.errors import XbarError

    try:
        READERS[reader].read(folder, name)
    except XbarError as error:
        return "refused" if "\n" not in str(error) else f"an error of several lines: {error}"
    except BaseException:
        return traceback.format_exc()
    return "read"


def work() -> None:
    """Read inputs named on stdin, one a line, and answer one line of JSON each."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        reader, folder, name = json.loads(line)
        result = read_one(reader, Path(folder), name)
        print(json.dumps(result), flush=True)


def memory_of(pid: int) -> int:
    """The most resident bytes that a process has had; 0 if it has ended (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def time_of(pid: int) -> float:
    """Processor seconds that a process has used; 0 if it has ended (Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Worker:
    """A process that reads inputs, watched for time and memory.

    Attributes:
        command: starts one that does as ``work``.
        process: the process; None before the first input and after a finding.
        most: largest resident memory seen, bytes.
        seconds: processor seconds of the last input.
    """

    command: tuple[str, ...] = (sys.executable, __file__, "--work")
    process: subprocess.Popen[str] | None = None
    most: int = 0
    seconds: float = 0.0

    def read(self, reader: str, folder: Path, name: str) -> str:
        """What comes of one input: see ``read_one``; or "hang", "memory" or "crash"."""
        limit = SECONDS if self.process else SECONDS + WARM
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([reader, str(folder), name]) + "\n")
        process.stdin.flush()
        begun, end = time_of(process.pid), time.monotonic() + PATIENCE + limit
        while True:
            ready, _, _ = select.select([process.stdout], [], [], 0.02)
            used = memory_of(process.pid)
            self.most = max(self.most, used)
            self.seconds = time_of(process.pid) - begun
            if ready:
                line = process.stdout.readline()
                if line:
                    return str(json.loads(line))
                self.stop()
                return "crash"
            late = time.monotonic() > end or self.seconds > limit
            if used > MEMORY or late:
                self.stop()
                return "memory" if used > MEMORY else "hang"

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.process = None


@dataclass
class Tally:
    """What came of a reader's inputs.

    Attributes:
        counts: number of inputs by kind of result.
        slowest: processor seconds of the slowest input, the worker's first aside.
        which: its number.
        seen: tracebacks, by the line that they end in and its place.
    """

    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    which: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def findings(self) -> int:
        """Number of inputs that were neither read nor refused."""
        return self.counts.total() - self.counts["read"] - self.counts["refused"]


def try_reader(name: str, worker: Worker, minutes: float, inputs: int | None, seed: int) -> Tally:
    """Try one reader for so many minutes or inputs."""
    reader, tally = READERS[name], Tally()
    seeds, end, number = reader.seeds(), time.monotonic() + 60.0 * minutes, 0
    with tempfile.TemporaryDirectory(prefix="xbar-fuzz-") as place:
        while time.monotonic() < end and (inputs is None or number < inputs):
            rng = random.Random(f"{name} {seed} {number}")
            files = mutated(rng, seeds, reader.words) if number else seeds[0]
            if reader.fixed is not None and rng.random() < 0.8:
                files = reader.fixed(files)
            folder = Path(place) / "input"
            write(files, folder)
            warm = worker.process is not None
            result = worker.read(name, folder, next(iter(files)))
            if warm and worker.seconds > tally.slowest:
                tally.slowest, tally.which = worker.seconds, number
            record(tally, name, number, files, result)
            shutil.rmtree(folder, ignore_errors=True)
            number += 1
    return tally


def write(files: Files, folder: Path) -> None:
    """Write an input's files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def record(tally: Tally, reader: str, number: int, files: Files, result: str) -> None:
    """Count a result; keep and print what was found for the first time."""
    kind = result if result in ("read", "refused", "hang", "memory", "crash") else "traceback"
    tally.counts[kind] += 1
    if kind in ("read", "refused"):
        return
    lines = [line for line in result.splitlines() if line.strip()]
    places = [line for line in lines if line.lstrip().startswith("File ")]
    which = f"{kind} {places[-1] if places else ''}"
    if which in tally.seen:
        return
    tally.seen.add(which)
    kept = KEPT / reader / f"{kind}-{sha256(repr(files).encode()).hexdigest()[:12]}"
    shutil.rmtree(kept, ignore_errors=True)
    write(files, kept)
    print(f"--- {reader}, input {number}: {kind}; kept in {kept}\n{result[-3000:]}", flush=True)


def arguments() -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("readers", nargs="*", help=", ".join(READERS))
    parser.add_argument("--minutes", type=float, default=10.0, help="for each reader")
    parser.add_argument("--inputs", type=int, help="at most so many for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--together", action="store_true", help="one process for all readers")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Try the readers and print a table."""
    options = arguments()
    if options.work:
        work()
        return 0
    unknown = set(options.readers) - set(READERS)
    if unknown:
        print(f"unknown readers {', '.join(sorted(unknown))}; known are {', '.join(READERS)}")
        return 2
    print(
        f"{'reader':14}{'inputs':>8}{'read':>8}{'refused':>9}{'found':>7}{'slowest':>9}{'most':>9}"
    )
    found, worker = 0, Worker()
    for name in options.readers or READERS:
        tally = try_reader(name, worker, options.minutes, options.inputs, options.seed)
        most = worker.most
        if not options.together:
            worker.stop()
            worker = Worker()
        found += tally.findings
        print(
            f"{name:14}{tally.counts.total():8}{tally.counts['read']:8}{tally.counts['refused']:9}"
            f"{tally.findings:7}{tally.slowest:7.1f} s{most / 2**20:6.0f} MB"
            f"  slowest was input {tally.which}",
            flush=True,
        )
    worker.stop()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
