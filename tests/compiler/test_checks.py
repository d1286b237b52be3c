"""Design rules hold up to their limits, and a message names the limit that was missed."""

import re

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError

ONE = {"fc": np.array([[1.0, -0.5]])}


def compiled(matrices=ONE, resistors=2, layout="cell", tile=None, **choices):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=resistors, layout=layout),
        tile=xbar.Tile(**{"word_lines": 8, "bit_lines": 8, **(tile or {})}),
    )
    return xbar.compile(matrices, hardware, seed=0, **choices)


@pytest.mark.parametrize("largest", [1.01e-200, 0.99e200])
def test_weights_may_be_as_large_and_small_as_squares_of_them_can_be_said(largest):
    realised = compiled({"fc": largest * ONE["fc"]}, resistors=8).matrices()["fc"]
    np.testing.assert_allclose(realised / largest, ONE["fc"], atol=0.2)


@pytest.mark.parametrize("largest", [0.99e-200, 1.01e200])
def test_weights_beyond_are_refused(largest):
    with pytest.raises(SpecError, match=r"fc: the largest weight must be between 1e-200 and 1e200"):
        compiled({"fc": largest * ONE["fc"]})


@pytest.mark.parametrize(
    ("tile", "resistors", "layout", "mapping", "least"),
    [
        ({}, 3, "cell", "pair", 2),
        ({}, 3, "columns", "pair", 6),
        ({}, 3, "rows", "pair", 2),
        ({}, 3, "columns", "reference", 6),
        ({"spare_bit_lines": 2}, 3, "cell", "pair", 4),
    ],
)
def test_a_tile_of_the_fewest_bit_lines_holds_a_weight_and_one_less_is_refused(
    tile, resistors, layout, mapping, least
):
    options = xbar.Options(mapping=mapping)
    enough = {"word_lines": 6, "bit_lines": least, **tile}
    assert len(compiled(ONE, resistors, layout, enough, options=options).tiles) == 1
    few = enough | {"bit_lines": least - 1}
    with pytest.raises(
        SpecError, match=f"tile.bit_lines must be at least {least}, .*not {least - 1}"
    ):
        compiled(ONE, resistors, layout, few, options=options)


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (3,), (1, 2, 2, 2), (0, 2, 2)])
def test_a_matrix_of_another_shape_is_refused(shape):
    with pytest.raises(SpecError, match=r"fc: a matrix must have shape \(outputs, inputs\)"):
        compiled({"fc": np.ones(shape)})


def test_the_bad_weight_is_named():
    matrix = np.ones((3, 4))
    matrix[1, 2] = np.inf
    with pytest.raises(SpecError, match="must be finite, not inf at output 1, input 2"):
        compiled({"fc": matrix})


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"programming": "nominal"}, "programming must be 'subset' for wire-aware programming"),
        ({"scale_per": "layer"}, "scale_per must be 'column' or 'tile' for wire-aware"),
    ],
)
def test_wires_are_corrected_by_subsets_at_scales_of_the_tiles_own(choices, message):
    with pytest.raises(SpecError, match=message):
        compiled(options=xbar.Options(**choices, wire_aware=True))


def test_wires_are_corrected_with_as_many_resistors_as_the_message_allows():
    with pytest.raises(SpecError, match=r"bank\.resistors must be at most \d+") as error:
        compiled(resistors=64, wire_aware=True)
    most = int(re.findall(r"at most (\d+)", str(error.value))[0])
    assert compiled(resistors=most, wire_aware=True).wire_aware
    with pytest.raises(SpecError, match=f"at most {most} for .*, not {most + 1}"):
        compiled(resistors=most + 1, wire_aware=True)
