"""`xbar catalog`: the list, one entry as a design that works, and JSON."""

import json

import numpy as np
import pytest

import xbar
from xbar.hardware.catalog import TECHNOLOGIES, WIRES


def test_the_list_has_every_technology_and_node(call):
    code, out, _ = call("catalog")
    assert code == 0
    first_words = [line.split()[0] for line in out.splitlines() if line]
    assert {*TECHNOLOGIES, *WIRES} <= {*first_words}
    assert "recalled: verify" in next(line for line in out.splitlines() if "poly" in line)
    content = json.loads(call("catalog", "--json")[1])
    assert [entry["name"] for entry in content["technologies"]] == [*TECHNOLOGIES]
    assert content["wires"]["ohm_per_cell"]["7nm"] == {"crosspoint": 5.0, "1t1r": 10.1}


@pytest.mark.parametrize("name", ["rram-milo-2021", "pcm"])
def test_one_entry_is_a_design_that_says_its_source_and_compiles(call, name, tmp_path):
    code, out, _ = call("catalog", name, "--wires", "45nm-1t1r")
    assert code == 0
    path = tmp_path / "chip.toml"
    path.write_text(out)
    hardware = xbar.Hardware.load(path)
    assert hardware == xbar.Hardware.from_catalog(name, wires="45nm-1t1r")
    remarks = [line for line in out.splitlines() if line.startswith("#")]
    assert TECHNOLOGIES[name].source in remarks[0]
    assert sum(line.startswith("# assumed: ") for line in remarks) == len(
        TECHNOLOGIES[name].assumed
    )
    matrix = xbar.compile({"fc": np.eye(3)}, hardware, seed=0).matrices()["fc"]
    assert np.isfinite(matrix).all()
    content = json.loads(call("catalog", name, "--json")[1])
    assert xbar.Hardware(**content["hardware"]) == xbar.Hardware.from_catalog(name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no technology 'nothing'"),
        (("pcm", "--wires", "3nm"), "wires must be a node"),
        (("--wires", "22nm-1t1r"), "name one"),
    ],
)
def test_what_it_lacks_is_refused(refused, arguments, message):
    assert message in refused("catalog", *arguments)
