"""The command's read-out is with the wires where switches were chosen for them."""

import json

import xbar

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=6, nominal=20e3),
    tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=5.0, bit_wire=5.0),
)


def test_simulate_and_report_read_with_the_wires_that_switches_were_chosen_for(
    call, trained, tmp_path
):
    path = tmp_path / "out.xbar"
    xbar.compile(xbar.read_model(trained.path), HARDWARE, seed=0, wire_aware=True).save(path)
    found = [
        json.loads(call(name, path, "--data", trained.data, "--json", *rest)[1])
        for name, rest in (("simulate", ()), ("simulate", ("--readout", "nodal")), ("report", ()))
    ]
    assert found[0]["readout"] == "nodal"
    assert found[0] == found[1]
    assert [each["readout"] for each in found[2]["simulations"]] == ["nodal"]
    told = call("simulate", path, "--data", trained.data, "--readout", "ideal")
    assert "use readout 'nodal'" in told[2]
