"""The experiments of examples/tickets, smaller: `make tickets` runs them whole.

Each script is run as it stands, by its own command line, and its tables are read back.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "tickets"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def script(monkeypatch):
    """A function from a script's name to its module."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    pytest.importorskip("mlxtend")
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def run(script, tmp_path, monkeypatch):
    """A function that runs a script and gives its files' contents by name."""

    def run(name, line=""):
        flags = [*line.split(), "--output", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *flags])
        script(name).main()
        return {place.stem: json.loads(place.read_text()) for place in tmp_path.glob("*.json")}

    return run


ONE = "--seeds 1 --processes 1"


def test_every_method_finds_a_ticket_of_the_digits(run):
    found = run("curves", f"{ONE} --tasks digits --shares 0.5 --epochs 15")["curves_digits"]
    dense = found["whole"]["dense"][0]
    assert dense > 94
    assert len(found["each"]) == 9
    for name, shares in found["each"].items():
        assert shares["50%"][0] > dense - 4, name
    names = ["dense", "logistic regression", *found["each"]]
    assert [row["method"] for row in found["rows"]] == names
    assert all(list(row) == ["method", "50 %", "100 %"] for row in found["rows"])


def test_every_network_of_the_curves_runs(run):
    line = f"{ONE} --tasks perceptron lenet conv4 --epochs 1 --images 60 --shares 0.5"
    found = run("curves", f"{line} --methods normal")
    for name in ("curves_perceptron", "curves_lenet", "curves_conv4"):
        methods = [row["method"] for row in found[name]["rows"]]
        assert methods[-2:] == ["edge-popup, normal", "gates, normal"]
    assert found["curves_lenet"]["rows"][1]["method"] == "dense, no batch norm"


def test_the_mask_is_what_was_learned_and_the_chip_answers_as_the_ticket(run):
    found = run("chips", f"{ONE} --tasks digits --epochs 8")
    own, simulated, differ, random, moved = found["chips_controls"]["each"]["digits"][0].values()
    assert own > 90
    assert simulated == own
    assert differ == 0
    assert random < 20
    assert moved < 20
    table = found["chips_wires"]["rows"]
    values = {
        (row["learned"], row["read"]): float(row["64-128-64-10, 3 ohm"].split()[0]) for row in table
    }
    assert values["nodal", "nodal"] > values["ideal", "nodal"] + 2
    assert values["ideal", "ideal"] > values["ideal", "nodal"] + 2


def test_structure_counts_what_a_chip_is_asked_for(run):
    found = run("structure", f"{ONE} --epochs 2 --images 1000 --shares 0.2")
    rows = {row["method"]: row for row in found["structure"]["rows"]}
    assert len(rows) == 7
    counts = {
        name: {key: int(row[key].replace(",", "")) for key in ("tiles", "bit lines", "devices")}
        for name, row in rows.items()
    }
    whole, neurons = counts["magnitude, weights 20 %"], counts["magnitude, outputs 20 %"]
    assert neurons["bit lines"] < 0.3 * whole["bit lines"]
    assert neurons["devices"] < 0.3 * whole["devices"]
    assert neurons["tiles"] < 0.3 * whole["tiles"]
    for row in found["structure_pairs"]["rows"]:
        assert float(row["its accuracy %"]) >= float(row["accuracy %"]) - 0.6
        assert row["structured"].split(",")[1] != " weights"


def test_the_construction_scripts_make_their_tables(run):
    run("construct_784_500_10", f"{ONE} --epochs 2 --hidden 20")
    run("construct_lenet", f"{ONE} --epochs 20 --images 200 --sizes 5")
    run("construct_neurons", f"{ONE} --epochs 5 --sizes 1")
    found = run("construct_sizes", f"{ONE} --epochs 1 --targets 300")
    rows = {name: each["rows"] for name, each in found.items()}
    best, smallest = rows["construct_784_500_10"][3:5]
    assert (best["subsets"], smallest["subsets"]) == ("best", "smallest")
    assert float(best["kept %"].split()[0]) > 4 * float(smallest["kept %"].split()[0])
    assert [row["n"] for row in rows["construct_lenet"]] == [5]
    assert max(found["construct_lenet_layers"]["deviations"]) < 4
    assert len(rows["construct_lenet_layers"][0]) == 2 + 2 * 5
    exact = rows["construct_lenet_products"][0]
    assert exact["accuracy before %"] == exact["after %"]
    assert float(exact["accuracy before %"].split()[0]) > 50
    assert exact["largest output error"] <= exact["bound"]
    assert [row["method"] for row in rows["construct_neurons"]] == [
        "malach", "pensia", "neurons", "neurons", "neurons",
    ]  # fmt: skip
    assert len(rows["construct_sizes"]) == 3 * 4 * 2


