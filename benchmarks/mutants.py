"""How many small errors in xbar the nearest tests find: a sample of mutants, each judged by itself.

    make mutants                             half an hour on two cores
    python benchmarks/mutants.py --only xbar/effects --sample 40

Cosmic Ray makes the mutants: a `+` becomes a `-`, a `<` a `<=`, a constant one more. Which ones are
made follows from the seed and from the text around each, so that a change elsewhere leaves the
sample as it is. Each worker has its own copy of the tree and nothing of the working tree is
touched. The tests of mutants.toml judge a mutant; a failure or a timeout kills it. Kernels are
compiled afresh for each mutant of theirs. Results go to build/mutants/. Exits with 1 below --least.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shlex
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_item import MutationSpec, TestOutcome
from mutants_sample import ROOT, Mutant, sample

COPIED = ("xbar", "tests", "examples", "netlists", "docs", "README.md", "pyproject.toml")
DURATIONS = "durations.xml"
SHARES = {"xbar/effects": 0.2, "xbar/compiler": 0.4, "xbar/subset": 0.4}  # of the sample


@dataclass(frozen=True)
class Verdict:
    """Whether a mutant survived its tests, how long they took and what they said last."""

    mutant: Mutant
    survived: bool
    seconds: float
    said: str


def nearest(file: str, table: dict[str, list[str]]) -> tuple[str, ...]:
    """The tests of a file's name and of its line in the table, or its folder's; its examples."""
    folder, stem = ROOT / "tests" / file.split("/")[1], Path(file).stem
    found = sorted(folder.rglob(f"test_{stem}.py"))
    patterns = sorted((pattern for pattern in table if fnmatch(file, pattern)), key=len)
    for name in table[patterns[-1]] if patterns else []:
        found += sorted(ROOT.glob(f"tests/{name}"))
    found = found or sorted(folder.rglob("test_*.py"))
    return *dict.fromkeys(path.relative_to(ROOT).as_posix() for path in found), file


def copied(into: Path) -> Path:
    """A copy of the tree, with what is compiled already."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, into / name, symlinks=True)
        else:
            shutil.copy2(ROOT / name, into / name)
    return into


def pytest(tests: Iterable[str], *options: str) -> str:
    """The command that runs tests up to the first failure."""
    python = os.environ["XBAR_PYTHON"]
    return shlex.join([python, "-m", "pytest", "-x", "-q", *options, *tests])


def enter(trees: multiprocessing.Queue[Path], python: str, tests: tuple[str, ...]) -> None:
    """Go to this worker's copy of the tree and find out how long its tests take without a mutant.

    Raises:
        RuntimeError: they fail, so that they can judge nothing.
    """
    tree = copied(trees.get())
    os.chdir(tree)
    os.environ.update(PYTHONPATH=str(tree), OMP_NUM_THREADS="1", XBAR_PYTHON=python)
    outcome, said = run_tests(pytest(tests, f"--junitxml={DURATIONS}"), 1500)
    if outcome != TestOutcome.SURVIVED:
        raise RuntimeError(f"tests must pass before they can judge:\n{said[-3000:]}")


def seconds_of(tests: Iterable[str]) -> float:
    """What tests took in this worker's copy without a mutant."""
    modules = {test.removesuffix(".py").replace("/", ".") for test in tests}
    cases = ElementTree.parse(DURATIONS).iter("testcase")
    return sum(float(case.get("time", 0)) for case in cases if case.get("classname") in modules)


