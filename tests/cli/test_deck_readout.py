"""``xbar netlist`` and ``xbar verify`` of cells that bend."""

import numpy as np

import xbar

BANK = {"resistors": 4, "nominal": "20k", "nonlinearity": {"c2": [0.3, -0.2, 0.1, 0.4], "c3": -0.5}}


def saved(folder, **bank):
    design = xbar.Hardware(
        bank=xbar.Bank(**{**BANK, **bank}), tile=xbar.Tile(word_lines=4, bit_lines=6, word_wire=9.0)
    )
    weights = {"fc": np.random.default_rng(0).standard_normal((3, 4))}
    path = folder / f"{len(list(folder.iterdir()))}.xbar"
    xbar.compile(weights, design, seed=0).save(path)
    return path


def test_a_deck_and_its_check_follow_the_law_of_the_design(call, ngspice, tmp_path):
    path = saved(tmp_path)
    code, out, _ = call("netlist", path, "--tile", 0, "--readout", "nonlinear")
    assert code == 0
    assert "\nBc_0_0 " in out
    assert "\nRc_0_0 " not in out
    code, out, _ = call("netlist", path, "--tile", 0)
    assert "\nRc_0_0 " in out
    code, _, _ = call("verify", path, "--readout", "nonlinear", "--detail", "bank")
    assert code == 0


def test_a_read_out_without_a_deck_or_a_law_is_refused(refused, tmp_path):
    ohmic = saved(tmp_path, nonlinearity=None)
    assert "--readout must be nodal or nonlinear" in refused(
        "netlist", ohmic, "--tile", 0, "--readout", "ideal"
    )
    assert "set bank.nonlinearity" in refused("verify", ohmic, "--readout", "nonlinear")
