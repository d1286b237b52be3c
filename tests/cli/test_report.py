"""``xbar report``: text, JSON and one HTML file; what stays digital; one line for errors."""

import json
import os
from xml.etree import ElementTree

import numpy as np
import pytest

import xbar

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=6, nominal=50e3),
    tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=1.0, bit_wire=1.0),
)


@pytest.fixture(scope="module")
def work(tmp_path_factory, trained):
    """A folder with a program whose last layer stays digital."""
    folder = tmp_path_factory.mktemp("report")
    graph = xbar.read_model(trained.path).select((), ("out",))
    xbar.compile(graph, HARDWARE, seed=0).save(folder / "out.xbar")
    return folder


def test_the_accuracy_is_that_of_simulate_with_and_without_wires(call, work, trained, tmp_path):
    pytest.importorskip("matplotlib")
    page = tmp_path / "report.html"
    arguments = ("report", work / "out.xbar", "--data", trained.data, "--html", page)
    code, out, _ = call(*arguments, "--json")
    assert code == 0
    content = json.loads(out)
    program = xbar.Program.load(work / "out.xbar")
    with np.load(trained.data) as data:
        expected = [
            xbar.simulate(program, data["inputs"], data["labels"], readout=readout)
            for readout in ("ideal", "nodal")
        ]
    assert content["simulations"] == json.loads(json.dumps([e.to_json() for e in expected]))
    assert [layer["name"] for layer in content["layers"]] == ["conv", "hidden"]
    assert [entry["name"] for entry in content["digital"]] == ["out"]
    text = "".join(ElementTree.fromstring(page.read_text(encoding="utf-8")).itertext())
    for result in expected:
        assert f"{100 * result.accuracy:.2f} %" in text
    assert content["digital"][0]["reason"] in text
    before = page.read_bytes()
    code, out, _ = call(*arguments, "--force")
    assert code == 0
    assert page.read_bytes() == before
    assert "stays digital: out" in out
    assert f"{100 * expected[1].accuracy:.2f} %" in out


def test_budget_and_cost_are_those_of_the_read_out_with_wires(
    call, refused, work, trained, tmp_path
):
    pytest.importorskip("matplotlib")
    page = tmp_path / "report.html"
    arguments = ("report", work / "out.xbar", "--budget", "--cost", "--html", page)
    code, out, _ = call(*arguments, "--data", trained.data, "--json")
    assert code == 0
    ideal, nodal = json.loads(out)["simulations"]
    assert ideal["budget"] is None
    text = "".join(ElementTree.fromstring(page.read_text(encoding="utf-8")).itertext())
    assert {"selection", "wires"} <= {part["part"] for part in nodal["budget"]["parts"]}
    for part in nodal["budget"]["parts"]:
        assert f"{part['error_alone']:.3g}" in text
    assert ideal["cost"] is None
    assert f"{nodal['cost']['configuration_bits']} configuration bits" in text
    assert "have no effect without --data" in refused(*arguments, "--force")


def test_text_and_json_need_neither_data_nor_a_file(call, work):
    code, out, _ = call("report", work / "out.xbar")
    assert code == 0
    assert "loses" in out
    code, out, _ = call("report", work / "out.xbar", "--json")
    assert code == 0
    content = json.loads(out)
    assert (content["html"], content["simulations"]) == (None, [])
    program = xbar.Program.load(work / "out.xbar")
    counted = sum(layer["switched_in"] for layer in content["layers"])
    assert counted == sum(int(tile.mask.sum()) for tile in program.tiles)


def test_an_existing_report_is_refused_before_any_work(refused, work, tmp_path):
    page = tmp_path / "report.html"
    page.write_text("mine")
    assert "exists already" in refused("report", tmp_path / "none", "--html", page)
    assert page.read_text() == "mine"


def test_bad_data_are_refused_and_nothing_is_written(refused, work, tmp_path):
    np.savez(tmp_path / "bad.npz", inputs=np.full((2, 1, 8, 8), np.nan))
    refused(
        *("report", work / "out.xbar", "--data", tmp_path / "bad.npz"),
        *("--html", tmp_path / "report.html"),
    )
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npz"]


def test_without_matplotlib_the_page_is_refused_with_3_and_the_text_is_not(run, work, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('hidden')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    program = str(work / "out.xbar")
    result = run("report", program, "--html", str(tmp_path / "r.html"), PYTHONPATH=path)
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1
    assert "xbar[plot]" in result.stderr
    assert run("report", program, PYTHONPATH=path).returncode == 0
