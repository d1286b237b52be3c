"""``xbar reprogram``: what changes on the chip as it is now, and the program that it writes."""

import json

import numpy as np
import pytest
from life_chips import DRIFT

import xbar
from xbar.compiler.changes import changes


@pytest.fixture(scope="module")
def work(compiled):
    folder = compiled(DRIFT, seed=4)
    program = xbar.Program.load(folder / "out.xbar")
    each = [program.chip.at(time="1 y").resistors(tile) for tile in range(len(program.tiles))]
    on, off, stuck = (np.stack(arrays) for arrays in zip(*each, strict=True))
    np.savez(folder / "aged.npz", on=on, off=off, stuck=stuck)
    return folder


def test_a_measured_chip_and_its_simulated_life_give_the_same_switches(call, work):
    code, out, _ = call(
        *("reprogram", work / "out.xbar", "--measured", work / "aged.npz"),
        *("-o", work / "measured.xbar"),
    )
    assert code == 0
    assert "switches change" in out
    code, _, _ = call("reprogram", work / "out.xbar", "--time", "1 y", "-o", work / "aged.xbar")
    assert code == 0
    one, other = (xbar.Program.load(work / name) for name in ("measured.xbar", "aged.xbar"))
    for mine, given in zip(one.tiles, other.tiles, strict=True):
        assert mine.packed.tobytes() == given.packed.tobytes()


def test_what_is_printed_is_what_the_library_finds_and_nothing_is_written(call, work):
    before = sorted(path.name for path in work.iterdir())
    life = ("--time", "1 y", "--temperature", "60 C", "--stuck-open", "0.04", "--seed", "3")
    code, out, _ = call("reprogram", work / "out.xbar", *life, "--stuck-closed", "0.01", "--json")
    assert code == 0
    told = json.loads(out)
    old = xbar.Program.load(work / "out.xbar")
    new = old.reprogram(old.chip.at("1 y", "60 C", 3, 0.04, 0.01))
    found = changes(old, new)
    assert told["changed"] == found.changed > 0
    assert [layer["after"] for layer in told["layers"]] == [one.after for one in found.layers]
    assert told["layers"][0]["after"] < told["layers"][0]["before"]
    assert "1 y after programming at 60 °C, 4 % more stuck open, 1 % more stuck" in told["chip"]
    assert sorted(path.name for path in work.iterdir()) == before


WRONG = [
    ((), "reprogram needs the chip as it is now: --measured aged.npz, or a life"),
    (("--time", "1 s"), "time must be at least 20 s after programming"),
    (("--stuck-open", "2"), "stuck_open"),
    (("--stuck-open", "1.0"), "must have a device that its switch turns on and off; all on its 8"),
    (("--measured", "aged.npz", "--time", "1 y"), "--time has no effect without a simulated life"),
    (("--time", "1 y", "--measured-unit", "uS"), "--measured-unit needs --measured"),
    (("--time", "1 y", "--force"), "--force has no effect without --output"),
    (("--time", "1 y", "-o", "out.xbar"), "exists"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_says_nothing_of_the_chip_now_is_refused_in_one_line(
    refused, work, arguments, message
):
    paths = [work / each if each.endswith((".npz", ".xbar")) else each for each in arguments]
    assert message in refused("reprogram", work / "out.xbar", *paths)


def test_a_measured_chip_with_too_few_tiles_is_refused(refused, work):
    content = dict(np.load(work / "aged.npz"))
    np.savez(work / "few.npz", **{name: each[:1] for name, each in content.items()})
    line = refused("reprogram", work / "out.xbar", "--measured", work / "few.npz")
    assert "must have at least" in line
