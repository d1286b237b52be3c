"""How the tests call the command."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from xbar.cli.main import app

CHIP = """
[bank]
resistors = 6
nominal = "50k"
[tile]
word_lines = 32
bit_lines = 32
word_wire = "1 ohm"
bit_wire = "1 ohm"
"""


@pytest.fixture(scope="session")
def run():
    """The command in a process of its own."""

    def function(*arguments, cwd=None, **environment):
        code = "from xbar.cli.main import main; main()"
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, **environment},
            check=False,
        )

    return function


@pytest.fixture(scope="session")
def call():
    """The command in this process: (exit code, stdout, stderr)."""

    def function(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return function


@pytest.fixture(scope="session")
def refused(call):
    """The one error line of a command that must fail."""

    def function(*arguments, code=2):
        got, out, err = call(*arguments)
        assert got == code, (out, err)
        assert out == ""
        assert "Traceback" not in err
        lines = err.strip().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        return lines[0]

    return function


@pytest.fixture(scope="session")
def compiled(call, tmp_path_factory, trained):
    """A folder with a chip.toml and the trained network compiled for a chip of it."""

    def function(design, seed=0):
        folder = tmp_path_factory.mktemp("work")
        (folder / "chip.toml").write_text(design)
        code, out, _ = call(
            *("compile", trained.path, "--hardware", folder / "chip.toml", "--seed", seed),
            *("-o", folder / "out.xbar", "--json"),
        )
        assert code == 0
        (folder / "compile.json").write_text(out)
        return folder

    return function


@pytest.fixture(scope="module")
def work(compiled):
    """A folder with a chip.toml and a compiled program."""
    return compiled(CHIP)
