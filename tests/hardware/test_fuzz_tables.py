"""Random designs, tables, archives and quantities: what comes is an answer or one line."""

import io
import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xbar.errors import XbarError, XbarWarning
from xbar.hardware.bank import Bank
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile
from xbar.simulation.dataset import read_dataset
from xbar.units import parse_quantity, parse_unit

DESIGN = Hardware(bank=Bank(resistors=1, nominal="100k"), tile=Tile(word_lines=2, bit_lines=2))
HEADS = "tile|word_line|Bit Line|resistor|on|on [uS]|R_on|off/nS|stuck|".split("|")
CELLS = [
    *("0", "1", "2", "-1", "0.5", "1e-5", "1,5", "1.000,5", "1,234", "nan", "", "OL", "1e999", "x"),
    *("10 uS", "５", "−1", "1e-5 V", "#N/A", "1_0", "inf", '"', "'", "=1+1", "9" * 400, "\x00"),
]
MARKS = [",", ";", "\t", " ", "|", "\n", "\r\n", "\n\n", "#", "sep=;\n", "%", '"']
TABLE = st.lists(st.sampled_from([*HEADS, *CELLS, *MARKS, *MARKS]), max_size=60).map("".join)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"]
TOML = st.lists(
    st.sampled_from(
        [
            *("[bank]", "[tile]", "[adc]", "[bank.nonlinearity]", "\n", "=", "sigma", "nominal"),
            *("resistors", "range", "bits", "'25uS'", "'4.7k'", "5", "-1", "inf", "nan", "1e999"),
            *("[", "]", "{", "}", "'", '"""', "1979-05-27", "true", ".", "#", "\x00", "é"),
        ]
    ),
    max_size=40,
).map("".join)
LONG = int(os.environ.get("XBAR_FUZZ", "0"))
"""Examples of each test, with new random numbers each time; 0 for a few that stay the same."""
QUIET = settings(
    max_examples=LONG or 150,
    derandomize=not LONG,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def answer_or_line(read, *arguments):
    """Whether something was read; an error other than xbar's own fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XbarWarning)
        try:
            read(*arguments)
        except XbarError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 700
            return False
    return True


def encoded(text, encoding):
    return text.encode(encoding, "replace")


@given(TABLE, st.sampled_from(ENCODINGS))
@QUIET
def test_any_table_is_a_chip_or_one_line(tmp_path, text, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(encoded(text, encoding))
    answer_or_line(Chip.from_measurement, path, DESIGN)


@given(st.permutations(["tile", "word_line", "bit_line", "resistor", "on"]), st.data())
@QUIET
def test_any_cells_below_a_head_are_a_chip_or_one_line(tmp_path, head, data):
    mark = data.draw(st.sampled_from([",", ";", "\t", " "]))
    rows = [mark.join(head)]
    for place in np.ndindex(1, 2, 2, 1):
        cells = dict(zip(["tile", "word_line", "bit_line", "resistor"], place, strict=True))
        cells["on"] = data.draw(st.sampled_from(["1e-5", *CELLS]))
        rows.append(mark.join(str(cells[name]) for name in head))
    path = tmp_path / "a.csv"
    path.write_text("\n".join(rows))
    answer_or_line(Chip.from_measurement, path, DESIGN)


@given(TABLE, st.sampled_from([None, (2,), (1, 2), (None,), ()]))
@QUIET
def test_any_table_is_a_data_set_or_one_line(tmp_path, text, shape):
    path = tmp_path / "a.csv"
    path.write_text(text)
    answer_or_line(read_dataset, path, shape)


@given(TOML)
@QUIET
def test_any_text_is_a_design_or_one_line(tmp_path, text):
    path = tmp_path / "chip.toml"
    path.write_text(text)
    answer_or_line(Hardware.load, path)


@given(
    st.text(st.sampled_from("0123456789.,eE+-kmuµμnpfMGTKS ΩohmVA%²２５−"), max_size=12),
    st.sampled_from(["", "ohm", "S", "V", "A", "s", "J", "m²", "1", "K"]),
)
@settings(max_examples=10 * LONG or 1000, derandomize=not LONG, deadline=None)
def test_any_text_is_a_finite_quantity_or_one_line(text, unit):
    try:
        assert np.isfinite(parse_quantity(text, unit))
    except XbarError as error:
        assert "\n" not in str(error)
    found = parse_unit(text)
    assert found is None or found[1]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_with_any_byte_changed_is_data_or_one_line(tmp_path, save):
    whole = io.BytesIO()
    save(whole, on=np.full((1, 2, 2, 1), 1e-5), stuck=np.zeros((1, 2, 2, 1), np.int8))
    good, path = whole.getvalue(), tmp_path / "a.npz"
    rng = np.random.default_rng(0)
    refused = 0
    for position in range(0, len(good), 3):
        changed = bytearray(good)
        changed[position] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        refused += not answer_or_line(Chip.from_measurement, path, DESIGN)
        answer_or_line(read_dataset, path)
    assert refused > 20
