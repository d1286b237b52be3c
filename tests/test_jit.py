"""Who hears that kernels are compiled: whoever watches, and once a person at a terminal."""

import os
import pty
import subprocess
import sys

from xbar.jit import NOTICE

SOLVE = "import xbar; print(xbar.solve_subset([1.0, 2.0, 4.0], 3.1).achieved)"


def solve(cache, stderr):
    return subprocess.run(
        [sys.executable, "-c", SOLVE],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=True,
    ).stdout


def on_terminal(cache):
    """What a solution writes to a terminal."""
    ours, theirs = pty.openpty()
    assert solve(cache, theirs) == "3.0\n"
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 4096):
            text += part
    except OSError:  # Linux's word for the end of a terminal
        pass
    os.close(ours)
    return text.decode()


def test_a_terminal_is_told_once_when_the_cache_is_cold_and_never_when_warm(tmp_path):
    assert on_terminal(tmp_path) == f"{NOTICE}\r\n"
    assert on_terminal(tmp_path) == ""


def test_a_pipe_is_told_nothing(tmp_path):
    with (tmp_path / "stderr").open("w+") as stderr:
        assert solve(tmp_path / "cache", stderr) == "3.0\n"
        stderr.seek(0)
        assert stderr.read() == ""


WATCHED = f"""
from xbar.jit import watch_compilation
heard = []
with watch_compilation(heard.append):
    {SOLVE}
    import numba
    numba.njit(lambda x: x)(1.0)
print(*heard)
"""


def heard(cache):
    """Names of the kernels that a watcher of a solution hears of."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[1].split()


def test_a_watcher_hears_each_kernel_once_and_nothing_of_what_is_on_disk(tmp_path):
    cold = heard(tmp_path)
    assert "xbar.subset.kernels.merge.closest_subsets" in cold
    assert len(set(cold)) == len(cold)
    assert all(name.startswith("xbar.") for name in cold)
    assert heard(tmp_path) == []


def test_a_kernel_runs_where_nothing_can_be_kept_on_disk(monkeypatch):
    from numba.core.caching import CacheImpl

    from xbar.jit import jit

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])

    @jit
    def twice(x: int) -> int:
        return 2 * x

    assert twice(21) == 42
    assert twice.signatures  # it was compiled
