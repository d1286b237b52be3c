"""``xbar size`` as a user types it."""

import json
import sys

import pytest

FEW = ("--samples", 400, "--seed", 3)


def test_it_tells_resistors_interval_formula_theorem_and_rivals(call):
    code, out, err = call("size", "--bits", 6, "--yield", 0.95, *FEW)
    assert (code, err) == (0, "")
    for word in ("any target", "per target", "interval", "formula", "residual programming"):
        assert word in out
    assert "shows the growth, not the size needed" in out


def test_json_holds_the_same_and_the_seed_decides(call):
    arguments = ("size", "--bits", 6, "--yield", 0.95, "--json", *FEW)
    code, out, _ = call(*arguments)
    assert code == 0
    content = json.loads(out)
    size = content["sizes"]["any target"]
    assert size["low"] <= size["resistors"] <= size["high"]
    assert size["counting_bound"] <= size["resistors"]
    assert abs(size["formula"] - size["resistors"]) <= 2
    assert content["theorem"] > 20 * size["resistors"]
    assert content["sizes"]["per target"]["resistors"] < size["resistors"]
    assert call(*arguments)[1] == out


def test_a_design_file_gives_the_law(call, tmp_path):
    chip = tmp_path / "chip.toml"
    chip.write_text('[bank]\nresistors = 4\nnominal = "50k"\nsigma = 0.5\n')
    code, out, _ = call("size", "--bits", 5, "--yield", 0.9, "--hardware", chip, "--json", *FEW)
    assert code == 0
    assert json.loads(out)["law"] == "lognormal 0.5, ratio 1"


def test_banks_with_stuck_resistors_are_sized_too(call, tmp_path):
    """Some of them have no working resistor at all: minus infinity bits, null in JSON."""
    chip = tmp_path / "chip.toml"
    chip.write_text("[bank]\nresistors = 4\nstuck_open = 0.4\nstuck_closed = 0.1\n")
    arguments = ("size", "--bits", 3, "--yield", 0.8, "--hardware", chip, "--design", *FEW)
    code, out, _ = call(*arguments, "--json")
    assert code == 0
    curve = json.loads(out)["sizes"]["any target"]["curve"]
    assert curve[0]["worst"] is None
    assert call(*arguments)[0] == 0


def test_a_listed_bank_is_sized_within_its_list(call, refused, tmp_path):
    chip = tmp_path / "chip.toml"
    listed = ", ".join(f"{10000 * 1.6**k:.0f}" for k in range(10))
    law = 'spread = "normal"\nsigma = 0.05\n'
    chip.write_text(f"[bank]\nresistors = 10\nnominal = [{listed}]\n{law}")
    arguments = ("size", "--yield", 0.9, "--hardware", chip, *FEW)
    code, out, _ = call(*arguments, "--bits", 5, "--json")
    assert code == 0
    content = json.loads(out)
    assert content["sizes"]["any target"]["resistors"] <= 10
    assert content["sizes"]["any target"]["formula"] is None
    assert "out of reach" in refused(*arguments, "--bits", 9)


def test_it_looks_for_better_nominals(call):
    code, out, _ = call(
        *("size", "--bits", 5, "--yield", 0.9, "--spread", "normal", "--sigma", "10%"),
        *("--ratio", 1.5, "--design", "--json", *FEW),
    )
    assert code == 0
    design = json.loads(out)["design"]
    assert design["bank"]["resistors"] == json.loads(out)["devices"]
    assert any(name == "subset, equal" for name, _, _ in design["rows"])


def test_only_per_target_reaches_further(call):
    code, out, _ = call("size", "--bits", 10, "--yield", 0.5, "--per-target", "--json", *FEW)
    assert code == 0
    assert list(json.loads(out)["sizes"]) == ["per target"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bits", 8, "--spread", "normal", "--sigma", "0.001"), "out of reach"),
        (("--bits", 8, "--spread", "cauchy"), "--spread must be one of"),
        (("--bits", 8, "--sigma", "-0.1"), "sigma"),
        (("--bits", 8, "--window", "0.25"), "--window must be two fractions"),
        (("--bits", 8, "--window", "0.75,0.25"), "two rising fractions"),
        (("--bits", 8, "--yield", "1"), "yield must lie between 0 and 1"),
        (("--bits", 40), "1 to 22 resistors"),
        (("--bits", 8, "--plot", "size.bmp"), "must end in .png"),
    ],
)
def test_what_it_refuses(refused, arguments, message):
    assert message in refused("size", *arguments, "--samples", 50)


def test_the_picture_is_written_whole_and_is_the_same_each_time(call, refused, tmp_path):
    pytest.importorskip("matplotlib")
    arguments = ("size", "--bits", 5, "--yield", 0.9, *FEW)
    for form, head in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        files = [tmp_path / f"{name}.{form}" for name in "ab"]
        for file in files:
            assert call(*arguments, "--plot", file)[0] == 0
        first, second = (file.read_bytes() for file in files)
        assert first.startswith(head)
        assert first == second
    assert "exists already" in refused(*arguments, "--plot", files[0])
    assert call(*arguments, "--plot", files[0], "--force")[0] == 0
    assert len(list(tmp_path.iterdir())) == 6


def test_without_matplotlib_the_pip_command_is_told(refused, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = refused("size", "--bits", 5, "--plot", tmp_path / "a.png", code=3)
    assert "pip install 'xbar[plot]'" in line
    assert not list(tmp_path.iterdir())


def test_a_range_of_ratios_is_searched_and_the_best_one_sized(call, refused, tmp_path):
    few = ("size", "--bits", 5, "--yield", 0.9, "--sigma", 0.03, "--per-target", *FEW)
    code, out, _ = call(*few, "--ratio", "1.0:1.4", "--json")
    assert code == 0
    content = json.loads(out)
    needed = {one["ratio"]: one["resistors"] for one in content["ratios"]}
    assert len(needed) == 7
    least = min(needed.values())
    assert content["sizes"]["per target"]["resistors"] == least < needed[1.0]
    assert "resistors by ratio tried: 1 " in call(*few, "--ratio", "1.0:1.4")[1]
    chip = tmp_path / "chip.toml"
    chip.write_text("[bank]\nsigma = 0.1\n")
    assert "--ratio" in refused(*few[:3], "--hardware", chip, "--ratio", "1.0:1.4")