def judge(mutant: Mutant, tests: tuple[str, ...]) -> Verdict:
    """Apply a mutant to this worker's copy, run its tests, take it back.

    Raises:
        RuntimeError: the tests could not be run.
    """
    file = Path(mutant.file)
    spec = MutationSpec(file, mutant.operator, mutant.occurrence, mutant.start, mutant.end)
    before, start = file.stat(), time.perf_counter()
    limit = 30 + 2 * seconds_of(tests)
    with tempfile.TemporaryDirectory() as cache:
        if file.parent.name == "kernels":  # callers keep what they compiled: all of them anew
            os.environ["NUMBA_CACHE_DIR"] = cache
            limit += 60
        result = mutate_and_test([spec], pytest(tests), limit)
        os.environ.pop("NUMBA_CACHE_DIR", None)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    said = "\n".join((result.output or "").splitlines()[-4:])
    if result.test_outcome not in (TestOutcome.KILLED, TestOutcome.SURVIVED):
        raise RuntimeError(f"{mutant} could not be judged: {said}")
    survived = result.test_outcome == TestOutcome.SURVIVED
    return Verdict(mutant, survived, time.perf_counter() - start, said)


def judged(
    mutants: list[Mutant], table: dict[str, list[str]], arguments: argparse.Namespace
) -> Iterator[Verdict]:
    """All verdicts within the minutes that there are, as they come."""
    ends = time.monotonic() + 60 * arguments.minutes
    tests = {mutant: nearest(mutant.file, table) for mutant in mutants}
    every = tuple(sorted({test for some in tests.values() for test in some}))
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees = context.Queue()
        for number in range(arguments.workers):
            trees.put(Path(folder) / f"tree{number}")
        pool = ProcessPoolExecutor(
            arguments.workers, context, enter, (trees, arguments.python, every)
        )
        with pool:
            jobs = [pool.submit(judge, mutant, tests[mutant]) for mutant in mutants]
            for job in as_completed(jobs):
                if not job.cancelled():
                    yield job.result()
                if time.monotonic() > ends:
                    for other in jobs:
                        other.cancel()


def told(verdict: Verdict) -> str:
    """A verdict on one line."""
    mutant, word = verdict.mutant, "SURVIVED" if verdict.survived else "killed"
    return f"{word:8} {verdict.seconds:4.0f} s  {mutant.file}:{mutant.start[0]}  {mutant.becomes}"


def report(verdicts: list[Verdict], known: list[dict[str, str]], output: Path) -> float:
    """Print and write what was found; the share that was killed."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "results.json").write_text(json.dumps([asdict(v) for v in verdicts], indent=1))
    reasons = {(k["file"], k["line"], k["becomes"]): k["why"] for k in known}
    lines = []
    for mutant in sorted((v.mutant for v in verdicts if v.survived), key=str):
        why = reasons.get((mutant.file, mutant.line, mutant.becomes), "no reason is known")
        lines.append(f"{mutant.file}:{mutant.start[0]} {mutant.where}: {why}")
        lines.append(f"    - {mutant.line}\n    + {mutant.becomes}")
    (output / "survivors.txt").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    for folder in [*SHARES, ""]:
        mine = [v for v in verdicts if v.mutant.file.startswith(folder)]
        killed = sum(not v.survived for v in mine)
        if mine:
            print(f"{folder or 'all'}: {killed} of {len(mine)} killed, {killed / len(mine):.1%}")
    return killed / len(mine) if mine else 0.0


def main() -> int:
    """Sample, judge, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(SHARES), help="folders or files")
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=28.0, help="no mutant starts after that")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--least", type=float, default=0.85, help="share that must be killed")
    parser.add_argument("--python", default=sys.executable, help="that the tests are run with")
    parser.add_argument("--table", type=Path, default=Path(__file__).with_suffix(".toml"))
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "mutants")
    arguments = parser.parse_args()
    settings = tomllib.loads(arguments.table.read_text())
    shares = {folder: SHARES.get(folder, 1.0) for folder in arguments.only}
    mutants = sample(shares, arguments.sample, arguments.seed)
    random.Random(arguments.seed).shuffle(mutants)  # where time runs out each folder has its part
    verdicts = []
    for verdict in judged(mutants, settings["nearest"], arguments):
        verdicts.append(verdict)
        print(told(verdict), flush=True)
    print(f"\n{len(verdicts)} of {len(mutants)} judged in the time that there was")
    share = report(verdicts, settings.get("survivor", []), arguments.output)
    return 0 if share >= arguments.least else 1


if __name__ == "__main__":
    sys.exit(main())
