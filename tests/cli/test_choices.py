"""Which layers go to tiles: the options of `xbar compile`, and what it says about the rest."""

import json

import pytest

CHIP = """
[bank]
resistors = 4
nominal = "50k"
[tile]
word_lines = 32
bit_lines = 32
"""


@pytest.fixture
def chip(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(CHIP)
    return path


def test_a_skipped_layer_is_not_on_tiles_and_is_listed(call, trained, chip, tmp_path):
    given = ("compile", trained.path, "--hardware", chip)
    code, out, _ = call(*given, "-o", tmp_path / "a.xbar", "--json")
    names = [layer["name"] for layer in json.loads(out)["layers"]]
    assert code == 0
    code, out, _ = call(*given, "-o", tmp_path / "b.xbar", "--skip", names[0], "--json")
    record = json.loads(out)
    assert code == 0
    assert [layer["name"] for layer in record["layers"]] == names[1:]
    assert record["digital"] == [{"name": names[0], "reason": f"excluded by skip {names[0]}"}]
    code, out, _ = call(*given, "-o", tmp_path / "c.xbar", "--only", names[1])
    assert f"stays digital: {names[0]}: not selected by only" in out


def test_a_pattern_that_matches_nothing_is_refused(refused, trained, chip, tmp_path):
    line = refused(
        *("compile", trained.path, "--hardware", chip, "-o", tmp_path / "a.xbar"),
        *("--only", "nothing*"),
    )
    assert "only 'nothing*' matches no layer; the layers are" in line


def test_what_is_assumed_of_a_state_dict_is_said(call, refused, chip, tmp_path):
    torch = pytest.importorskip("torch")
    weights = tmp_path / "weights.pt"
    torch.save({"a.weight": torch.eye(3), "b.weight": torch.ones(2, 3)}, weights)
    given = ("compile", weights, "--hardware", chip, "-o", tmp_path / "a.xbar")
    assert "--activation relu" in refused(*given)
    code, out, _ = call(*given, "--activation", "tanh")
    assert code == 0
    assert "assumed: the network is a (3 to 3), tanh, b (3 to 2), inferred from the shapes" in out
