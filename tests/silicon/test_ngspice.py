"""ngspice with a process's models: answers, seeds, and one line for each failure."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from xbar.errors import EngineError, SpecError, ToolError
from xbar.silicon import ngspice as runner
from xbar.silicon.external import run_program
from xbar.silicon.ngspice import simulate
from xbar.silicon.process import Process


def transistor(process, mismatch=False, width=1e-6, copies=1, name=None):
    switch = process.switch(name)
    lines = ["* transistors", *process.load(mismatch=mismatch), f"Vg g 0 {switch.supply}"]
    lines += [f"Vd d 0 {switch.common + 0.1}", f"Vs s 0 {switch.common}"]
    for k in range(copies):
        lines += [f"Vd{k} d d{k} 0", switch.nmos_line(f"m{k}", (f"d{k}", "g", "s"), width)]
    return "\n".join([*lines, ".op", ""])


def test_without_a_process_it_is_plain_ngspice(ngspice):
    found = simulate("* divider\nV1 a 0 1\nR1 a b 1k\nR2 b 0 3k\n.dc V1 0 2 1\n")
    np.testing.assert_allclose(found["v(b)"], [0, 0.75, 1.5], atol=1e-12)


def test_open_junctions_leak_less_than_a_femtosiemens(ngspice):
    # ngspice's own gmin is 1e-12 S across each junction
    found = simulate("* diode\nV1 0 a 0.5\nD1 a 0 d\n.model d d(is=1e-20)\n.op\n")
    assert abs(found["i(v1)"][0]) < 1e-17


def test_a_wide_transistor_conducts_in_proportion(gf180mcu):
    one = simulate(transistor(gf180mcu, width=2e-6), gf180mcu)["i(vd0)"][0]
    two = simulate(transistor(gf180mcu, width=4e-6), gf180mcu)["i(vd0)"][0]
    assert 1e-5 < one < 1e-3
    assert two / one == pytest.approx(2, rel=0.02)


def test_a_seed_names_one_chip(gf180mcu):
    deck = transistor(gf180mcu, mismatch=True, copies=3)
    drawn = [
        np.array([simulate(deck, gf180mcu, seed)[f"i(vd{k})"][0] for k in range(3)])
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.all(drawn[0] != drawn[2])
    assert len(set(drawn[0])) == 3


def test_the_corners_order_the_transistors(gf180mcu):
    def current(corner):
        deck = transistor(gf180mcu).splitlines()
        at = next(k for k, line in enumerate(deck) if ".include" in line)
        deck[at : at + 3] = gf180mcu.load(corner)
        return simulate("\n".join(deck), gf180mcu)["i(vd0)"][0]

    assert current("ss") < current("tt") < current("ff")


@pytest.mark.sky130
@pytest.mark.parametrize("switch", ["1v8", "3v3"])
def test_either_switch_of_sky130_is_about_a_kilohm(sky130, switch):
    found = simulate(transistor(sky130, name=switch), sky130)
    assert 500 < 0.1 / found["i(vd0)"][0] < 5000


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("X1 a 0 nothing", "nothing"),
        ("R1 a 0 {missing}", "missing"),
        (".lib models/sm141064.ngspice slowest", "slowest"),
        ("M1 a g 0 0 nfet_03v3 w=1u l=0.1u", "modelname"),
    ],
)
def test_a_deck_that_fails_is_told_in_one_line(gf180mcu, line, told):
    deck = transistor(gf180mcu).replace(".op", f"{line}\n.op")
    with pytest.raises(EngineError, match=told) as caught:
        simulate(deck, gf180mcu)
    assert "\n" not in str(caught.value)


def test_a_seed_that_ngspice_would_not_take_is_refused(ngspice):
    with pytest.raises(SpecError, match="seed must be from 1"):
        simulate("* t\nR1 a 0 1\nV1 a 0 1\n.op\n", seed=0)


def test_a_missing_ngspice_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match="apt-get install ngspice"):
        simulate("* t\n.op\n")


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('child', 'w').write(str(child.pid)); time.sleep(60)"
    )
    with pytest.raises(EngineError, match=r"snail did not end within 2 s; ask for less"):
        run_program([sys.executable, "-c", code], tmp_path, 2.0, "ask for less", "snail")
    child = int((tmp_path / "child").read_text())
    for _ in range(200):
        if not _runs(child):
            break
        time.sleep(0.02)
    assert not _runs(child)


def test_a_program_ends_with_the_process_that_started_it(tmp_path):
    inner = "import os, time; open('child', 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import sys; from pathlib import Path; from xbar.silicon.external import run_program\n"
        f"run_program([sys.executable, '-c', {inner!r}], Path({str(tmp_path)!r}), 60, '')"
    )
    outer = subprocess.Popen([sys.executable, "-c", code])
    for _ in range(500):
        if (tmp_path / "child").exists() and (tmp_path / "child").read_text():
            break
        time.sleep(0.02)
    child = int((tmp_path / "child").read_text())
    outer.kill()
    outer.wait()
    for _ in range(200):
        if not _runs(child):
            break
        time.sleep(0.02)
    assert not _runs(child)


def _runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_what_a_program_has_started_and_its_folder(tmp_path, number):
    inner = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid)); child.wait()"
    )
    code = (
        "import sys, tempfile; from pathlib import Path\n"
        "from xbar.silicon.external import run_program\n"
        f"with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}) as folder:\n"
        f"    run_program([sys.executable, '-c', {inner!r}], Path(folder), 60, '')"
    )
    outer = subprocess.Popen([sys.executable, "-c", code])
    for _ in range(500):
        if (tmp_path / "child").exists() and (tmp_path / "child").read_text():
            break
        time.sleep(0.02)
    outer.send_signal(number)
    assert outer.wait(30) == 128 + number
    child = int((tmp_path / "child").read_text())
    for _ in range(200):
        if not _runs(child):
            break
        time.sleep(0.02)
    assert not _runs(child)
    assert [path.name for path in tmp_path.iterdir()] == ["child"]


def test_a_program_that_is_no_program_is_told(tmp_path):
    (tmp_path / "text").write_text("#!/nowhere/interpreter\n")
    (tmp_path / "text").chmod(0o755)
    with pytest.raises(EngineError, match="text can't be started"):
        run_program([str(tmp_path / "text")], tmp_path, 5.0, "")


def test_a_program_that_a_signal_ends_is_told(tmp_path):
    code = "import os; os.kill(os.getpid(), 9)"
    with pytest.raises(EngineError, match=r"^eater was ended by SIGKILL.*memory; ask for less$"):
        run_program([sys.executable, "-c", code], tmp_path, 30.0, "ask for less", "eater")


def test_models_that_need_osdi_say_which_ngspice_has_it(ngspice, tmp_path, monkeypatch):
    # a stand-in that answers as ngspice 39 of Debian 12 does
    process = Process.named("gf180mcu")
    place = type(process.place)(**{**vars(process.place), "osdi": ("psp.osdi",)})
    process = type(process)(**{**vars(process), "place": place})
    fake = tmp_path / "ngspice"
    fake.write_text("#!/bin/sh\necho 'osdi: no such command available in ngspice'\n")
    fake.chmod(0o755)
    with pytest.raises(ToolError, match=r"ngspice 40 and later .* 46 of Debian"):
        runner._osdi(str(fake), process, tmp_path)
    fake.write_text("#!/bin/sh\nexit 0\n")
    for file in process.place.files:
        (tmp_path / file).write_text("")
    process = process.located(tmp_path)
    with pytest.raises(ToolError, match=r"psp.osdi: no such file; compile"):
        runner._osdi(str(fake), process, tmp_path)
    (tmp_path / "psp.osdi").write_text("")
    assert runner._osdi(str(fake), process, tmp_path) == "osdi models/psp.osdi\n"


def test_a_folder_with_a_space_in_its_name_is_no_trouble(gf180mcu, tmp_path):
    folder = tmp_path / "my models"
    folder.mkdir()
    for file in gf180mcu.folder.glob("*.ngspice"):
        (folder / file.name).symlink_to(file)
    process = Process.find("gf180mcu", folder)
    found = simulate(transistor(process), process)
    assert found["i(vd0)"] == simulate(transistor(gf180mcu), gf180mcu)["i(vd0)"]
