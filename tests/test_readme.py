"""The README's program runs, and its commands are commands."""

import re
import subprocess
import sys
from pathlib import Path

from xbar.cli.main import VERBS

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```(python)?\n(.*?)```", README, re.DOTALL)


def test_the_first_script_runs_and_its_errors_are_small():
    (script,) = [text for language, text in BLOCKS if language]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    errors = dict(re.findall(r"(\w+): worst error ([\d.]+)", result.stdout))
    assert float(errors["ideal"]) < 0.02 < float(errors["nodal"]) < 2


def test_every_command_shown_exists():
    shown = {
        line.split()[1] for _, text in BLOCKS for line in text.splitlines() if "xbar " in line[:5]
    }
    assert shown == set(VERBS) - {"demo"}
