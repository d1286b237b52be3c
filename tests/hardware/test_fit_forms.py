"""A table of readings means the same in every form that people have, and bad ones are refused."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.hardware.fit.readings import read_readings

G = np.array([[10.0, 9.0], [12.0, 11.0], [14.0, 13.5]]) * 1e-6
"""Three devices after 1 s and 1 h."""
LONG = ["0,1,10", "0,3600,9", "1,1,12", "1,3600,11", "2,1,14", "2,3600,13.5"]


def places(*times):
    """Devices, columns of ``G`` and how its times are written."""
    return [(device, k, time) for device in range(3) for k, time in enumerate(times)]


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def check(readings):
    """The three devices, in whatever order they stand."""
    order = np.lexsort((readings.time, readings.device))
    np.testing.assert_allclose(readings.g[order], G.ravel(), rtol=1e-12)
    np.testing.assert_allclose(readings.time[order], [1.0, 3600.0] * 3)
    assert readings.device[order].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        ("device,time [s],conductance [uS]", LONG),
        ("Dev;t (s);G/uS", [line.replace(",", ";").replace(".", ",") for line in LONG]),
        ("cell\ttime_s\tG_uS", [line.replace(",", "\t") for line in LONG]),
        ("id,elapsed,conductance [uA/V],remark", [f"{line},x" for line in LONG]),
        (
            "device,time,conductance",
            [
                "a,1 s,10uS",
                "a,1 h,9 uS",
                "b,1 s,12 uS",
                "b,1 h,11 uS",
                "c,1 s,14 uS",
                "c,60 min,13.5 uS",
            ],
        ),
        (
            "device,time [h],resistance [kohm]",
            [f"{d},{t},{1e-3 / G[d, k]:.17g}" for d, k, t in places("2.777777777777778e-4", "1")],
        ),
        (
            "device,time,current [nA],voltage [mV]",
            [f"{d},{t},{G[d, k] * 0.2 * 1e9:.17g},200" for d, k, t in places(1, 3600)],
        ),
        ("device,1 s [uS],1 h [uS]", ["0,10,9", "1,12,11", "2,14,13.5"]),
        ("device,G(t=1 s) [uS],G(t=1 h) [uS]", ["0,10,9", "1,12,11", "2,14,13.5"]),
        ("1 s [uS],1 h [uS]", ["10,9", "12,11", "14,13.5"]),
        (
            "device,time,conductance",
            [
                ",min,uS",
                *(f"{d},{t},{G[d, k] * 1e6!s}" for d, k, t in places("0.016666666666666666", 60)),
            ],
        ),
        ("wafer,row,col,time,G [uS]", [f"A,{line[0]},7,{line[2:]}" for line in LONG]),
        ("chip,row idx,time [s],G [uS]", [f"{line[0]},0,{line[2:]}" for line in LONG]),
        ("time,d0 [uS],d1 [uS],d2 [uS]", ["1,10,12,14", "3600,9,11,13.5"]),
    ],
)
def test_long_and_wide_tables_are_read_with_their_units(tmp_path, head, lines):
    check(read_readings(write(tmp_path / "a.csv", head, *lines)))


def test_units_and_voltage_may_be_the_callers(tmp_path):
    check(read_readings(write(tmp_path / "a.csv", "device,time,g", *LONG), unit="uS"))
    wide = write(tmp_path / "b.csv", "device,1,3600", "0,10,9", "1,12,11", "2,14,13.5")
    check(read_readings(wide, unit="uS"))
    ohms = [f"{d},{t},{1 / G[d, k]:.17g}" for d, k, t in places(1, 3600)]
    check(read_readings(write(tmp_path / "c.csv", "device,time,r", *ohms)))
    amperes = [f"{d},{t},{0.1 * G[d, k]:.17g}" for d, k, t in places(1, 3600)]
    check(read_readings(write(tmp_path / "d.csv", "device,time,I", *amperes), voltage=0.1))


def test_arrays_and_archives_are_tables_too(tmp_path):
    check(read_readings({"conductance": G, "time": [1.0, 3600.0]}))
    np.savez(tmp_path / "a.npz", conductance_uS=G * 1e6, time=[1.0, 3600.0], device=[5, 6, 7])
    check(read_readings(tmp_path / "a.npz"))


def test_cycles_temperatures_and_reads_are_told_by_the_heads(tmp_path):
    path = write(tmp_path / "a.csv", "device,25 C,85 °C", "0,1e-5,2e-5", "1,1e-5,2e-5")
    assert sorted(set(read_readings(path).kelvin)) == pytest.approx([298.15, 358.15])
    path = write(tmp_path / "b.csv", "device,cycle 1,cycle 2", "0,1e-5,2e-5", "1,1e-5,2e-5")
    assert sorted(read_readings(path).cycle) == [0, 0, 1, 1]
    path = write(tmp_path / "c.csv", "device,read 1,read 2", "0,1e-5,1e-5", "1,1e-5,2e-5")
    assert (
        len(read_readings(path)) == 4
    )  # a device may read the same twice where reads are numbered


def test_a_missing_reading_is_left_out_and_told(tmp_path):
    readings = read_readings(
        write(tmp_path / "a.csv", "device,1 s [uS],1 h [uS]", "0,10,nan", "1,,11", "2,14,13.5")
    )
    assert len(readings) == 4
    assert "2 readings without a number not used, the first in line 3" in readings.notes


def test_a_target_without_a_unit_has_that_of_the_conductance(tmp_path):
    readings = read_readings(
        write(tmp_path / "a.csv", "device,target,g [uS]", "0,10,11", "1,20,19")
    )
    np.testing.assert_allclose(readings.target, [1e-5, 2e-5])
    ohms = write(tmp_path / "b.csv", "device,r_target [kohm],g [uS]", "0,100,11", "1,50,19")
    readings = read_readings(ohms)
    np.testing.assert_allclose(readings.target, [1e-5, 2e-5])


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["device,g [uS]", "0,10", "1,-3"], "line 3: g .uS. must be at least 0 S, not -3e-06 S"),
        (["device,r", "0,1e5", "1,0"], "line 3: r must be above 0 ohm"),
        (["device,time,g", "0,-1,1e-5"], "a time must be at least 0 s"),
        (["device,time,g", "0,1,1e-5", "1,1,2e-5", "0,1,1e-5"], "line 4: stands in line 2 too"),
        (["device,read,g", "0,1,1e-5", "0,1,2e-5"], "line 3: stands in line 2 too"),
        (["device,g [V]", "0,10"], "must be in S, such as uS, not 'V'"),
        (["device,g [uS]", "0,10", "1,5 kohm"], "line 3: g .uS.: must be in S like the column"),
        (["device,g", "0,10 uS", "1,12"], "line 3: g must have a unit in every cell or in none"),
        (["device,target [S],g [uS]", "0,10,10", "1,20,21"], "must be of one unit"),
        (["device,g", "0,100000", "1,120000"], "state its unit"),
        (["device,temperature,g", "0,25,1e-5"], "a temperature must have its unit"),
        (["device,temperature [C],g", "0,-300,1e-5"], "above absolute zero"),
        (["device,1 s [uS],1 h [nS]", "0,10,11"], "must be in one unit, not nS and uS"),
        (["device,1 s,1 s", "0,1e-5,1e-5"], "each column must be of another time"),
        (["device,i", "0,1e-6"], "need the voltage"),
        (["device,i,v", "0,1e-6,0"], "line 2: a read voltage must not be 0 V"),
        (["time,g", "1,1e-5", "2,1e-5"], "must have a column device"),
        (["device,g,conductance", "0,1e-5,1e-5"], "must have one column for g"),
        (["device,g", "0,nan"], "there is no reading"),
        (["device,g"], "there is no line of data"),
        (["device,g [uS]", ",nS", "0,1"], "is stated twice"),
        (["device,g", ",uS"], "there is no line of data below the units"),
        (["a,b", "0,1"], "the first line must name columns"),
        (["device,g", "0,x"], "line 2: g: .*number"),
    ],
)
def test_what_is_no_table_of_devices_is_refused_in_one_line(tmp_path, lines, told):
    path = write(tmp_path / "bad.csv", *lines)
    with pytest.raises(SpecError, match=told) as error:
        xbar.DeviceLaw.fit(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_arrays_of_other_sizes_are_refused():
    with pytest.raises(SpecError, match="time must have 2 values"):
        read_readings({"conductance": G, "time": [1.0]})
    with pytest.raises(SpecError, match="of one length"):
        read_readings({"device": [0, 1], "conductance": [1e-5]})
