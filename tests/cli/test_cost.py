"""``xbar cost`` prints what the library finds, of a program and of a design."""

import json

import numpy as np
import pytest

import xbar
from xbar.simulation.cost import cost
from xbar.simulation.peak import design_peak

DESIGN = """
[bank]
resistors = 2
[tile]
word_lines = 16
bit_lines = 16
[dac]
bits = 4
bit_serial = 1
[adc]
bits = 6
shared = 2
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cost")
    (folder / "chip.toml").write_text(DESIGN)
    (folder / "new.toml").write_text('[cost]\nnode = "14 nm"\n')
    rng = np.random.default_rng(0)
    weights = {"a": rng.standard_normal((9, 20)), "b": rng.standard_normal((4, 9))}
    xbar.compile(weights, xbar.Hardware.load(folder / "chip.toml"), seed=0).save(folder / "p.xbar")
    return folder


def test_a_program_has_the_librarys_cost(call, work):
    code, out, _ = call("cost", work / "p.xbar", "--json")
    assert code == 0
    found = cost(xbar.Program.load(work / "p.xbar"))
    assert json.loads(out) == json.loads(json.dumps(found.to_json()))
    code, out, _ = call("cost", work / "p.xbar")
    assert code == 0
    assert f"{found.tops:.3g} TOPS, {found.tops_per_watt:.3g} TOPS/W" in out
    assert "left out: links to other chips" in out
    assert "what happens to the outputs of these matrices" in out


def test_constants_of_another_design_and_a_life_may_be_tried(call, work):
    code, out, _ = call(
        *("cost", work / "p.xbar", "--hardware", work / "new.toml", "--reprogram", "1 d", "--json")
    )
    assert code == 0
    program, told = xbar.Program.load(work / "p.xbar"), json.loads(out)
    constants = xbar.Cost(node="14 nm", reprogram="1 d")
    found = cost(program, constants=constants)
    assert told["energy"] == found.energy < cost(program).energy
    assert told["programming"]["every"] == 86_400
    assert told["programming"]["power"] == pytest.approx(told["programming"]["energy"] / 86_400)
    assert told["programming"]["busy"] == pytest.approx(told["programming"]["time"] / 86_400)


def test_a_design_has_its_peak(call, work):
    code, out, _ = call("cost", work / "chip.toml", "--tiles", 5, "--json")
    assert code == 0
    found = design_peak(xbar.Hardware.load(work / "chip.toml"), 5)
    assert json.loads(out) == json.loads(json.dumps(found.to_json()))
    code, out, _ = call("cost", work / "chip.toml")
    assert code == 0
    assert "peak of 1 tile" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("chip.toml", "--tiles", 0), "tiles must be from 1 to 1,000,000,000, not 0"),
        (("chip.toml", "--reprogram", "1 d"), "--reprogram has no effect without a program"),
        (("p.xbar", "--tiles", 3), "--tiles has no effect without a design"),
        (("p.xbar", "--reprogram", "1 ns"), "cost.reprogram must be at least"),
        (("p.xbar", "--reprogram", "0 d"), "reprogram must be greater than 0"),
        (("none.xbar",), "none.xbar"),
        (("none.toml",), "none.toml"),
    ],
)
def test_what_has_no_effect_or_is_impossible_is_refused(refused, work, arguments, told):
    name, *rest = arguments
    assert told in refused("cost", work / name, *rest)
