"""Own rules against rectangles whose distances are known, and the drawing of an array."""

from __future__ import annotations

import math

import pytest
from masks import LAYERS, write_boxes

from xbar.errors import EngineError, FileError, SpecError
from xbar.silicon.checks.rules import check_files, check_rules, rule_data, rules_of
from xbar.silicon.layout import BankGeometry, Layout

pytest.importorskip("gdstk")
STEP = 5
"""Nanometres by which each fault misses its rule."""


def drawn(what, of, by, least):
    """Rectangles that just keep a rule between two plain masks, or miss it by ``least`` nm less."""
    d = least
    if what == "width":
        return [(of, (0, 0, d, 9000))]
    if what == "space":
        return [(of, (0, 0, 9000, 9000)), (of, (9000 + d, 0, 18000 + d, 9000))]
    if what == "separation":
        return [(of, (0, 0, 9000, 9000)), (by, (9000 + d, 0, 18000 + d, 9000))]
    if what == "enclosure":
        return [(of, (0, 0, 500, 500)), (by, (-1000, -1000, 1500, 500 + d))]
    if what == "two sides":
        return [(of, (0, 0, 500, 500)), (by, (-1000, -(d - 5 - STEP), 500 + d, 500 + d - 5 - STEP))]
    return [(of, (0, 0, d, d))]


KINDS = ("width", "space", "separation", "enclosure", "two sides", "square")
PLAIN = [
    rule
    for rule in rules_of()
    if rule.what in KINDS and rule.of in LAYERS and (not rule.by or rule.by in LAYERS)
]


@pytest.fixture(scope="module")
def kept_and_missed(klayout, tmp_path_factory):
    """Reports by rule: of masks that just keep it, and of masks that miss it by 5 nm."""
    folder = tmp_path_factory.mktemp("rules")
    paths = []
    for number, rule in enumerate(PLAIN):
        least = round(rule.least * 1000)
        for what, d in (("keeps", least), ("misses", least - STEP)):
            boxes = drawn(rule.what, rule.of, rule.by, d)
            paths.append(write_boxes(folder / f"{number}{what}.gds", boxes))
    reports = check_files(paths)
    return dict(zip(PLAIN, zip(reports[::2], reports[1::2], strict=True), strict=True))


def test_more_than_40_rules_are_between_masks_as_they_are_drawn():
    assert len(PLAIN) > 40


@pytest.mark.parametrize("rule", PLAIN, ids=lambda rule: f"{rule.name}-{rule.of}-{rule.by}")
def test_a_rule_is_broken_by_5_nm_and_not_by_its_least_value(rule, kept_and_missed):
    keeps, misses = kept_and_missed[rule]
    assert rule.name not in keeps.broken
    assert rule.name in misses.broken
    found = next(v for v in misses.violations if v.rule == rule)
    assert found.measured == pytest.approx(rule.least - STEP / 1000, abs=1e-9)
    assert not misses.ok


def test_every_rule_has_a_name_a_value_and_a_source():
    rules = rules_of()
    assert len({rule.name for rule in rules}) > 80
    assert all(rule.source.startswith("SkyWater SKY130 PDK, periphery rules") for rule in rules)
    made = rule_data("sky130")["made"]
    for rule in rules:
        assert {rule.of, rule.by} - {""} <= set(LAYERS) | set(made)
        assert math.isfinite(rule.least)
        assert rule.text


def test_an_array_keeps_all_rules(klayout, tmp_path):
    shapes = [((4000, 4400), 1000), ((4000, 4400, 4840), (800, 1000, 1200)), ((500,), 420)]
    paths = []
    for number, (lengths, switch) in enumerate(shapes):
        layout = Layout(BankGeometry(lengths=lengths, switch=switch), word_lines=2, bit_lines=3)
        layout.write(tmp_path / f"{number}.gds")
        paths.append(tmp_path / f"{number}.gds")
    for report in check_files(paths):
        assert report.ok, report.table()
        assert "none is broken" in str(report)


def test_a_violation_tells_rule_place_measured_and_allowed_in_one_line(klayout, tmp_path):
    boxes = [("li", (1000, 0, 1100, 9000))]
    report = check_rules(write_boxes(tmp_path / "thin.gds", boxes))
    line = str(next(v for v in report.violations if v.rule.name == "li.1"))
    assert line == "li.1 at (1.050, 4.500) um: width of li is 0.1 um, allowed: at least 0.17 um"
    assert report.to_json()["broken"] == {"li.1": 1}


def test_an_edge_off_x_and_y_is_told_with_its_angle(klayout, tmp_path):
    import gdstk

    path = write_boxes(tmp_path / "slanted.gds", [("li", (9000, 0, 9500, 500))])
    library = gdstk.read_gds(path)
    # 2 up in 4: 26.565 degrees
    library.cells[0].add(gdstk.Polygon([(0, 0), (4, 0), (4, 2)], *LAYERS["li"]))
    library.write_gds(path)
    line = str(next(v for v in check_rules(path).violations if v.rule.name == "x.2"))
    angle = f"{math.degrees(math.atan2(2, 4)):.5g}"
    assert line == (
        f"x.2 at (2.000, 1.000) um: angle of edges of li to x or y is {angle} degrees, "
        "allowed: none"
    )


def test_a_process_without_rules_and_a_file_that_is_none_are_refused(klayout, tmp_path):
    with pytest.raises(SpecError, match="own rules must be of sky130, not of 'gf180mcu'"):
        check_rules(tmp_path / "x.gds", "gf180mcu")
    with pytest.raises(FileError, match=r"x\.gds: can't be read"):
        check_rules(tmp_path / "x.gds")


def test_a_file_of_several_top_cells_must_have_the_one_to_check_named(klayout, tmp_path):
    import gdstk

    path = write_boxes(tmp_path / "two.gds", [("met1", (0, 0, 500, 500))])
    library = gdstk.read_gds(path)
    library.new_cell("other")
    library.write_gds(path)
    with pytest.raises(EngineError, match="there are 2 top cells: name the one to check"):
        check_rules(path)
    with pytest.raises(EngineError, match="there is no cell none"):
        check_rules(path, top="none")
    assert check_rules(path, top="tile").ok
