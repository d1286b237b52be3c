"""A folder is replaced whole, only if it is xbar's own, and nothing else is ever deleted."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

from xbar import folders
from xbar.errors import FileError
from xbar.folders import Marker, list_folder, new_directory, recover, refuse_directory

MARK = Marker("index.json", "xbar thing")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fill(folder, content, kind=MARK.kind):
    """A folder of two files and their index."""
    (folder / "a").write_text(content)
    (folder / "inner").mkdir()
    (folder / "inner" / "b").write_text(content)
    index = {"kind": kind, "files": {"a": None, "inner/b": None}}
    (folder / MARK.name).write_text(json.dumps(index))


def write(path, content, **options):
    with new_directory(path, MARK, **options) as folder:
        fill(folder, content)


def holds(path):
    """What a whole folder of ``fill`` holds; None if it is not whole."""
    if not path.is_dir() or set(list_folder(path)) != {"a", "inner/b", MARK.name}:
        return None
    contents = {(path / name).read_text() for name in ("a", "inner/b")}
    return contents.pop() if len(contents) == 1 else None


def test_a_folder_takes_its_place_when_it_is_complete(tmp_path):
    with new_directory(tmp_path / "out", MARK) as folder:
        fill(folder, "1")
        assert not (tmp_path / "out").exists()
    assert holds(tmp_path / "out") == "1"
    assert names(tmp_path) == ["out"]


def test_a_failed_folder_vanishes_and_the_old_one_stays(tmp_path):
    write(tmp_path / "out", "old")

    def fail():
        with new_directory(tmp_path / "out", MARK, force=True) as folder:
            fill(folder, "new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert holds(tmp_path / "out") == "old"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("exchange", [True, False])
def test_by_force_a_folder_of_the_same_kind_is_replaced(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(folders, "_exchange", lambda first, second: False)
    write(tmp_path / "out", "old")
    with pytest.raises(FileError, match="exists already"):
        write(tmp_path / "out", "new")
    write(tmp_path / "out", "new", force=True)
    assert holds(tmp_path / "out") == "new"
    assert names(tmp_path) == ["out"]


def change(path, how):
    """Make a folder of ``fill`` one that is not xbar's own."""
    index = json.loads((path / MARK.name).read_text())
    if how == "no index":
        (path / MARK.name).unlink()
    elif how == "one more":
        (path / "thesis.tex").write_text("precious")
    elif how == "one more below":
        (path / "inner" / "thesis.tex").write_text("precious")
    elif how == "one less":
        (path / "inner" / "b").unlink()
    elif how == "empty folder":
        (path / "mine").mkdir()
    elif how == "link":
        (path / "a").unlink()
        (path / "a").symlink_to("../precious")
    elif how == "pipe":
        os.mkfifo(path / "pipe")
    elif how == "index is a link":
        shutil.move(path / MARK.name, path.with_name("elsewhere"))
        (path / MARK.name).symlink_to("../elsewhere")
    elif how == "other kind":
        (path / MARK.name).write_text(json.dumps({**index, "kind": "web app"}))
    elif how == "no kind":
        (path / MARK.name).write_text("{}")
    elif how == "no JSON":
        (path / MARK.name).write_text("[" * 100000)
    elif how == "a list":
        (path / MARK.name).write_text("[]")
    elif how == "a number":
        (path / MARK.name).write_text(json.dumps({**index, "files": 3}))
    elif how == "names outside":
        listed = {**index["files"], "../precious": None}
        (path / MARK.name).write_text(json.dumps({**index, "files": listed}))
    elif how == "linked folder":
        path.rename(path.with_name("real"))
        path.symlink_to("real")
    else:
        raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    [
        "no index", "one more", "one more below", "one less", "empty folder", "link", "pipe",
        "index is a link", "other kind", "no kind", "no JSON", "a list", "a number",
        "names outside", "linked folder",
    ],
)  # fmt: skip
def test_a_folder_that_is_not_ours_is_never_replaced(tmp_path, how):
    (tmp_path / "precious").write_text("precious")
    write(tmp_path / "out", "old")
    change(tmp_path / "out", how)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(FileError, match=r"not replaced|does not belong|link|is empty") as refused:
        write(tmp_path / "out", "new", force=True)
    assert "\n" not in str(refused.value)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_file_that_came_while_the_folder_was_written_is_not_deleted(tmp_path):
    write(tmp_path / "out", "old")

    def slow():
        with new_directory(tmp_path / "out", MARK, force=True) as folder:
            fill(folder, "new")
            (tmp_path / "out" / "thesis.tex").write_text("precious")

    with pytest.raises(FileError, match=r"thesis\.tex is not listed"):
        slow()
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "thesis.tex").read_text() == "precious"


