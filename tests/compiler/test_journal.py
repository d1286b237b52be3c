"""A compilation that was stopped goes on where it was, and ends with the same bytes."""

import errno
import os
import signal
import time

import numpy as np
import pytest

import xbar
from xbar.compiler import crew
from xbar.compiler import journal as journal_module
from xbar.compiler.job import run_job
from xbar.errors import FileError

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((64, 400))}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=6), tile=xbar.Tile(word_lines=32, bit_lines=32, bit_wire=1.0)
)
TILES = 13 * 4


def content(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def compiled(output, **options):
    return xbar.compile(WEIGHTS, HARDWARE, seed=3, output=output, workers=1, **options)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "out.xbar"
    xbar.compile(WEIGHTS, HARDWARE, seed=3).save(output)
    return content(output)


def killed_run(output, tiles, delay):
    """Start a run in a process of its own and kill it after so many tiles and seconds.

    Returns whether it was killed before it ended by itself.
    """
    listen, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            compiled(output, progress=lambda done, total: os.write(tell, b"."))
            os._exit(0)
        finally:  # whatever happens, the suite must not run twice
            os._exit(1)
    os.close(tell)
    for _ in range(tiles):
        os.read(listen, 1)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(listen)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_at_twenty_random_moments_it_still_ends_with_the_same_bytes(
    tmp_path, expected, monkeypatch
):
    monkeypatch.setattr(journal_module, "SECONDS", 0.02)  # as many files as a long run has
    rng = np.random.default_rng(5)
    kills = 0
    while kills < 20:
        output = tmp_path / f"{kills}.xbar"
        longest = 0.01
        while not output.exists():  # ever longer, or the last step would never come to its end
            tiles, delay = int(rng.integers(1, TILES + 1)), float(rng.uniform(0, longest))
            kills += killed_run(output, tiles, delay)
            longest *= 1.5
        assert content(output) == expected
    compiled(tmp_path / "0.xbar", force=True)
    assert content(tmp_path / "0.xbar") == expected


def test_what_was_done_is_not_done_again(tmp_path, expected, monkeypatch):
    output = tmp_path / "out.xbar"

    def stop(done, total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled(output, progress=stop)
    assert not output.exists()
    steps, solved = [], []
    monkeypatch.setattr(crew, "run_job", lambda job: solved.append(job.index) or run_job(job))
    compiled(output, progress=lambda *step: steps.append(step))
    assert content(output) == expected
    assert steps == [(i + 1, TILES) for i in range(TILES)]
    assert sorted(solved) == list(range(20, TILES))
    assert [path.name for path in tmp_path.iterdir()] == ["out.xbar"]


def test_a_damaged_file_of_an_unfinished_run_counts_as_not_done(tmp_path, expected, monkeypatch):
    monkeypatch.setattr(journal_module, "SECONDS", 0.0)  # a file a tile, however quick they are
    output = tmp_path / "out.xbar"
    assert killed_run(output, 30, 0.0)
    files = sorted((tmp_path / ".out.xbar.unfinished").glob("*.npz"))
    assert len(files) > 1
    for file in files[1:]:
        file.write_bytes(file.read_bytes()[:-40])
    compiled(output)
    assert content(output) == expected


def test_two_runs_on_one_output_refuse_each_other(tmp_path):
    output = tmp_path / "out.xbar"

    def second(done, total):
        with pytest.raises(FileError, match="another run is writing it"):
            compiled(output)

    compiled(output, progress=second)
    assert output.is_dir()


def test_another_jobs_unfinished_run_is_not_mixed_in(tmp_path):
    output = tmp_path / "out.xbar"

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled(output, progress=stop)
    with pytest.raises(FileError, match="unfinished run of a different job"):
        xbar.compile(WEIGHTS, HARDWARE, seed=4, output=output)
    program = xbar.compile(WEIGHTS, HARDWARE, seed=4, output=output, force=True)
    fresh = xbar.compile(WEIGHTS, HARDWARE, seed=4)
    for a, b in zip(program.tiles, fresh.tiles, strict=True):
        np.testing.assert_array_equal(a.mask, b.mask)


def test_an_existing_output_is_refused_before_any_work(tmp_path):
    output = tmp_path / "out.xbar"
    compiled(output)
    with pytest.raises(FileError, match="exists already"):
        compiled(output, progress=lambda done, total: pytest.fail("work was done"))
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileError, match=r"has no manifest\.json, so it is not replaced"):
        compiled(tmp_path / "mine", force=True)


def test_a_full_disk_is_one_error_and_leaves_what_was_done(tmp_path, expected, small_disk):
    output = small_disk / "out.xbar"
    with pytest.raises(FileError, match=os.strerror(errno.ENOSPC)):
        compiled(output)
    assert not output.exists()
    (small_disk / "ballast").unlink()
    compiled(output)
    assert content(output) == expected


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB that is nearly full; needs the right to mount one."""
    import subprocess

    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        (place / "ballast").write_bytes(bytes(1000 * 1024))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
