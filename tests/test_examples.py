"""Every example runs as it stands, and its own assertions hold."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def _case(path):
    marks = [pytest.mark.sky130] if "sky130" in path.read_text() else []
    return pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize("path", [_case(path) for path in EXAMPLES])
def test_the_example_runs_and_its_number_holds(path, tmp_path, request):
    text = path.read_text()
    assert re.search(r"^\s*assert ", text, re.MULTILINE)
    if "torch" in text:
        pytest.importorskip("torch")
        pytest.importorskip("sklearn")
    if "sky130" in text:
        for needed in ("sky130", "klayout"):
            request.getfixturevalue(needed)
        pytest.importorskip("gdstk")
        pytest.importorskip("sklearn")
    if "matplotlib" in text:
        pytest.importorskip("matplotlib")
    result = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"},
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_the_demos_chip_is_the_examples_chip():
    assert (ROOT / "examples/chip.toml").read_bytes() == (
        ROOT / "xbar/cli/demo_chip.toml"
    ).read_bytes()
