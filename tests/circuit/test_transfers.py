"""Transfer matrices of many crossbars at once are those of each, on a card as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
from card_cases import ARRAYS, cells_and_ohms, wires
from plain_card import PlainCard

from xbar.arrays import Floats
from xbar.circuit import Crossbar, transfers
from xbar.circuit.solvers.direct import DirectSolver
from xbar.errors import SpecError, XbarWarning

CLOSE = 1e-12
"""Largest difference, of a crossbar's largest entry."""


def difference(found: Floats, cells: Floats, given: dict[str, Floats]) -> float:
    """Largest difference from each crossbar's own matrix, of its largest entry."""
    worst = 0.0
    for one, siemens in zip(found, cells, strict=True):
        own = Crossbar(siemens, **given).transfer
        worst = max(worst, float(np.abs(one - own).max() / max(own.max(), 1e-300)))
    return worst


SHAPES = ((16, 16), (8, 8), (1, 1), (3, 50), (50, 3), (33, 40), (64, 64), (72, 24))


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_card_agrees_with_the_cpu(plain_card: PlainCard, kind: str) -> None:
    for lines, columns in SHAPES:
        cells, ohms = cells_and_ohms(kind, (2, lines, columns))
        given = wires(ohms, lines, columns)
        found = transfers(cells, **given, device="cuda")
        assert found.shape == (2, columns, lines)
        assert difference(found, cells, given) < CLOSE
    assert {"leaves", "joins_small", "joins"} <= set(plain_card.launches)


def test_large_joins_take_the_cards_memory(plain_card: PlainCard) -> None:
    plain_card.shared = 40 * 1024
    cells, ohms = cells_and_ohms("mild", (2, 48, 64))
    given = wires(ohms, 48, 64)
    assert difference(transfers(cells, **given, device="cuda"), cells, given) < CLOSE
    assert "joins_global" in plain_card.launches


def test_it_is_what_kirchhoff_says(plain_card: PlainCard) -> None:
    cells, ohms = cells_and_ohms("harsh", (1, 20, 12))
    given = wires(ohms, 20, 12)
    found = transfers(cells, **given, device="cuda")[0]
    direct = DirectSolver(Crossbar(cells[0], **given)).transfer()
    assert np.abs(found - direct).max() < 1e-11 * direct.max()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"word_wire": 1.0}, r"ideal wires \(0 ohm\)"),
        ({"word_wire": 1.0, "bit_wire": 1.0, "load": [1.0, np.inf, 1.0]}, "drives or reads"),
        ({"word_wire": 1.0, "bit_wire": 1.0, "source": np.inf}, "drives or reads"),
    ],
)
def test_wires_that_a_card_does_not_take_are_told(
    plain_card: PlainCard, given: dict[str, float], why: str
) -> None:
    cells, _ = cells_and_ohms("mild", (2, 4, 3))
    with pytest.warns(XbarWarning, match=f"computed on the CPU: .*{why}"):
        found = transfers(cells, **given, device="cuda")
    assert np.array_equal(found, transfers(cells, **given))
    assert np.array_equal(found, transfers(cells, **given, device="auto"))
    assert plain_card.launches == []


def test_too_many_lines_and_old_cards_are_told(plain_card: PlainCard) -> None:
    cells, _ = cells_and_ohms("mild", (1, 600, 2))
    with pytest.warns(XbarWarning, match="up to 512 word and bit lines, not 600"):
        transfers(cells, word_wire=1.0, bit_wire=1.0, device="cuda")
    plain_card.capability = 7, 5
    with pytest.warns(XbarWarning, match="no tensor cores"):
        transfers(cells[:, :8], word_wire=1.0, bit_wire=1.0, device="cuda")


@pytest.mark.parametrize(
    ("siemens", "word_wire", "bit_wire"),
    [
        (1.0, 1.0, 1e8),  # bit nodes that hardly see their own wire
        (1e100, 1e-3, 1e-3),  # a chain's voltage ratios leave the range of float64
        (1e3, 1e6, 1e6),
    ],
)
def test_tiles_that_lose_digits_are_solved_again_on_the_cpu(
    plain_card: PlainCard, siemens: float, word_wire: float, bit_wire: float
) -> None:
    cells, _ = cells_and_ohms("mild", (3, 16, 16))
    cells[1] = siemens
    given = {"word_wire": word_wire, "bit_wire": bit_wire}
    with pytest.warns(XbarWarning, match="of 3 lost too many digits on the card"):
        found = transfers(cells, **given, device="cuda")
    assert np.array_equal(found[1], transfers(cells[1:2], **given)[0])
    for one, own in zip(found, cells, strict=True):
        exact = Crossbar(own, **given).transfer
        assert np.abs(one - exact).max() < CLOSE * exact.max()


def test_a_full_memory_halves_the_batches(plain_card: PlainCard) -> None:
    cells, ohms = cells_and_ohms("mild", (7, 16, 16))
    given = wires(ohms, 16, 16)
    plain_card.most, plain_card.claims_free = 400_000, 1 << 40
    assert difference(transfers(cells, **given, device="cuda"), cells, given) < CLOSE
    assert 1 < plain_card.launches.count("leaves") < 7
    assert plain_card.held == 0
    plain_card.most = 1000
    with pytest.warns(XbarWarning, match="too little free memory"):
        transfers(cells, **given, device="cuda")


def test_shapes_and_values_are_checked() -> None:
    for wrong in (np.ones((2, 2)), np.ones((1, 0, 2))):
        with pytest.raises(SpecError, match=r"shape \(T, W, B\)"):
            transfers(wrong)
    with pytest.raises(SpecError, match="crossbar 1, word line 0, bit line 1"):
        transfers([[[1.0, 1.0]], [[1.0, -1.0]]])
    with pytest.raises(SpecError, match="word_wire"):
        transfers(np.ones((1, 2, 2)), word_wire=[1.0])
    assert transfers(np.ones((0, 2, 3)), word_wire=1.0).shape == (0, 3, 2)
