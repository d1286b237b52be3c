"""``xbar doctor`` tells what is here and what is not, and ends with 1 only if xbar can't work."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from xbar.cli import doctor


def test_it_names_versions_that_the_packages_say_themselves(call):
    import numpy
    import scipy

    code, out, _ = call("doctor", "--json")
    assert code == 0
    content = json.loads(out)
    assert content["found"]["numpy"] == numpy.__version__
    assert content["found"]["scipy"] == scipy.__version__
    assert content["python"] == ".".join(map(str, sys.version_info[:3]))
    assert content["missing"] == []
    assert content["cpus"] >= 1


def test_it_runs_without_arguments_and_imports_nothing_heavy(run):
    result = run("doctor")
    assert result.returncode == 0
    assert result.stderr == ""
    assert version("networkx") in result.stdout


def test_every_package_that_xbar_installs_with_is_looked_for():
    text = Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    needed = tomllib.loads(text)["project"]["dependencies"]
    assert [entry.split(">")[0] for entry in sorted(needed)] == sorted(doctor.NEEDED)


def test_every_extra_that_users_install_is_looked_for():
    text = Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    for entry in extras["silicon"]:
        assert entry.split(">")[0] in doctor.OPTIONAL


def test_klayouts_version_is_told(klayout):
    found = doctor.tool("klayout").found
    assert found is not None
    assert re.fullmatch(r"KLayout \d+\.\d+.*", found), klayout


def test_tools_that_are_not_on_the_path_are_missing_with_how_to_get_them(run, tmp_path):
    result = run("doctor", "--json", PATH=str(tmp_path))
    assert result.returncode == 0
    found = json.loads(result.stdout)["found"]
    assert found["ngspice"] is None
    assert found["iverilog"] is None
    assert found["klayout"] is None
    said = run("doctor", PATH=str(tmp_path)).stdout
    assert "sudo apt-get install ngspice" in said
    assert "sudo apt-get install klayout" in said


def test_a_tool_that_does_not_run_is_missing(monkeypatch, tmp_path):
    (tmp_path / "ngspice").write_text("no program\n")
    (tmp_path / "ngspice").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.tool("ngspice").found is None
    assert "does not run" in doctor.tool("ngspice").remark


@pytest.mark.parametrize(
    ("says", "remark"),
    [
        ("** ngspice-39 : Circuit level simulation program", "without KLU"),
        ("** ngspice-46 : Circuit\n** Compiled with KLU Direct Linear Solver", "with KLU"),
    ],
)
def test_it_tells_whether_ngspice_has_klu(monkeypatch, tmp_path, says, remark):
    (tmp_path / "ngspice").write_text(f"#!/bin/sh\necho '******\n{says}'\n")
    (tmp_path / "ngspice").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = doctor.tool("ngspice")
    assert found.found is not None
    assert found.found.startswith("ngspice-")
    assert remark in found.remark


def test_a_needed_package_that_is_missing_ends_with_1(call, monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", [*doctor.NEEDED, "no-such-package"])
    code, out, _ = call("doctor")
    assert code == 1
    assert "required but missing: no-such-package" in out


SCRIPT = """
import re
from pathlib import Path
from xbar.jit import watch_compilation

text = Path({readme!r}).read_text()
script = re.search("```python(.*?)```", text, re.DOTALL).group(1)
compiled = []
with watch_compilation(compiled.append):
    exec(script)
print(compiled)
"""


def test_once_the_kernels_are_warm_the_first_script_compiles_none(call):
    assert call("doctor", "--warm")[0] == 0
    code, out, _ = call("doctor", "--warm", "--json")
    assert code == 0
    assert json.loads(out)["compiled"] == []
    readme = str(Path(__file__).parents[2] / "README.md")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(readme=readme)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
