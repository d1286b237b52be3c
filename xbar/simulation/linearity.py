"""INL, DNL and effective bits of the converters of a design.

    threshold   T(k): signal above which the code is k or more; of curves that fall back on the way,
                from the lengths of signal that give each code
    INL(k)      (T(k) - T(1)) / Q - (k - 1), with the mean step Q = (T(last) - T(1)) / (last - 1)
    DNL(k)      (T(k + 1) - T(k)) / Q - 1; -1 is a missing code
    ENOB        log2((2 top + 1) / (sqrt(12) e)), with the rms deviation e of a full-scale sine's
                codes from the sine that fits them best (IEEE 1241), noise included

Shapes: K converters, T thresholds. Units: levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xbar.arrays import Floats, one_integer
from xbar.blas import one_blas_thread
from xbar.effects.dac_inl import errors_of
from xbar.effects.sampling import sampling_noise
from xbar.effects.transfer import AFFINE, Transfer, normals, transfer_of
from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.hardware.converter import Converter
from xbar.hardware.spec import Hardware
from xbar.tables import Card, Facts, Table, count, table

CONVERTERS = 64
"""Default number of converters."""
MOST_BITS = 16
"""Largest resolution whose curve is computed."""

_CODES = 1 << 24  # thresholds of all converters
_NO_STEP = -1 + 2e-2  # DNL of a missing code, as far as lengths of signal are told
_HALVINGS = 40
_DUST = 1e-6  # levels that the halvings of a signal's range do not tell from none
_PER_LEVEL = 64
_SINE, _CYCLES = 4096, 479


@dataclass(frozen=True, eq=False, repr=False)
class Linearity(Card):
    """Curves of converters of one design.

    Attributes:
        what: "ADC" or "DAC".
        kind: the design's ``kind``.
        bits: resolution.
        inl: (K, T) integral nonlinearity of each threshold of an ADC, or level of a DAC.
        dnl: (K, T - 1) differential nonlinearity.
        enob: (K,) effective bits, noise included; empty for a DAC.
        noise: rms noise of a conversion.
        offset: (K,) offset of each converter.
        gain: (K,) relative gain error of each converter.
    """

    what: str
    kind: str
    bits: int
    inl: Floats
    dnl: Floats
    enob: Floats
    noise: float
    offset: Floats
    gain: Floats

    @property
    def missing(self) -> Floats:
        """(K,) number of codes that no signal gives."""
        found: Floats = (self.dnl <= _NO_STEP).sum(axis=1).astype(np.float64)
        return found

    def _rows(self) -> list[list[str]]:
        largest = {"INL": np.abs(self.inl).max(axis=1), "DNL": np.abs(self.dnl).max(axis=1)}
        rows = [_row(name, each, "levels") for name, each in largest.items()]
        if self.what == "ADC":
            rows.append(_row("missing codes", self.missing, ""))
            rows.append(_row("offset", np.abs(self.offset), "levels"))
            rows.append(_row("gain error", 100 * np.abs(self.gain), "%"))
            rows.append(["noise", f"{self.noise:.3g}", f"{self.noise:.3g}", "levels rms"])
            rows.append(["ENOB", f"{self.enob.mean():.2f}", f"{self.enob.min():.2f}", "bits"])
        return rows

    def table(self) -> Table:
        """Mean and worst converter, one row a figure."""
        title = f"{self.what}: {self.kind}, {self.bits} bits, {count(len(self.inl), 'converter')}"
        return title, ["", "mean", "worst", ""], self._rows()

    def __str__(self) -> str:
        return table(*self.table())

    def _facts(self) -> Facts:
        return [(name, f"{mean}, worst {worst} {unit}") for name, mean, worst, unit in self._rows()]

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary that ``json`` can write."""
        figures: dict[str, Any] = {"kind": self.kind, "bits": self.bits, "noise": self.noise}
        for name in ("inl", "dnl", "enob", "offset", "gain"):
            figures[name] = getattr(self, name).tolist()
        return {**figures, "missing": self.missing.tolist()}


def _row(name: str, each: Floats, unit: str) -> list[str]:
    each = np.where(each < _DUST, 0.0, each)
    return [name, f"{each.mean():.3g}", f"{each.max():.3g}", unit]


