"""``xbar calibrate``: what each way gives, and the program that it writes."""

import json

import numpy as np
import pytest

import xbar


@pytest.fixture(scope="module")
def data(trained, tmp_path_factory):
    """Files with and without labels."""
    folder = tmp_path_factory.mktemp("data")
    with np.load(trained.data) as given:
        inputs, labels = given["inputs"][:80], given["labels"][:80]
    np.savez(folder / "labelled.npz", inputs=inputs, labels=labels)
    np.savez(folder / "unlabelled.npz", inputs=inputs)
    return folder


def test_the_written_program_has_the_figures_that_are_told(call, work, data, tmp_path):
    code, out, _ = call(
        *("calibrate", work / "out.xbar", "--data", data / "labelled.npz", "--what", "gain"),
        *("-o", tmp_path / "new.xbar", "--json"),
    )
    assert code == 0
    told = json.loads(out)
    by_way = {each["what"]: each for each in told["given"]}
    assert list(by_way) == ["none", "gain", "columns", "batchnorm", "digital"]
    held = np.sort(np.random.default_rng(0).permutation(80)[40:])
    program = xbar.Program.load(tmp_path / "new.xbar")
    with np.load(data / "labelled.npz") as given:
        inputs, labels = given["inputs"][held], given["labels"][held]
    outputs = program.run(inputs, "nodal")
    right = (outputs.argmax(axis=1) == labels).mean()
    assert by_way["gain"]["accuracy"] == pytest.approx(right)
    digital = program.graph.run(inputs)
    error = np.linalg.norm(outputs - digital) / np.linalg.norm(digital)
    assert by_way["gain"]["error"] == pytest.approx(error, rel=1e-6)
    assert told["corrections"]["what"] == program.corrections.what == "gain"


def test_without_labels_errors_alone_are_told_and_without_output_nothing_is_written(
    call, work, data
):
    before = sorted(work.iterdir())
    code, out, _ = call("calibrate", work / "out.xbar", "--data", data / "unlabelled.npz")
    assert code == 0
    assert "accuracy" not in out
    assert "error of outputs" in out
    assert "nothing written" in out
    assert sorted(work.iterdir()) == before


def test_a_calibrated_program_says_so_and_is_calibrated_anew(call, work, data, tmp_path):
    given = ("--data", data / "unlabelled.npz")
    assert call("calibrate", work / "out.xbar", *given, "-o", tmp_path / "a.xbar")[0] == 0
    code, out, _ = call("calibrate", tmp_path / "a.xbar", *given, "--what", "gain")
    assert code == 0
    assert "replaced: factor and offset of each output (columns), found from 40 inputs" in out
    code, out, _ = call("report", tmp_path / "a.xbar", "--html", tmp_path / "a.html", "--json")
    assert json.loads(out)["corrections"]["what"] == "columns"
    assert "Digital corrections" in (tmp_path / "a.html").read_text()
    code, out, _ = call("cost", tmp_path / "a.xbar")
    assert "digital corrections" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--what", "rows"), "what must be one of gain, columns, batchnorm, not 'rows'"),
        (("--readout", "guess"), "readout must be 'ideal', 'nodal' or 'nonlinear', not 'guess'"),
        (("--ranges", "all"), "ranges must be one of max, percentile, least-squares, not 'all'"),
        (("--time", "1 y"), "needs"),
        (("--seed", "-1"), "seed must be"),
        (("--force",), "--force has no effect without --output"),
    ],
)
def test_bad_arguments_are_one_line(refused, work, data, arguments, message):
    error = refused("calibrate", work / "out.xbar", "--data", data / "unlabelled.npz", *arguments)
    assert message in error


def test_an_existing_output_is_kept(refused, work, data):
    out = work / "out.xbar"
    error = refused("calibrate", out, "--data", data / "unlabelled.npz", "-o", out)
    assert "exists" in error
