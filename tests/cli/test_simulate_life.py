"""``xbar simulate --time`` and ``--temperature``: a table, a picture, one line for bad input."""

import json

import numpy as np
import pytest
from life_chips import PCM

import xbar
from xbar.simulation.dataset import read_dataset


@pytest.fixture(scope="module")
def work(compiled):
    return compiled(PCM)


def test_accuracy_over_time_is_printed_and_drawn(call, work, trained):
    arguments = ("simulate", work / "out.xbar", "--data", trained.data, "--time", "20 s, 1 h,1 y")
    code, out, _ = call(*arguments, "--trials", 2, "--plot", work / "life.svg")
    assert code == 0
    rows = [line for line in out.splitlines() if line.strip().startswith(("20 s", "1 h", "1 y"))]
    assert len(rows) == 3
    assert all(" to " in row for row in rows)  # intervals over the chips
    drawn = (work / "life.svg").read_bytes()
    assert drawn.startswith(b"<?xml")
    code, _, _ = call(*arguments, "--trials", 2, "--plot", work / "life.svg", "--force")
    assert code == 0
    assert (work / "life.svg").read_bytes() == drawn  # reproducible to the byte


def test_what_is_printed_is_what_the_library_finds(call, work, trained):
    code, out, _ = call(
        *("simulate", work / "out.xbar", "--data", trained.data, "--time", "1 d"),
        *("--temperature", "-40 C,85 C", "--compensate", "gain", "--json"),
    )
    assert code == 0
    data, program = read_dataset(trained.data), xbar.Program.load(work / "out.xbar")
    found = xbar.simulate(
        program, data.inputs, data.labels,
        time="1 d", temperature=["-40 C", "85 C"], compensate="gain",
    )  # fmt: skip
    points = json.loads(out)["points"]
    assert [point["temperature"] for point in points] == pytest.approx([233.15, 358.15])
    for told, point in zip(points, found.points, strict=True):
        assert told["accuracy"] == point.result.accuracy
        assert told["layers"][0]["snr_db"] == point.result.layers[0].snr_db


def test_temperatures_alone_are_drawn_over_temperature(call, work, trained):
    code, _, _ = call(
        *("simulate", work / "out.xbar", "--data", trained.data),
        *("--temperature", "85 C,-40 C", "--plot", work / "warm.png"),
    )
    assert code == 0
    assert (work / "warm.png").read_bytes().startswith(b"\x89PNG")


def test_from_a_second_to_a_year_on_a_published_design(call, tmp_path, trained):
    """As a user of the catalogue does it, whose design begins at 1 s; and at three temperatures."""
    design = call("catalog", "cmo-hfox-2%", "--wires", "22nm-1t1r")[1]
    (tmp_path / "chip.toml").write_text(design.replace("nominal = 11111.1", "nominal = 51111.1"))
    call("compile", trained.path, "--hardware", tmp_path / "chip.toml", "-o", tmp_path / "a.xbar")
    base = ("simulate", tmp_path / "a.xbar", "--data", trained.data, "--trials", 3)
    times, temperatures = ["1 s", "1 h", "1 d", "1 y"], ["-40 °C", "25 °C", "85 °C"]
    for given, values, key in (
        (("--time", "1 s,1 h,1 d,1 y"), times, "time"),
        (("--temperature", "-40 C, 25 C, 85 C", "--readout", "nodal"), temperatures, "temperature"),
    ):
        code, out, _ = call(*base, *given, "--plot", tmp_path / f"{key}.png")
        assert code == 0
        rows = [line for line in out.splitlines() if "% " in line and " to " in line]
        assert len(rows) == len(values)
        assert all(value in row for value, row in zip(values, rows, strict=True))
        assert (tmp_path / f"{key}.png").read_bytes().startswith(b"\x89PNG")
        points = json.loads(call(*base, *given, "--json")[1])["points"]
        for point in points:
            low, high = point["interval"]
            assert low <= point["accuracy"] <= high
            assert len(point["accuracies"]) == 3
    worse = [layer["snr_db"] for layer in (points[0]["layers"][0], points[-1]["layers"][0])]
    assert worse[1] < worse[0]  # warmer wires lose more


WRONG = [
    (("--time", "1 s"), "time must be at least 20 s after programming"),
    (("--time", "1 h,,1 d"), "a quantity must be a number"),
    (("--time", "5 m"), "is it '5 min'"),
    (("--temperature", "85"), "must have its unit"),
    (("--temperature", "-280 C"), "above absolute zero"),
    (("--temperature", "200 C"), "temperature must be from -55"),
    (
        ("--compensate", "all"),
        "compensate must be one of none, gain, columns, batchnorm, not 'all'",
    ),
    (("--plot", "a.png"), "--plot has no effect without --time or --temperature"),
    (("--time", "1 h", "--plot", "a.gif"), "a picture must end in .png"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_bad_times_and_temperatures_are_one_line(refused, work, trained, arguments, message):
    line = refused("simulate", work / "out.xbar", "--data", trained.data, *arguments)
    assert message in line


def test_a_picture_of_data_without_labels_is_refused_before_any_work(refused, work, trained):
    inputs = work / "inputs.npy"
    np.save(inputs, read_dataset(trained.data).inputs[:4])
    picture = work / "none.png"
    line = refused(
        *("simulate", work / "out.xbar", "--data", inputs, "--time", "1 h", "--plot", picture)
    )
    assert "--plot needs labels in the data, or --metric" in line
    assert not picture.exists()