@one_blas_thread()
def adc_linearity(
    hardware: Hardware, converters: int = CONVERTERS, seed: int = 0, chip_seed: int = 0
) -> Linearity:
    """INL, DNL and ENOB of a design's ADCs.

    Args:
        hardware: the design.
        converters: number of converters, from as many tiles as have them; of a "ramp" one a tile.
        seed: seed of the noise of the sine's conversions.
        chip_seed: seed of the chip whose converters they are.

    Raises:
        SpecError: the design has no ADC, or one of more than 16 bits, or there are too many.

    >>> adc_linearity(Hardware(adc=Converter(bits=8)), converters=1).enob.round(2)
    array([8.01])
    """
    adc = _checked(hardware.adc, "ADC", converters)
    chip = Chip.sample(hardware, chip_seed)
    places = _places(adc, hardware, converters)
    transfer = _transfer(adc, chip, places)
    edges = _edges(transfer, adc.kind in ("pipeline", "cyclic"))
    inl, dnl = _straight(edges.T)
    top, full = float(adc.top), 1.0
    noise = float(np.hypot(adc.noise, sampling_noise(hardware)) * top)
    z = np.concatenate(
        [
            normals(chip, AFFINE, tile, (hardware.cells[1], 2))[columns // adc.shared]
            for tile, columns in places
        ]
    )
    return Linearity(
        "ADC", adc.kind, adc.bits, inl, dnl, _enob(transfer, len(inl), noise, seed), noise,
        adc.offset * full * top * z[:, 0], adc.gain_error * z[:, 1],
    )  # fmt: skip


@one_blas_thread()
def dac_linearity(hardware: Hardware, converters: int = CONVERTERS, seed: int = 0) -> Linearity:
    """INL and DNL of a design's DACs, by level from zero to full scale.

    Args:
        hardware: the design.
        converters: number of drivers of the first tile; a "string" is the same at all.
        seed: seed of the chip.

    Raises:
        SpecError: the design has no DAC, or one of more than 16 bits, or there are too many.
    """
    dac = _checked(hardware.dac, "DAC", converters)
    chip = Chip.sample(hardware, seed)
    lines = np.arange(min(converters, hardware.cells[0]))
    plain = dac if dac.kind != "ideal" else dac.model_copy(update={"kind": "string"})
    error = errors_of(plain, chip, 0, lines)
    inl: Floats = error * (error.shape[1] - 1)
    none = np.zeros(0)
    return Linearity("DAC", dac.kind, dac.bits, inl, np.diff(inl, axis=1), none, 0.0, none, none)


def _checked(converter: Converter | None, what: str, converters: int) -> Converter:
    if converter is None:
        raise SpecError(f"the design must have {what}s to tell of, a [{what.lower()}] section")
    if converter.bits > MOST_BITS:
        raise SpecError(
            f"{what.lower()}.bits must be at most {MOST_BITS} for its curve, not {converter.bits}"
        )
    one_integer(converters, "converters", 1, _CODES >> converter.bits)
    return converter


def _places(
    adc: Converter, hardware: Hardware, converters: int
) -> list[tuple[int, np.ndarray[Any, np.dtype[np.int64]]]]:
    """Tiles, and a column of each converter."""
    each = 1 if adc.kind == "ramp" else -(-hardware.cells[1] // adc.shared)
    found, left, tile = [], converters, 0
    while left > 0:
        found.append((tile, adc.shared * np.arange(min(each, left), dtype=np.int64)))
        left -= each
        tile += 1
    return found


def _transfer(
    adc: Converter, chip: Chip, places: list[tuple[int, np.ndarray[Any, np.dtype[np.int64]]]]
) -> Transfer:
    if adc.kind != "ideal":
        return transfer_of(adc, chip, places)
    count = sum(len(columns) for _, columns in places)
    steps: Floats = np.arange(2 * adc.top, dtype=np.float64) - (adc.top - 0.5)
    return Transfer("flash", float(adc.top), steps[None], np.zeros(count, np.int64))


def _edges(transfer: Transfer, falls: bool) -> Floats:
    """(T, K) thresholds."""
    top, count = int(transfer.top), len(transfer.which)
    codes = np.arange(-top + 1, top + 1, dtype=np.float64)[:, None]
    if falls:
        signal = (np.arange(2 * (top + 2) * _PER_LEVEL) + 0.5) / _PER_LEVEL - (top + 2)
        found = np.empty((2 * top, count))
        seen = transfer.codes(np.repeat(signal[:, None], count, axis=1))
        for k in range(count):
            lengths = np.bincount((seen[:, k] + top).astype(np.int64), minlength=2 * top + 1)
            found[:, k] = lengths.cumsum()[:-1] / _PER_LEVEL - (top + 2)
        return found
    low, high = (np.full((2 * top, count), sign * 2.0 * (top + 2)) for sign in (-1, 1))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = transfer.codes(middle) >= codes
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return high


def _straight(edges: Floats) -> tuple[Floats, Floats]:
    """INL (K, T) and DNL (K, T - 1) of thresholds (K, T)."""
    count = edges.shape[1]
    step = (edges[:, -1:] - edges[:, :1]) / max(count - 1, 1)
    step = np.where(step > 0, step, 1.0)
    inl: Floats = (edges - edges[:, :1]) / step - np.arange(count)
    return inl, np.diff(edges, axis=1) / step - 1.0


def _enob(transfer: Transfer, count: int, noise: float, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * (_CYCLES * np.arange(_SINE) / _SINE)[:, None] + rng.uniform(0, 6, count)
    signal = transfer.top * np.sin(angle) + noise * rng.standard_normal((_SINE, count))
    codes = transfer.codes(signal)
    rest = np.empty(count)
    for k in range(count):
        waves = np.stack([np.sin(angle[:, k]), np.cos(angle[:, k]), np.ones(_SINE)], axis=1)
        fit = np.linalg.lstsq(waves, codes[:, k], rcond=None)[0]
        rest[k] = np.sqrt(((codes[:, k] - waves @ fit) ** 2).mean())
    bits: Floats = np.log2((2 * transfer.top + 1) / (np.sqrt(12) * rest))
    return bits
