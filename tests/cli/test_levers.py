"""``xbar compile --wires fit``: the layout is chosen for the wires, and each lever told."""

import json

import pytest

import xbar

CHIP = """
[bank]
resistors = 4
nominal = "8k"
[tile]
word_lines = 24
bit_lines = 24
word_wire = "40 ohm"
bit_wire = "40 ohm"
"""


@pytest.fixture(scope="module")
def made(call, trained, tmp_path_factory):
    """The chip's file, the program, and what was printed."""
    folder = tmp_path_factory.mktemp("levers")
    (folder / "chip.toml").write_text(CHIP)
    given = ("--hardware", folder / "chip.toml", "-o", folder / "out.xbar", "--only", "out")
    given += ("--wires", "fit", "--max-tiles", "4")
    code, out, _ = call("compile", trained.path, *given, "--json")
    assert code == 0
    return folder / "chip.toml", folder / "out.xbar", json.loads(out)


def test_the_json_tells_each_lever_and_what_came_of_it(made):
    _, path, told = made
    program = xbar.Program.load(path)
    levers = told["levers"]
    assert [one["state"] for one in levers["levers"]].count("chosen") == 1
    (chosen,) = (one for one in levers["levers"] if one["state"] == "chosen")
    assert chosen["tiles"] == told["tiles"] == len(program.tiles) <= levers["max_tiles"]
    assert {one["name"] for one in levers["layers"]} == set(program.weights)
    for one in levers["layers"]:
        last = [tile.wire_errors[-1] for tile in program.tiles_of(one["name"])]
        assert one["reached"] ** 2 == pytest.approx(sum(e**2 for e in last) / len(last))
        assert one["reached"] < one["before"]
        assert one["tiles"] == len(last)


def test_the_report_prints_the_same_record_later(call, made):
    _, path, told = made
    code, out, _ = call("report", path)
    assert code == 0
    assert f"levers against the wires, on at most {told['levers']['max_tiles']} tiles" in out
    for one in told["levers"]["levers"]:
        assert one["name"] in out
        assert f"{100 * one['expected']:.2f} %" in out


def test_the_page_and_the_json_of_a_report_have_it_too(call, made, tmp_path):
    _, path, told = made
    code, out, _ = call("report", path, "--html", tmp_path / "page.html", "--json")
    assert code == 0
    assert json.loads(out)["levers"] == told["levers"]
    page = (tmp_path / "page.html").read_text()
    assert "<h2>Levers against the wires</h2>" in page
    for one in told["levers"]["levers"]:
        assert f"<td>{one['name']}</td>" in page or f">{one['name']}<" in page


def test_options_that_do_not_go_together_are_refused(refused, made, trained, tmp_path):
    given = ("compile", trained.path, "--hardware", made[0], "-o", tmp_path / "x.xbar")
    message = "--max-tiles has no effect without --wires fit"
    assert message in refused(*given, "--max-tiles", "9")
    assert "max_tiles must be at least" in refused(*given, "--wires", "fit", "--max-tiles", "1")
    assert "wires must be 'plain', 'aware' or 'fit'" in refused(*given, "--wires", "best")
    assert "corners and life must be left out" in refused(*given, "--wires", "fit", "--life", "1 h")
    assert "programming must be 'subset'" in refused(
        *given, "--wires", "fit", "--programming", "nominal"
    )
    assert not (tmp_path / "x.xbar").exists()
