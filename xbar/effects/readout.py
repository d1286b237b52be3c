"""The read-outs, and what each needs of a design."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from xbar.errors import SpecError, shown, warn
from xbar.hardware.spec import Hardware

Readout: TypeAlias = Literal["ideal", "nodal", "nonlinear"]
"""Model of an array: "ideal" wires, the "nodal" solution, or "nonlinear" cells."""

MatrixReadout: TypeAlias = Literal["ideal", "nodal"]
"""The linear read-outs, by which an array is a matrix."""


def check_readout(hardware: Hardware, readout: str) -> None:
    """Check that the read-out exists and that the design defines what it needs.

    Raises:
        SpecError: unknown read-out, or "nonlinear" without ``bank.nonlinearity`` and
            ``selector``.
    """
    _check_name(readout)
    bends = hardware.bank.nonlinearity is not None or hardware.selector is not None
    if readout == "nonlinear" and not bends:
        raise SpecError(
            "readout 'nonlinear' needs effect 'nonlinearity', the cells' law: set "
            "bank.nonlinearity with sinh or odd, or c2 and c3; or 'selector': set its I-V table; "
            "'nodal' is exact for cells that obey Ohm's law"
        )


def tell_selectors(hardware: Hardware, readout: str) -> None:
    """Warn where a design has selectors and a read-out of its networks is without them."""
    if hardware.selector is not None and readout != "nonlinear":
        warn(
            f"readout '{readout}' is without the design's selectors, which take most of each "
            "cell's voltage; use readout 'nonlinear'"
        )


def check_matrix_readout(readout: str) -> None:
    """Check that the read-out exists and is linear.

    Raises:
        SpecError: unknown read-out, or "nonlinear".
    """
    _check_name(readout)
    if readout == "nonlinear":
        raise SpecError(
            "readout must be 'ideal' or 'nodal' for matrices, not 'nonlinear': currents that are "
            "not in proportion to voltages have no matrix; run the program on inputs instead"
        )


def _check_name(readout: str) -> None:
    """Check the read-out's name."""
    if not isinstance(readout, str) or readout not in get_args(Readout):
        raise SpecError(f"readout must be 'ideal', 'nodal' or 'nonlinear', not {shown(readout)}")