def test_a_file_that_came_at_the_last_moment_is_not_deleted(tmp_path, monkeypatch):
    write(tmp_path / "out", "old")
    exchange = folders._exchange

    def late(folder, path):
        (path / "inner" / "thesis.tex").write_text("precious")
        return exchange(folder, path)

    monkeypatch.setattr(folders, "_exchange", late)
    with pytest.raises(FileError, match="it stays, look at it"):
        write(tmp_path / "out", "new", force=True)
    assert holds(tmp_path / "out") == "new"
    (left,) = [path for path in tmp_path.iterdir() if path.name != "out"]
    assert (left / "inner" / "thesis.tex").read_text() == "precious"


def test_a_folder_that_can_not_be_made_is_told(tmp_path):
    with (
        pytest.raises(FileError, match="can't be written"),
        new_directory(tmp_path / "no" / "out", MARK),
    ):
        pass


def replace_and_die(path, step, exchange):
    """Replace a folder in a process that ends before its ``step``-th change of names.

    Returns whether it ended early.
    """
    child = os.fork()
    if child == 0:
        try:
            done = 0

            def watch(event, arguments):
                nonlocal done
                if event in ("os.rename", "os.remove", "os.rmdir", "ctypes.dlsym"):
                    done += 1
                    if done == step:
                        os.kill(os.getpid(), signal.SIGKILL)

            if not exchange:
                folders._exchange = lambda first, second: False
            sys.addaudithook(watch)
            write(path, "new", force=True)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("exchange", [True, False])
def test_killed_at_any_step_one_of_the_two_is_there_and_a_rerun_finishes(tmp_path, exchange):
    step, seen = 1, set()
    while True:
        place = tmp_path / str(step)
        place.mkdir()
        (place / "precious").write_text("precious")
        write(place / "out", "old")
        killed = replace_and_die(place / "out", step, exchange)
        recover(place / "out", MARK, place)  # what the next run, or load, does first
        assert holds(place / "out") in ("old", "new")
        seen.add(holds(place / "out"))
        write(place / "out", "newer", force=True)
        assert holds(place / "out") == "newer"
        assert (place / "precious").read_text() == "precious"
        if not killed:
            break
        step += 1
    assert step > 5
    assert seen == {"old", "new"}


def test_in_one_step_there_is_no_moment_without_a_folder(tmp_path):
    probe = tmp_path / "a", tmp_path / "b"
    for each in probe:
        each.mkdir()
    if not folders._exchange(*probe):
        pytest.skip("this file system can't exchange two names")
    step = 1
    while True:
        path = tmp_path / f"{step}.out"
        write(path, "old")
        if not replace_and_die(path, step, exchange=True):
            break
        assert holds(path) in ("old", "new")
        step += 1
    assert step > 3


def test_a_killed_writer_leaves_no_folder_at_the_path(tmp_path):
    code = f"""
        import time, pathlib
        from xbar.folders import Marker, new_directory
        with new_directory(pathlib.Path({str(tmp_path / "out")!r}), Marker("m", "k")) as folder:
            (folder / "m").write_text("half")
            print("ready", flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "out").exists()


def test_only_folders_and_regular_files_are_listed(tmp_path):
    write(tmp_path / "out", "12345")
    sizes = list_folder(tmp_path / "out")
    assert sizes["inner/b"] == 5
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "out" / "s"))
        with pytest.raises(FileError, match="s is a socket"):
            list_folder(tmp_path / "out")
    (tmp_path / "out" / "s").unlink()
    (tmp_path / "out" / "inner" / "l").symlink_to("/dev/zero")
    with pytest.raises(FileError, match="inner/l is a link"):
        list_folder(tmp_path / "out")
    (tmp_path / "out" / "inner" / "l").unlink()
    deep = tmp_path / "out" / "/".join("d" * 20)
    deep.mkdir(parents=True)
    with pytest.raises(FileError, match="nested too deeply"):
        list_folder(tmp_path / "out")


def test_nothing_is_written_into_a_folder_of_xbars_own(tmp_path):
    import xbar

    program = xbar.compile({"a": [[1.0, 2.0]]}, xbar.Hardware(), seed=0)
    program.save(tmp_path / "p.xbar")
    program.write_configuration(tmp_path / "out")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    for place in ("p.xbar", "p.xbar/tiles", "out"):
        inside = tmp_path / place / "x"
        for write_inside in (
            program.save,
            program.write_configuration,
            lambda path: xbar.compile({"a": [[1.0]]}, xbar.Hardware(), seed=0, output=path),
            program.tiles[0].netlist().write,
        ):
            with pytest.raises(FileError, match=r"lies within .*, which xbar wrote"):
                write_inside(inside)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_a_path_that_is_free_is_never_refused(tmp_path):
    refuse_directory(tmp_path / "out", MARK, force=False)
    refuse_directory(tmp_path / "out", MARK, force=True)
    assert names(tmp_path) == []
