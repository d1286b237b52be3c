"""``xbar silicon``: a group of commands."""

import json


def test_the_group_lists_its_commands_and_ends_with_usage_without_one(run):
    shown = run("silicon")
    assert shown.returncode == 2
    lines = (shown.stdout + shown.stderr).partition("Commands:")[2].strip().splitlines()
    assert lines[0].split()[0] == "processes"
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)
    assert run("silicon", "fly").returncode == 2
    assert run("silicon", "processes", "--help").returncode == 0


def test_processes_are_listed_with_what_to_install_where_models_are_missing(
    call, monkeypatch, tmp_path
):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    code, out, _ = call("silicon", "processes", "--pdk", tmp_path, "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)["processes"]}
    assert {"sky130", "gf180mcu"} <= set(rows)
    assert rows["sky130"]["models"] is None
    assert "no models of sky130" in rows["sky130"]["missing"]
    (tmp_path / "sky130.lib.spice").write_text("")
    code, out, _ = call("silicon", "processes", "--pdk", tmp_path, "--json")
    rows = {row["name"]: row for row in json.loads(out)["processes"]}
    assert rows["sky130"]["models"] == str(tmp_path)
    assert rows["sky130"]["found by"] == "--pdk"


def test_errors_of_the_group_are_one_line(refused, tmp_path):
    assert "must be a folder" in refused("silicon", "processes", "--pdk", tmp_path / "none")