def test_claims_are_read_from_the_tables_and_what_fails_is_bold(script, run, tmp_path):
    each = {
        "lottery ticket, rewound to epoch 1": {"20%": [93.0, 94.0]},
        "edge-popup, normal": {"50%": [94.6], "30%": [93.8], "10%": [92.9]},
        "edge-popup, chip of 30 %": {"50%": [93.6], "30%": [93.4]},
    }
    whole = {"dense": [94.0, 96.0], "logistic regression": [88.0]}
    script("construct_networks").report(
        "curves_perceptron", tmp_path, [{"method": "dense"}], whole=whole, each=each
    )
    found = run("claims")
    assert [list(row.values())[2:] for row in found["claims_gaps"]["rows"]] == [
        ["0.4", "**1.2**", "**2.1**"],
        ["1.4", "**1.6**", ""],
    ]
    assert [(row["asked"], row["found"]) for row in found["claims"]["rows"]] == [
        ("at most 1", "**1.5**")
    ]


def test_a_run_is_made_once_and_again_when_its_arguments_change(script, tmp_path):
    work = script("work")
    made = tmp_path / "made.txt"
    first = work.Job("a/first", os.path.join, [str(made), "x"])
    assert work.results([first], tmp_path, 1) == {"a/first": str(made / "x")}
    place = tmp_path / "a/first.json"
    record = json.loads(place.read_text())
    place.write_text(json.dumps({**record, "value": "kept"}))
    assert work.results([first], tmp_path, 1) == {"a/first": "kept"}
    other = work.Job("a/first", os.path.join, [str(made), "y"])
    assert work.results([other], tmp_path, 1) == {"a/first": str(made / "y")}


def test_processes_share_the_runs_and_one_that_fails_is_not_hidden(script, tmp_path):
    work = script("work")
    jobs = [work.Job(f"power {base}", pow, [base, 3], base) for base in range(5)]
    found = work.results(jobs, tmp_path, 2)
    assert found == {f"power {base}": base**3 for base in range(5)}
    assert len(list(tmp_path.glob("*.json"))) == 5
    jobs.append(work.Job("no power", pow, [1, 3, 0]))
    with pytest.raises(ValueError, match="0"):
        work.results([*jobs, work.Job("more", pow, [2, 2])], tmp_path, 2)
    assert work.results(jobs[:5], tmp_path, 2) == found


def test_tables_go_into_the_documents(script, tmp_path):
    tables, networks = script("tables"), script("construct_networks")
    networks.report("one", tmp_path, [{"a": 1}])
    text = "<!-- table: one -->\nold\n<!-- end -->\n<!-- table: two -->\nstays\n<!-- end -->\n"
    filled, missing = tables.filled(text, tmp_path)
    assert missing == ["two"]
    assert filled == text.replace("old\n", "\n| a |\n|--|\n| 1 |\n\n")
    assert tables.filled(filled, tmp_path) == (filled, missing)


def test_every_table_of_the_experiments_has_its_place_in_a_document(script):
    tables = script("tables")
    pages = ("tickets.md", "tickets_constructions.md", "tickets_laws.md")
    text = "".join((DOCS / name).read_text() for name in pages)
    places = [found[1] for found in tables.PLACE.finditer(text)]
    assert sorted(places) == sorted(
        [
            "attention", "attention_heads",
            "chips_controls", "chips_wires", "claims", "claims_gaps",
            "construct_784_500_10", "construct_lenet", "construct_lenet_layers",
            "construct_lenet_products", "construct_neurons", "construct_sizes",
            "curves_conv4", "curves_digits", "curves_lenet", "curves_perceptron",
            "gates", "growth_laws", "growth_laws_fits", "lattice_partitions", "lattice_tiers",
            "precedent", "structure", "structure_pairs",
        ]
    )  # fmt: skip
