"""The demo does what the README says: two networks, from training to a verified chip."""

import json

import numpy as np
import pytest

import xbar


@pytest.fixture(scope="module")
def demo(call, tmp_path_factory):
    """The demo's folder, made by the command."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    pytest.importorskip("mlxtend")
    folder = tmp_path_factory.mktemp("demo") / "out"
    code, out, err = call("demo", "--output", folder)
    assert code == 0, err
    (folder.parent / "stdout").write_text(out)
    return folder


@pytest.fixture(scope="module")
def report(demo):
    return json.loads((demo / "report.json").read_text())


def test_digital_accuracy_is_high_enough_to_be_worth_keeping(report):
    digital = {entry["name"]: entry["digital_accuracy"] for entry in report["networks"]}
    assert digital["digits-mlp"] >= 0.96
    assert digital["mnist-cnn"] >= 0.965


def test_with_ideal_wires_the_chip_keeps_it_within_a_point(report):
    for entry in report["networks"]:
        assert abs(entry["ideal_accuracy"] - entry["digital_accuracy"]) <= 0.01
        assert 0 <= entry["nodal_accuracy"] <= 1


def test_ngspice_confirms_a_tile_of_each_network(ngspice, report):
    for entry in report["networks"]:
        assert entry["verify_passed"] is True
        assert entry["verify"] < 1e-9


def test_the_table_and_the_report_say_the_same(demo, report):
    text = (demo / "report.txt").read_text()
    assert text in (demo.parent / "stdout").read_text()
    for entry in report["networks"]:
        assert entry["resistors_per_weight"] == 2 * entry["resistors_per_cell"] == 16
        for share in ("digital", "ideal", "nodal"):
            assert f"{100 * entry[f'{share}_accuracy']:.2f} %" in text
        for layer in entry["layers"]:
            assert set(layer) >= {"name", "tiles", "weights", "worst_residual", "bits"}
            assert layer["name"] in text


def test_its_programs_give_the_reported_accuracy(demo, report):
    for entry in report["networks"]:
        program = xbar.Program.load(demo / f"{entry['name']}.xbar")
        with np.load(demo / f"{entry['name']}.npz") as data:
            outputs = program.run(data["inputs"], readout="nodal")
            assert entry["nodal_accuracy"] == (outputs.argmax(axis=1) == data["labels"]).mean()
        assert sum(layer["weights"] for layer in entry["layers"]) > 10_000


def test_a_netlist_of_each_network_lies_beside(demo, report):
    decks = sorted(path.name for path in (demo / "netlists").iterdir())
    assert [deck.split("_tile")[0] for deck in decks] == ["digits-mlp", "mnist-cnn"]


def test_an_existing_folder_is_refused(refused, demo):
    assert "exists already" in refused("demo", "--output", demo)
