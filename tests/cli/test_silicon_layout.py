"""``xbar silicon layout``: masks of a program's tile."""

import json

import pytest

import xbar
from xbar.hardware import Drawn

gdstk = pytest.importorskip("gdstk")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=2, nominal=(30e3, 33e3), spread="normal", sigma=0.03),
        tile=xbar.Tile(word_lines=3, bit_lines=2),
        silicon=Drawn(process="sky130", lengths=["4u", "4.4u"], switch_width="1u"),
    )
    path = tmp_path_factory.mktemp("programs") / "out.xbar"
    xbar.compile({"fc": [[0.5, -1.0, 0.25]]}, hardware, seed=1).save(path)
    return path


def test_masks_netlist_and_picture_are_written_and_told(call, program, tmp_path):
    files = {name: tmp_path / f"tile.{name}" for name in ("gds", "cir", "svg")}
    code, out, _ = call(
        "silicon", "layout", program, "-o", files["gds"], "--netlist", files["cir"],
        "--picture", files["svg"], "--json",
    )  # fmt: skip
    assert code == 0
    said = json.loads(out)
    assert (said["word_lines"], said["bit_lines"], said["resistors"]) == (3, 2, 2)
    # two branches of 0.95 um beside each other
    assert said["cell"]["width"] == pytest.approx(1.9e-6)
    top = next(c for c in gdstk.read_gds(files["gds"]).cells if c.name == "tile")
    assert len(top.get_polygons(layer=66, datatype=13)) == 3 * 2 * 2
    assert files["cir"].read_text().count("sky130_fd_pr__res_xhigh_po") == 2
    assert "</svg>" in files["svg"].read_text()
    code, out, _ = call("silicon", "layout", program, "-o", tmp_path / "other.gds")
    assert code == 0
    assert "3 x 2 cells of 2 branches in sky130" in out
    assert "each gate is a pin, fill" in " ".join(out.split())


def test_nothing_is_written_where_something_is_wrong(refused, program, tmp_path):
    existing = tmp_path / "there.svg"
    existing.write_text("mine")
    masks = tmp_path / "tile.gds"
    arguments = ("silicon", "layout", program, "-o", masks)
    assert "exists already" in refused(*arguments, "--picture", existing)
    assert "tile must be from 0 to" in refused(*arguments, "--tile", 7)
    assert "does not exist" in refused("silicon", "layout", tmp_path / "none", "-o", masks)
    assert "Is a directory" in refused(*arguments, "--check", tmp_path)
    assert "can't be read" in refused(*arguments, "--lvs", tmp_path / "none.lvs")
    twice = masks.parent / "." / masks.name
    assert "is named for two files" in refused(*arguments, "--netlist", twice, "--force")
    assert "is named for two" in refused(*arguments[:-1], existing, "--check", existing, "--force")
    assert "--pdk has no effect without --memory" in refused(*arguments, "--pdk", tmp_path)
    assert existing.read_text() == "mine"
    assert not masks.exists()


def test_without_klayout_nothing_is_drawn_that_is_to_be_checked(
    call, program, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    code, _, err = call("silicon", "layout", program, "-o", tmp_path / "tile.gds", "--rules")
    assert code == 3
    assert "klayout is not on PATH" in err
    assert not list(tmp_path.iterdir())


def test_a_memory_without_the_pdk_is_a_missing_tool(call, program, tmp_path):
    (tmp_path / "pdk").mkdir()
    code, _, err = call(
        "silicon", "layout", program, "-o", tmp_path / "tile.gds", "--memory",
        "--pdk", tmp_path / "pdk",
    )  # fmt: skip
    assert code == 3
    assert "sky130_fd_sc_hd" in err
    assert not (tmp_path / "tile.gds").exists()


def test_checks_that_hold_are_told_and_the_wires_go_into_a_design(call, klayout, program, tmp_path):
    del klayout
    design = tmp_path / "drawn.toml"
    code, out, err = call(
        "silicon", "layout", program, "-o", tmp_path / "tile.gds", "--compare", "--rules",
        "--wires", design, "--json",
    )  # fmt: skip
    assert code == 0, err
    said = json.loads(out)
    assert said["compare"]["differing"] == {}
    assert said["rules"]["broken"] == {}
    assert xbar.Hardware.load(design).tile.bit_wire == pytest.approx(said["bit_wire"], rel=0.02)


def test_a_program_for_other_wires_than_the_masks_have_is_warned_of(call, program, tmp_path):
    masks, design = tmp_path / "tile.gds", tmp_path / "drawn.toml"
    _, _, err = call("silicon", "layout", program, "-o", masks, "--wires", design)
    assert "those of the program's design 0 and 0: write the design of the masks" in err
    again = tmp_path / "again.xbar"
    xbar.compile({"fc": [[0.5, -1.0, 0.25]]}, xbar.Hardware.load(design), seed=1).save(again)
    code, _, err = call("silicon", "layout", again, "-o", masks, "--force")
    assert (code, err) == (0, "")


def test_a_deck_that_finds_something_ends_with_code_1(call, klayout, program, tmp_path):
    del klayout
    deck = tmp_path / "strict.drc"
    deck.write_text(
        'source($input, $top_cell)\nreport("strict", $report)\n'
        'input(68, 20).width(5.um).output("wide", "metal 1 wider than 5 um")\n'
    )
    code, out, err = call(
        "silicon", "layout", program, "-o", tmp_path / "tile.gds", "--check", deck, "--json"
    )
    assert code == 1, err
    assert list(json.loads(out)["check"]["broken"]) == ["wide"]
