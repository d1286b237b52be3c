"""Measured conductances, read from .npz, .npy or a table of text, and validated.

Shapes: T tiles, W word lines, B bit lines, K resistors per cell. Units: siemens.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats, check_finite, check_shape, real
from xbar.errors import FileError, SpecError, warn
from xbar.files import read_file
from xbar.hardware.bank import Bank
from xbar.hardware.behind_wires import Array, Closed, check_closed, largest_change, without_wires
from xbar.hardware.measured_columns import INDICES, Unit
from xbar.hardware.measured_table import Table, read_table
from xbar.hardware.spec import Hardware
from xbar.npz import array_format, npz_shapes, read_npy, read_npz
from xbar.tables import Outline, count
from xbar.textfiles import decode
from xbar.units import format_quantity

_NOISE = 0.01
"""A negative conductance of up to this fraction of the median is taken for noise around zero."""
_FAR = 5
"""A median that is so many times the nominal conductance, or under it, is remarked on."""
_WILD = 1e4
"""A conductance over nominal that is so many times the median one is remarked on."""
_UNITS = ("S", "mS", "uS", "nS", "pS", "ohm", "kohm", "Mohm", "Gohm")


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(Outline):
    """Measurement of a chip.

    Attributes:
        on: (T, W, B, K) siemens switched in; 0 for a resistor that was not measured or is dead.
        off: (T, W, B, K) siemens switched out.
        stuck: (T, W, B, K), -1 where a resistor never switches in, +1 where never out, else 0.
        notes: what was assumed when it was read, one sentence each.
        c2: (T, W, B, K) 1/V, the bend of each closed branch, which tells its switch from its
            resistor: (I(v) + I(-v)) / (I(v) - I(-v)) / v; NaN where not measured; None for none.
    """

    on: Floats
    off: Floats
    stuck: NDArray[np.int8]
    notes: tuple[str, ...] = ()
    c2: Floats | None = None


def read_measurement(
    path: Path, hardware: Hardware, unit: str | None = None, behind_wires: Closed | None = None
) -> Measurement:
    """Read the measurement in a file, for the tiles of a design.

    A resistor whose conductance is missing or NaN is dead: 0 S and stuck open. Slightly negative
    conductances are noise around zero, and become 0. ``notes`` counts both. If ``off`` was not
    measured it is ``on / bank.on_off_ratio``. A median that is far from the nominal conductance,
    and resistors that conduct more switched out than in, give a warning.

    Args:
        path: an .npz archive with ``on``, ``off``, ``stuck`` and ``c2``, an .npy file of ``on``, or
            a table of text, see ``xbar.hardware.measured_table``.
        hardware: design.
        unit: unit of numbers that have none, such as "uS" or "kohm"; None for siemens.
        behind_wires: see ``Chip.from_measurement``.

    Raises:
        FileError: the file can't be read.
        SpecError: a value is not a conductance, or a shape is not (T, W, B, K).
    """
    where, bank = f"{path}: ", hardware.bank
    shape = (*hardware.cells, bank.resistors)
    if behind_wires is not None:
        check_closed(behind_wires, "behind_wires")
    stated = None if unit is None else Unit.read(unit, "unit")
    try:
        found = _read(path, shape, stated)
    except (UnicodeDecodeError, csv.Error) as error:
        kind = path.suffix.lower() or "text"
        raise FileError(f"{path}: is not a readable {kind} file ({error})") from error
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error
    notes = list(found.notes)
    arrays = _without_gaps(found.arrays, where, notes)
    measured = replace(
        check_measurement(arrays, shape, bank.on_off_ratios, where), notes=tuple(notes)
    )
    _remark_on_units(measured, bank, where)
    _remark_on_wild_values(measured, bank, where)
    _remark_on_switches(measured, where)
    if behind_wires is None:
        return measured
    return _alone(measured, hardware, behind_wires, where, has_off="off" in arrays)


def _alone(
    measured: Measurement, hardware: Hardware, closed: Closed, where: str, *, has_off: bool
) -> Measurement:
    """The measurement with its wires taken out, and a note of it.

    Args:
        measured: conductances behind wires.
        hardware: design, with the wires of the measurement.
        closed: what was closed at a time.
        where: location in messages.
        has_off: whether ``off`` was measured.
    """
    if Array.of(hardware).ideal:
        note = "the design has ideal wires, so none were taken out of the measurement"
        return replace(measured, notes=(*measured.notes, note))
    on, off = np.empty_like(measured.on), np.empty_like(measured.off)
    for tile in range(len(on)):
        open_ = measured.off[tile] if has_off else None
        given = measured.on[tile], open_, measured.stuck[tile]
        try:
            on[tile], off[tile] = without_wires(*given, hardware, closed)
        except SpecError as error:
            raise SpecError(f"{where}tile {tile}: {error}") from None
    change = 100 * largest_change(measured.on, on)
    note = (
        f"wires taken out, one {closed} closed at a time: at most {change:.3g} % of a conductance"
    )
    c2 = measured.c2
    if (
        c2 is not None
    ):  # a branch has the less of the driver's voltage the less it seemed to conduct
        part = np.divide(measured.on, on, out=np.ones_like(on), where=on > 0)
        c2 = c2 / np.where(part > 0, part, 1.0)
    return replace(measured, on=on, off=off, c2=c2, notes=(*measured.notes, note))


def _read(path: Path, shape: tuple[int, int, int], unit: Unit | None) -> Table:
    form = array_format(path)
    if form == "npz":
        if path.suffix.lower() in (".xlsx", ".xlsm", ".ods", ".numbers"):
            raise SpecError("is a spreadsheet program's own file; save the sheet as .csv")
        names = npz_shapes(path)
        arrays = read_npz(path, ("on", "off", "stuck", "c2"))
        if "on" not in arrays:
            raise SpecError(f"a measurement must have an array 'on', not only {sorted(names)}")
    elif form == "npy":
        arrays = {"on": read_npy(path)}
    else:
        return read_table(decode(read_file(path), "cp1252"), shape, unit)
    if unit is not None:
        for name in {"on", "off"} & set(arrays):
            values = np.asarray(real(arrays[name], name), dtype=np.float64)
            arrays[name] = unit.siemens(values)
    return Table(arrays)


def _without_gaps(
    arrays: Mapping[str, NDArray[np.generic]], where: str, notes: list[str]
) -> dict[str, NDArray[np.generic]]:
    """The arrays with dead resistors as 0 S, stuck open, and noise around zero as 0."""
    result = dict(arrays)
    on = real(arrays["on"], f"{where}on")
    if on.dtype.kind != "f" or on.size == 0:
        return result
    dead = np.isnan(on)
    if dead.all():
        raise SpecError(f"{where}on holds no conductance: every value is missing")
    typical = float(np.median(np.abs(on[~dead])))
    result["on"] = _without_noise("on", np.where(dead, 0.0, on), typical, where, notes)
    if "off" in arrays:
        off = real(arrays["off"], f"{where}off")
        if off.shape != on.shape or off.dtype.kind != "f":
            return result
        gaps = np.isnan(off)
        if (lost := int((gaps & ~dead).sum())) > 0:
            notes.append(f"{count(lost, 'conductance')} off not measured, so taken as 0")
        result["off"] = _without_noise("off", np.where(gaps, 0.0, off), typical, where, notes)
    if dead.any():
        notes.append(f"{count(int(dead.sum()), 'resistor')} not measured, so taken as open")
        stuck = np.asarray(arrays.get("stuck", np.zeros(on.shape, dtype=np.int8)))
        if stuck.shape == on.shape:
            result["stuck"] = np.where(dead, -1, stuck)
    return result


def _without_noise(
    name: str, values: Floats, typical: float, where: str, notes: list[str]
) -> Floats:
    noise = (values < 0) & (values >= -_NOISE * typical)
    if noise.any():
        lowest = format_quantity(float(values[noise].min()), "S")
        notes.append(
            f"{count(int(noise.sum()), 'negative conductance')} {name}, down to {lowest}, "
            "taken for noise around 0"
        )
    return np.where(noise, 0.0, values)


def _remark_on_units(measured: Measurement, bank: Bank, where: str) -> None:
    """Warn if the conductances are far from the nominal ones: they may be in another unit."""
    nominal = bank.nominal_conductance
    live = measured.on > 0
    if not live.any():
        return
    ratios = (measured.on / nominal)[live]
    ratio = float(np.median(ratios))
    if 1 / _FAR <= ratio <= _FAR:
        return
    middle = float(np.median(measured.on[live]))
    likely = _likely_unit(measured.on[live] / ratios, measured.on[live])
    hint = (
        f" They may be in {likely}: give unit={likely!r} (--measured-unit), or write it in the head"
    )
    warn(
        f"{where}the median conductance on, {format_quantity(middle, 'S')}, is {ratio:.3g} times "
        f"the design's nominal one: siemens?{hint if likely else ''}"
    )


def _likely_unit(nominal: Floats, numbers: Floats) -> str:
    """The unit in which numbers would be near their nominal conductances; "" if there is none."""
    if 1 / _FAR**2 <= float(np.median(numbers / nominal)) <= _FAR**2:
        return ""
    for name in _UNITS:
        values = Unit.read(name, "unit").siemens(numbers)
        if 1 / _FAR <= float(np.median(values / nominal)) <= _FAR:
            return name
    return ""


def _remark_on_wild_values(measured: Measurement, bank: Bank, where: str) -> None:
    """Warn about single conductances far above all others: a slip of the unit, or a short."""
    ratios = measured.on / bank.nominal_conductance
    if not (ratios > 0).any():
        return
    wild = ratios > _WILD * np.median(ratios[ratios > 0])
    if wild.any():
        place = tuple(np.argwhere(wild)[0])
        spelt = ", ".join(f"{name} {i}" for name, i in zip(INDICES, place, strict=True))
        warn(
            f"{where}{count(int(wild.sum()), 'resistor')} of {wild.size:,} conduct more than "
            f"{_WILD:,.0f} times what is usual here, the first at {spelt}, "
            f"{format_quantity(float(measured.on[place]), 'S')}: a short, or in another unit?"
        )


def _remark_on_switches(measured: Measurement, where: str) -> None:
    """Warn about resistors that conduct more switched out than in."""
    on, off = measured.on, measured.off
    wrong = (measured.stuck == 0) & (off > 1.5 * on) & (off > _NOISE * np.median(on))
    if wrong.any():
        place = np.argwhere(wrong)[0]
        spelt = ", ".join(f"{name} {i}" for name, i in zip(INDICES, place, strict=True))
        warn(
            f"{where}{count(int(wrong.sum()), 'resistor')} of {wrong.size:,} conduct more off "
            f"than on, the first at {spelt}: are the two columns swapped?"
        )


def check_measurement(
    arrays: Mapping[str, NDArray[np.generic]],
    shape: tuple[int, int, int],
    on_off_ratio: float | Floats,
    where: str = "",
) -> Measurement:
    """Validate arrays ``on`` and, if measured, ``off``, ``stuck`` and ``c2``.

    Without ``off`` it is ``on / on_off_ratio``, a number or (K,).
    """
    if "on" not in arrays:
        raise SpecError(f"{where}a measurement must have an array 'on', not only {sorted(arrays)}")
    on = _conductance("on", arrays["on"], shape, where)
    off = on / on_off_ratio
    if "off" in arrays:
        off = _conductance("off", arrays["off"], shape, where)
    stuck = np.asarray(arrays.get("stuck", np.zeros(on.shape, dtype=np.int8)))
    if on.shape != off.shape or on.shape != stuck.shape:
        raise SpecError(
            f"{where}on, off and stuck must have one shape, not {on.shape}, {off.shape} and "
            f"{stuck.shape}"
        )
    if not np.isin(stuck, (-1, 0, 1)).all():
        raise SpecError(f"{where}stuck must be -1 (open), 0 or +1 (closed) everywhere")
    return Measurement(on, off, stuck.astype(np.int8), c2=_bend(arrays, on.shape, where))


def _bend(
    arrays: Mapping[str, NDArray[np.generic]], shape: tuple[int, ...], where: str
) -> Floats | None:
    if "c2" not in arrays:
        return None
    c2 = np.asarray(real(arrays["c2"], f"{where}c2"), dtype=np.float64)
    if c2.shape != shape:
        raise SpecError(f"{where}c2 must have the shape of on, {shape}, not {c2.shape}")
    if np.isinf(c2).any():
        raise SpecError(f"{where}c2 must be finite, or NaN where it was not measured")
    return c2


def _conductance(
    name: str, array: NDArray[np.generic], shape: tuple[int, int, int], where: str
) -> Floats:
    name = f"{where}{name}"
    if array.dtype.kind == "b":
        raise SpecError(f"{name} must be numbers in siemens, not {array.dtype}")
    check_shape(real(array, name), name, ("tiles", *shape), "as the design's tile and bank say")
    values = np.ascontiguousarray(array, dtype=np.float64)
    check_finite(values, name, "S", ("tile", "word line", "bit line", "resistor"), negative=False)
    return values
