"""The klayout program as a subprocess."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from xbar.errors import EngineError, ToolError
from xbar.silicon.checks.klayout import call, find_klayout, run


def test_a_missing_program_is_told_in_one_line_with_exit_code_3(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="klayout is not on PATH; install it: sudo apt-get") as info:
        find_klayout()
    assert info.value.exit_code == 3
    assert "\n" not in str(info.value)


def test_a_script_that_fails_is_told_with_its_own_reason(klayout, tmp_path):
    script = tmp_path / "fails.py"
    script.write_text('raise ValueError("no such mask")\n')
    with pytest.raises(EngineError, match=r"klayout failed on fails.py: .*no such mask"):
        run(script, {}, tmp_path)


def test_a_script_finds_its_values_and_not_the_users_settings(klayout, tmp_path):
    script = tmp_path / "tells.py"
    script.write_text('import os\nprint(value + " in " + os.environ["HOME"])\n')
    assert run(script, {"value": "seven"}, tmp_path).split("\n")[0] == f"seven in {tmp_path}"


def _alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_script_out_of_time_ends_with_what_it_has_started(tmp_path, monkeypatch):
    # a stand-in, which starts in no time however busy the machine is
    program = tmp_path / "klayout"
    program.write_text("#!/bin/sh\nsleep 300 &\necho $! > child\nwait\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(EngineError, match="klayout did not end within 3 s; check fewer cells"):
        run(tmp_path / "hangs.py", {}, tmp_path, timeout=3)
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not _alive(child):
            break
        time.sleep(0.05)
    assert not _alive(child)
    assert child != os.getpid()


def answering(tmp_path, monkeypatch, text):
    """Put a program in klayout's place that writes a text as its answer."""
    program = tmp_path / "klayout"
    program.write_text(
        '#!/bin/sh\nfor word in "$@"; do case $word in '
        f"answer=*) printf '%s' '{text}' > \"${{word#answer=}}\";; esac; done\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_an_answer_that_is_cut_short_is_told(tmp_path, monkeypatch):
    answering(tmp_path, monkeypatch, "{")
    with pytest.raises(EngineError, match=r"klayout's answer to measure_rules.py can't be read"):
        call("measure_rules.py", {}, list)


@pytest.mark.parametrize("text", ["{}", "[]", "3", "null", "[{}]", "[[]]", '[{"devices": 1}]'])
def test_an_answer_of_another_form_is_told(tmp_path, monkeypatch, text):
    from xbar.silicon.cell import Cell
    from xbar.silicon.checks.compare import compare_masks
    from xbar.silicon.checks.rules import check_rules

    masks = tmp_path / "tile.gds"
    masks.write_bytes(b"")
    answering(tmp_path, monkeypatch, text)
    with pytest.raises(EngineError, match=r"answer to measure_rules.py can't be read: \S"):
        check_rules(masks)
    with pytest.raises(EngineError, match=r"answer to extract_nets.py can't be read: \S"):
        compare_masks(masks, Cell("sky130", 1, "4u").layout(1, 2).netlist())
