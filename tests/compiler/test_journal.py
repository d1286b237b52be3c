"""A compilation that was stopped goes on where it was, and ends with the same bytes."""

import errno
import os
import shutil
import signal
import sys
import time

import numpy as np
import pytest

import xbar
from xbar import folders
from xbar.compiler import bundles, crew
from xbar.compiler import journal as journal_module
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


def watch_jobs(monkeypatch, solved):
    """Add the tiles of every batch that is run to a list."""
    together = crew._run_together

    def seen(workspace, jobs):
        solved.extend(job.index for job in jobs)
        return together(workspace, jobs)

    monkeypatch.setattr(crew, "_run_together", seen)


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
    watch_jobs(monkeypatch, solved)
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out.xbar"]


def stopped(output, after=20):
    """A run that was interrupted; returns its folder."""

    def stop(done, total):
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled(output, progress=stop)
    return output.with_name(f".{output.name}.unfinished")


def test_the_results_of_another_version_are_not_taken_and_this_is_told(
    tmp_path, expected, monkeypatch
):
    output = tmp_path / "out.xbar"
    monkeypatch.setattr(journal_module, "__version__", "0.0.9")
    stopped(output)
    monkeypatch.undo()
    with pytest.raises(FileError, match=r"unfinished run of xbar 0\.0\.9, whose results xbar"):
        compiled(output)
    solved = []
    watch_jobs(monkeypatch, solved)
    compiled(output, force=True)
    assert len(solved) == TILES
    assert content(output) == expected


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'"x"', b"{}", b"\xff", b"[" * 99999])
def test_a_damaged_job_file_is_one_line_and_discarded_by_force(tmp_path, expected, text):
    output = tmp_path / "out.xbar"
    journal = stopped(output)
    (journal / "job.json").write_bytes(text)
    with pytest.raises(FileError, match="unfinished run of xbar another version"):
        compiled(output)
    compiled(output, force=True)
    assert content(output) == expected


@pytest.mark.parametrize(
    "kind", ["link", "file", "foreign file", "folder", "pipe", "inner", "result"]
)
def test_what_is_no_journal_is_left_alone(tmp_path, kind):
    output, journal = tmp_path / "out.xbar", tmp_path / ".out.xbar.unfinished"
    mine = tmp_path / "mine"
    (mine / ".x.tmp").mkdir(parents=True)
    (mine / "1.npz").write_text("precious")
    (mine / ".x.tmp" / "manifest.json").write_text("precious")
    if kind == "link":
        journal.symlink_to("mine")
    elif kind == "file":
        journal.write_text("precious")
    else:
        journal.mkdir()
    if kind == "foreign file":
        (journal / "thesis.tex").write_text("precious")
    elif kind == "folder":
        (journal / "thesis").mkdir()
    elif kind == "pipe":
        os.mkfifo(journal / "lock")
    elif kind == "inner":
        (journal / ".x.tmp").symlink_to("../mine/.x.tmp")
    elif kind == "result":
        (journal / "1.npz").symlink_to("../mine/1.npz")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    for force in (False, True):
        with pytest.raises(FileError, match="look at it and remove it"):
            compiled(output, force=force)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    assert (mine / "1.npz").read_text() == "precious"
    assert (mine / ".x.tmp" / "manifest.json").read_text() == "precious"


def test_results_that_are_not_those_of_their_job_count_as_not_done(tmp_path, expected, monkeypatch):
    """Whoever wrote them: other weights, indices, scales and shapes never reach the program."""
    monkeypatch.setattr(journal_module, "SECONDS", 0.0)
    output = tmp_path / "out.xbar"
    journal = stopped(output, after=8)
    files = sorted(journal.glob("*.npz"), key=lambda file: int(file.stem))
    assert len(files) == 8

    def change(file, **arrays):
        np.savez(file, **{**dict(np.load(file)), **arrays})

    whole = dict(np.load(files[0]))
    moved = whole["rows"].copy()
    moved[0, 4] += 1  # the first input
    change(files[0], scale=-whole["scale"])
    change(files[1], mask=whole["mask"][:, 1:])
    change(files[2], index=np.array([3], dtype=np.uint64))
    change(files[3], rows=whole["rows"][:, :7])
    change(files[4], residual=whole["residual"] * np.nan)
    change(files[5], rows=moved)
    change(files[6], index=np.array([-1]))
    change(files[7], scale=whole["scale"][:-1])
    compiled(output)
    assert content(output) == expected


