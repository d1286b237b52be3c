"""A chip's conductances from a card have the bits of those from the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plain_card import PlainCard

import xbar
from xbar.arrays import Floats
from xbar.errors import SpecError, XbarWarning
from xbar.hardware.on_device import conductances


def chip_of(shape: tuple[int, int, int], seed: int = 7, **bank: object) -> xbar.Chip:
    values = {"resistors": shape[2], "nominal": 100e3, "ratio": 1.5, **bank}
    tile = xbar.Tile(word_lines=shape[0], bit_lines=shape[1])
    return xbar.Chip.sample(xbar.Hardware(bank=xbar.Bank(**values), tile=tile), seed)


def same_bits(one: Floats, other: Floats) -> bool:
    return np.array_equal(one.view(np.int64), other.view(np.int64))


@pytest.mark.parametrize(
    ("spread", "sigma"),
    [
        ("lognormal", 0.3),
        ("lognormal", 1.7),
        ("lognormal", 1e-3),
        ("lognormal", 0.0),
        ("normal", 0.3),
        ("normal", 0.5),
        ("uniform", 0.5),
        ("none", 0.3),
    ],
)
@pytest.mark.filterwarnings("ignore:bank.sigma is a fraction")
def test_each_law_has_the_bits_of_the_cpu(plain_card: PlainCard, spread: str, sigma: float) -> None:
    for shape in ((13, 7, 3), (16, 24, 8)):
        for seed in (0, 2**64 - 1):
            chip = chip_of(shape, seed, spread=spread, sigma=sigma)
            for first in (0, 12345678901):
                drawn = conductances(chip, range(first, first + 3), "cuda")
                for i in range(3):
                    assert same_bits(drawn[i], chip.on(first + i))
    assert set(plain_card.launches) == {f"draw_{'uniform' if spread == 'none' else spread}"}


def test_each_resistor_has_its_own_spread(plain_card: PlainCard) -> None:
    for spread in ("lognormal", "uniform"):
        chip = chip_of((9, 5, 3), spread=spread, sigma=(0.0, 0.1, 0.4))
        assert same_bits(conductances(chip, range(1), "cuda")[0], chip.on(0))
    assert len(plain_card.launches) == 2


def test_banks_with_switches_are_drawn_on_the_cpu(plain_card: PlainCard) -> None:
    banks = {"series": 100.0}, {"switch": {"resistance": 1e3}}, {"spread": "resistance"}
    for bank in banks:
        chip = chip_of((4, 4, 2), sigma=0.1, **bank)
        with pytest.warns(XbarWarning, match="on the CPU, with the same result: a card draws"):
            assert same_bits(conductances(chip, range(1), "cuda")[0], chip.on(0))
    assert plain_card.launches == []


def test_the_far_tails_are_drawn_too(plain_card: PlainCard) -> None:
    # |z| above 4.9, where the third formula of the quantile begins, is one number in a million
    chip = chip_of((128, 128, 64), spread="normal", sigma=0.1, ratio=1.0)
    drawn = conductances(chip, range(2), "cuda")
    assert np.abs(drawn / 1e-5 - 1.0).max() > 0.49
    assert all(same_bits(drawn[i], chip.on(i)) for i in range(2))


def test_a_full_memory_halves_the_batches(plain_card: PlainCard) -> None:
    chip = chip_of((8, 8, 4))
    plain_card.most, plain_card.claims_free = 3 * 8 * 256 + 100, 1 << 40
    drawn = conductances(chip, range(16), "cuda")
    assert all(same_bits(drawn[i], chip.on(i)) for i in range(16))
    assert len(plain_card.launches) == 8  # 16, 8 and 4 tiles did not fit, two did
    assert plain_card.held == 0


def test_a_memory_that_holds_no_tile_is_told_and_the_cpu_draws(plain_card: PlainCard) -> None:
    chip = chip_of((8, 8, 4))
    plain_card.most = 1000
    with pytest.warns(XbarWarning, match="on the CPU, with the same result: the card has too"):
        drawn = conductances(chip, range(2), "cuda")
    assert same_bits(drawn[1], chip.on(1))


def test_a_measured_chip_is_read_on_the_cpu(plain_card: PlainCard, tmp_path: Path) -> None:
    on = np.full((2, 4, 3, 2), 1e-5)
    path = tmp_path / "chip.npz"
    np.savez(path, on=on)
    hardware = xbar.Hardware(bank=xbar.Bank(resistors=2), tile=xbar.Tile(word_lines=4, bit_lines=3))
    chip = xbar.Chip.from_measurement(path, hardware)
    with pytest.warns(XbarWarning, match="the chip is measured"):
        assert same_bits(conductances(chip, range(2), "cuda"), on)
    assert same_bits(conductances(chip, range(2), "auto"), on)  # nobody asked for the card
    assert plain_card.launches == []


def test_tiles_are_consecutive_and_exist() -> None:
    chip = chip_of((2, 2, 2))
    with pytest.raises(SpecError, match="step of 1, not 2"):
        conductances(chip, range(0, 4, 2))
    assert conductances(chip, range(0)).shape == (0, 2, 2, 2)
    with pytest.raises(SpecError, match="from 0 to"):
        conductances(chip, range(-1, 1))


def test_tiles_of_a_card_exist(plain_card: PlainCard) -> None:
    with pytest.raises(SpecError, match="from 0 to"):
        conductances(chip_of((2, 2, 2)), range(-1, 1), "cuda")
    assert plain_card.launches == []
