"""``xbar size`` of a design whose resistors have spreads of their own."""

import json


def test_size_takes_a_design_with_lists(tmp_path, call):
    (tmp_path / "chip.toml").write_text(
        '[bank]\nresistors = 8\nspread = "resistance"\nnominal = "30k"\nratio = 1.1\n'
        "sigma = [0.05, 0.045, 0.04, 0.04, 0.035, 0.03, 0.03, 0.025]\nseries = 180\n"
        '[bank.switch]\nresistance = "2k"\nslope = -1.4\nsigma = "10 mV"\n'
    )
    options = ("--yield", 0.9, "--samples", 200, "--hardware", tmp_path / "chip.toml")
    code, out, err = call("size", "--bits", 5, *options, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    least = {5: 0.035, 6: 0.03, 7: 0.03, 8: 0.025}[found["devices"]]
    assert found["law"] == f"resistance {least} to 0.05, ratio 1.1, with switches"
    code, _, err = call("size", "--bits", 5, *options, "--design")
    assert code == 2
    assert "bank.sigma must be one value" in err
    code, _, err = call("size", "--bits", 12, *options)
    assert code == 2
    assert "need more resistors" in err