def steps_until_death(output, step):
    """Compile by force in a process that ends before its ``step``-th change of names.

    Steps are counted from when the last tile is done.
    """
    child = os.fork()
    if child == 0:
        try:
            finish, done = journal_module.Journal.finish, -(10**9)

            def watch(event, arguments):
                nonlocal done
                if event in ("os.rename", "os.remove", "os.rmdir", "ctypes.dlsym"):
                    done += 1
                    if done == step:
                        os.kill(os.getpid(), signal.SIGKILL)

            def start(*arguments, **options):
                nonlocal done
                done = 0
                return finish(*arguments, **options)

            journal_module.Journal.finish = start
            sys.addaudithook(watch)
            xbar.compile(SMALL, HARDWARE, seed=4, output=output, workers=1, force=True)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


SMALL = {"fc": np.random.default_rng(1).standard_normal((4, 5))}


@pytest.mark.parametrize("exchange", [True, False])
def test_killed_at_any_step_of_a_replacement_a_rerun_finishes(tmp_path, exchange, monkeypatch):
    if not exchange:
        monkeypatch.setattr(folders, "_exchange", lambda first, second: False)
    programs = []
    for seed in (3, 4):
        xbar.compile(SMALL, HARDWARE, seed=seed, output=tmp_path / f"{seed}")
        programs.append(content(tmp_path / f"{seed}"))
    step, seen = 1, []
    while True:
        output = tmp_path / f"{step}.xbar"
        shutil.copytree(tmp_path / "3", output)
        killed = steps_until_death(output, step)
        if exchange or output.exists():
            seen.append(programs.index(content(output)))
        else:
            (aside,) = tmp_path.glob(f".{step}.xbar.unfinished/*.old")
            assert content(aside) == programs[0]
        xbar.compile(SMALL, HARDWARE, seed=4, output=output, force=True)
        assert content(output) == programs[1]
        assert not output.with_name(f".{output.name}.unfinished").exists()
        if not killed:
            break
        step += 1 if step < 5 else 5  # then files of the old one are deleted, one after another
    assert seen == sorted(seen)
    assert set(seen) == {0, 1}


def test_a_full_disk_is_one_error_and_leaves_what_was_done(tmp_path, expected, small_disk):
    output = small_disk / "out.xbar"
    with pytest.raises(FileError, match=os.strerror(errno.ENOSPC)):
        compiled(output)
    assert not output.exists()
    (small_disk / "ballast").unlink()
    compiled(output)
    assert content(output) == expected


def test_a_disk_that_is_full_at_the_end_leaves_every_tile_done(expected, small_disk, monkeypatch):
    """There is place for the switches, and none for the weights."""
    output = small_disk / "out.xbar"
    os.truncate(small_disk / "ballast", 900 * 1024)
    with pytest.raises(FileError, match=os.strerror(errno.ENOSPC)):
        compiled(output)
    (small_disk / "ballast").unlink()
    solved = []
    watch_jobs(monkeypatch, solved)
    compiled(output)
    assert solved == []
    assert content(output) == expected


def test_what_is_written_becomes_the_program_without_a_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, "MOST_TILES", 8)
    output = tmp_path / "out.xbar"
    compiled(tmp_path / "whole.xbar")
    journal = stopped(output, after=20)
    written = {file.name: file.stat().st_ino for file in journal.glob(".*.tmp/tiles/*.npz")}
    assert sorted(written) == ["0.npz", "1.npz"]  # of 8 tiles each, and 4 are left
    assert [file.name for file in journal.glob("*.npz")] == ["16.npz"]
    compiled(output)
    assert {name: (output / "tiles" / name).stat().st_ino for name in written} == written
    assert content(output) == content(tmp_path / "whole.xbar")


def test_results_that_wait_for_their_bundle_are_written_once_it_takes_long(tmp_path, monkeypatch):
    """What a kill would lose is no older than ``SECONDS``; the file goes with the bundle."""
    monkeypatch.setattr(bundles, "MOST_TILES", 8)
    monkeypatch.setattr(journal_module, "SECONDS", 0.0)
    output, seen = tmp_path / "out.xbar", []

    def look(done, total):
        seen.append(len(list(tmp_path.glob(".out.xbar.unfinished/*.npz"))))

    compiled(output, progress=look)
    assert seen == [done % 8 for done in range(1, TILES)] + [0]


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
