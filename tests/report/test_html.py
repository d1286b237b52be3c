"""The HTML report is well-formed, safe whatever the names are, and the same twice."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import xbar
from xbar.report.html import html_report
from xbar.report.survey import survey

pytest.importorskip("matplotlib")

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a&amp;b ]]> <!-- --",
    "$\\frac{$ %s {0} ${x}",
    "\x1b[2J\n\x00\udc80\u202eabc\ufffe",
    'id="x" url(#y) href="#z"',
    "漢字 µ",
    "x" * 300,
]
HARDWARE = xbar.Hardware(
    name="</title><script>alert(2)</script>",
    bank=xbar.Bank(resistors=4, on_off_ratio=100),
    tile=xbar.Tile(word_lines=6, bit_lines=8, word_wire=5.0, bit_wire=5.0),
)


@pytest.fixture(scope="module")
def program():
    rng = np.random.default_rng(0)
    return xbar.compile({name: rng.standard_normal((3, 5)) for name in HOSTILE}, HARDWARE, seed=0)


@pytest.fixture(scope="module")
def page(program):
    inputs = {name: np.random.default_rng(1).random((4, 5)) for name in HOSTILE}
    results = [xbar.simulate(program, inputs, readout=readout) for readout in ("ideal", "nodal")]
    return html_report("<i>out</i>.xbar", survey(program), results)


class Tags(HTMLParser):
    """What a browser's parser sees: tags, attributes and text outside of styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_it_is_well_formed_xml_with_every_table_and_picture(page, program):
    root = ElementTree.fromstring(page)
    name = "{http://www.w3.org/1999/xhtml}"
    assert root.tag == f"{name}html"
    pictures = root.findall(".//{http://www.w3.org/2000/svg}svg")
    assert len(pictures) == len(HOSTILE) + 1
    captions = [element.text for element in root.iter(f"{name}caption")]
    assert len(captions) == 4
    for table in root.iter(f"{name}table"):
        head = len(table.findall(f"{name}thead/{name}tr/{name}th"))
        assert {len(row) for row in table.findall(f"{name}tbody/{name}tr")} == {head}


def test_hostile_names_stay_text_in_a_browsers_parser(page):
    seen = Tags(page)
    assert not {"script", "img", "i", "b", "iframe", "object", "link"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    for name in (*HOSTILE[:4], *HOSTILE[5:], HARDWARE.name, "<i>out</i>.xbar"):
        assert name in seen.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e\ufffe]", page)
    page.encode("utf-8")


def test_it_needs_no_other_file_and_allows_no_script(page):
    seen = Tags(page)
    assert dict(seen.attributes)["content"] is not None
    assert "default-src 'none'" in page
    for name, value in seen.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:image/png;base64,"))
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert "http" not in without_namespaces.replace("http-equiv", "")


def test_no_identifier_is_used_twice_and_every_reference_has_its_own(page):
    found = [value for name, value in Tags(page).attributes if name == "id"]
    assert len(found) == len(set(found))
    pictures = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', pictures))
    assert used
    assert used <= set(found)


def test_the_same_program_gives_the_same_bytes(page, program, tmp_path):
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    inputs = {name: np.random.default_rng(1).random((4, 5)) for name in HOSTILE}
    results = [xbar.simulate(loaded, inputs, readout=readout) for readout in ("ideal", "nodal")]
    assert html_report("<i>out</i>.xbar", survey(loaded), results) == page


def test_a_layer_whose_targets_are_all_met_has_a_sentence_in_place_of_a_picture():
    hardware = xbar.Hardware(bank=xbar.Bank(resistors=1, spread="none"))
    program = xbar.compile({"fc": [[0.0, 0.0]]}, hardware, seed=0)
    page = html_report("out", survey(program))
    ElementTree.fromstring(page)
    assert "<svg" not in page
    assert "every target is met exactly" in page
    assert "are ideal" in page


def test_weights_out_of_reach_are_listed_with_their_cells_worst_first():
    bank = xbar.Bank(resistors=2, stuck_open=0.4)
    hardware = xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=16, bit_lines=16))
    weights = np.random.default_rng(0).standard_normal((8, 16))
    program = xbar.compile({"fc": weights}, hardware, seed=0)
    missed = sorted(program.unreachable(), key=lambda w: -abs(w.achieved - w.target))
    assert len(missed) > 20
    root = ElementTree.fromstring(html_report("out", survey(program)))
    name = "{http://www.w3.org/1999/xhtml}"
    (found,) = (
        table
        for table in root.iter(f"{name}table")
        if "outside the range of their cells" in table.findtext(f"{name}caption")
    )
    rows = [[cell.text for cell in row] for row in found.find(f"{name}tbody")]
    assert len(rows) == 20
    for row, weight in zip(rows, missed, strict=False):
        cells = "; ".join(f"{d.tile}: {d.word_line}, {d.bit_line}" for d in weight.devices)
        assert row[:4] == ["fc", f"{weight.output}, {weight.input}", cells, str(weight.stuck)]
