"""Tables of a program verified against transistors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.errors import printable
from xbar.tables import count, table

if TYPE_CHECKING:
    from xbar.silicon.branch import Conditions
    from xbar.silicon.verification import Gain, Verification, VerificationSweep


_CALIBRATED: tuple[tuple[str, Gain], ...] = (
    ("as programmed", "none"),
    ("one gain", "chip"),
    ("by column", "columns"),
)


def condition_text(at: Conditions) -> str:
    """A condition in a few words: "tt, 27 C, 1.8 V"."""
    supply = "" if at.supply is None else f", {at.supply:g} V"
    mismatch = "" if at.seed is None else f", mismatch {at.seed}"
    return f"{at.corner or 'typical'}, {at.temperature:g} C{supply}{mismatch}"


def verification_text(found: Verification) -> str:
    """One verification: what xbar predicted, and what the weights hold."""
    rows = [
        _judged("weights, by small signals", found.weight_error, found.tolerance),
        _judged("currents, all inputs at once", *_currents(found)),
    ]
    w, b = found.cells
    title = (
        f"tile {found.tile} of {found.layer}: {w} x {b} cells as transistors of {found.process}, "
        f"{condition_text(found.conditions)}"
    )
    head = ["xbar against ngspice", "worst error", "allowed", ""]
    text = table(title, head, rows)
    held = [[name, *_held(found, of)] for name, of in _CALIBRATED]
    text += "\n" + table(
        f"{count(found.read.size, 'weight')} read back, against the network's",
        ["calibrated", "gain", "rms error", "bits"],
        held,
    )
    return text + "".join(f"{printable(note)}\n" for note in found.notes)


def _held(found: Verification, of: Gain) -> list[str]:
    gains = found.gain(of)
    low, high = f"{gains.min():.4f}", f"{gains.max():.4f}"
    shown = low if low == high else f"{low} to {high}"
    return [shown, f"{found.rms(of):.1e}" if found.judges(of) else "", bits_text(found, of)]


def bits_text(found: Verification, of: Gain = "none") -> str:
    """Bits of the weights read back; "-" where the calibrated gains alone make them right."""
    return f"{found.bits(of):.1f}" if found.judges(of) else "-"


def sweep_text(found: VerificationSweep) -> str:
    """The same cells under several conditions, one a line."""
    rows = [
        [
            condition_text(point.conditions),
            f"{point.weight_error:.1e}",
            f"{point.current_error:.1e}" if len(point.current) else "none compared",
            "pass" if point.passed else "FAIL",
            f"{point.gain()[0]:.4f}",
            *(bits_text(point, of) for _, of in _CALIBRATED),
        ]
        for point in found.points
    ]
    first = found.points[0]
    title = (
        f"tile {first.tile} of {first.layer}: {first.cells[0]} x {first.cells[1]} cells as "
        f"transistors of {first.process}, allowed {first.tolerance:g} and "
        f"{first.current_tolerance:g}"
    )
    head = ["condition", "weights off", "currents off", "", "gain"]
    return table(title, [*head, "bits", "one gain", "by column"], rows)


def _currents(found: Verification) -> tuple[float | None, float]:
    """Error of the currents, None where none were compared, and what is allowed."""
    return found.current_error if len(found.current) else None, found.current_tolerance


def _judged(name: str, error: float | None, allowed: float) -> list[str]:
    if error is None:
        return [name, "none compared", f"{allowed:g}", ""]
    return [name, f"{error:.1e}", f"{allowed:g}", "pass" if error <= allowed else "FAIL"]
