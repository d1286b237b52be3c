"""``xbar compile --corners --life``: one mask for several times and temperatures."""

import json

import pytest
from life_chips import PCM

import xbar
from xbar.compiler.life_record import life_record
from xbar.compiler.options import WholeLife

LIFE = ("--corners", "25 C, 85 C", "--life", "1 h, 1 y")


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    path = tmp_path_factory.mktemp("life") / "chip.toml"
    path.write_text(PCM)
    return path


def test_the_mask_is_that_of_the_library_and_each_point_is_told(call, chip, trained, tmp_path):
    ways = ("--over", "mean", "--outlook", "devices", "--compensate", "gain")
    code, out, _ = call(
        *("compile", trained.path, "--hardware", chip, "-o", tmp_path / "out.xbar"), *LIFE, *ways
    )
    assert code == 0
    assert "one mask for 4 points, least mean error, by the devices, exact" in out
    assert "1 y, 85 °C" in out
    program = xbar.Program.load(tmp_path / "out.xbar")
    assert program.options.whole_life == WholeLife(
        times=("1 h", "1 y"), temperatures=("25 C", "85 C"),
        over="mean", outlook="devices", compensate="gain",
    )  # fmt: skip
    same = xbar.compile(
        program.graph, program.chip, corners=["25 C", "85 C"], life=["1 h", "1 y"],
        over="mean", outlook="devices", compensate="gain",
    )  # fmt: skip
    for one, other in zip(program.tiles, same.tiles, strict=True):
        assert one.packed.tobytes() == other.packed.tobytes()


def test_the_json_has_the_record(call, chip, trained, tmp_path):
    code, out, _ = call(
        *("compile", trained.path, "--hardware", chip, "-o", tmp_path / "out.xbar"), *LIFE, "--json"
    )
    assert code == 0
    told = json.loads(out)["life"]
    record = life_record(xbar.Program.load(tmp_path / "out.xbar"))
    assert told == json.loads(json.dumps(record.to_json()))
    assert len(told["points"]) == 4


WRONG = [
    (("--over", "mean"), "--over has no effect without --corners or --life"),
    ((*LIFE, "--over", "best"), "over"),
    ((*LIFE, "--outlook", "crystal ball"), "outlook"),
    (("--life", "1 s"), "time must be at least 20 s after programming"),
    (("--life", "1 h,,1 y"), "life.1"),
    (("--corners", "hot"), "corners.0: a quantity must be a number"),
    ((*LIFE, "--wire-aware"), "corners and life must be left out with wire-aware programming"),
    ((*LIFE, "--programming", "write-verify"), "must be left out with programming 'write-verify'"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_can_not_be_is_refused_in_one_line(
    refused, chip, trained, tmp_path, arguments, message
):
    line = refused(
        *("compile", trained.path, "--hardware", chip, "-o", tmp_path / "out.xbar"), *arguments
    )
    assert message in line
    assert not [*tmp_path.iterdir()]  # nor an unfinished run, in the way of the next
