"""The short form of ``benchmarks/fuzz.py``: every reader, a few changed files of its format."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES = (
    "deck table npz data readings law toml onnx pt2 pt state safetensors program configuration "
    "ticket journal units"
).split()


def fuzz(tmp_path, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "benchmarks" / "fuzz.py"), *arguments]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )


def test_no_changed_file_gives_a_traceback_a_hang_or_a_gigabyte(tmp_path):
    for package in ("torch", "onnx"):
        pytest.importorskip(package)
    run = fuzz(tmp_path, *NAMES, "--inputs", "8", "--together")
    assert run.returncode == 0, run.stdout + run.stderr
    rows = {line.split()[0]: line.split()[1:5] for line in run.stdout.splitlines()[1:]}
    assert list(rows) == NAMES
    for name, (inputs, read, refused, found) in rows.items():
        assert int(inputs) == int(read) + int(refused) == 8, name
        assert int(read) >= 1, name  # the first input is not changed
        assert int(refused) >= 1, name
        assert found == "0"


def watched_process(monkeypatch, code, told):
    """The watch over a process with this code."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import fuzz

    monkeypatch.setattr(fuzz, "SECONDS", 1.0 if told == "hang" else 60.0)
    monkeypatch.setattr(fuzz, "MEMORY", 1 << 26)
    monkeypatch.setattr(fuzz, "WARM", 0.0)
    monkeypatch.setattr(fuzz, "PATIENCE", 1.0 if "sleep" in code else 60.0)
    return fuzz.Worker((sys.executable, "-c", f"import sys, time\nfor line in sys.stdin: {code}"))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print('\"read\"', flush=True)", "read"),
        ("time.sleep(30)", "hang"),
        ("print(sum(iter(int, 1)))", "hang"),
        ("print(len([b'1' * (1 << 20) for _ in range(200)])); time.sleep(30)", "memory"),
        ("sys.exit(3)", "crash"),
    ],
)
def test_what_happens_to_the_process_is_told(monkeypatch, tmp_path, code, told):
    watched = watched_process(monkeypatch, code, told)
    assert watched.read("units", tmp_path, "text") == told
    assert (watched.process is None) == (told != "read")
    watched.stop()


def test_an_error_that_is_not_ours_is_told_with_its_traceback(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import fuzz
    import fuzz_readers

    def bad(folder, name):
        raise KeyError(name)

    monkeypatch.setitem(fuzz_readers.READERS, "units", fuzz_readers.Reader(list, bad))
    assert "KeyError: 'text'" in fuzz.read_one("units", tmp_path, "text")
    tally = fuzz.Tally()
    monkeypatch.chdir(tmp_path)
    result = fuzz.read_one("units", tmp_path, "text")
    fuzz.record(tally, "units", 3, {"text": b"x"}, result)
    assert tally.findings == 1
    (kept,) = (tmp_path / "build" / "fuzz" / "units").iterdir()
    assert (kept / "text").read_bytes() == b"x"
