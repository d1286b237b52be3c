"""The names of the read-outs, and what a design must say for each."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from xbar.errors import SpecError
from xbar.hardware.spec import Hardware

Physics: TypeAlias = Literal["ideal", "nodal", "nonlinear"]
"""How currents are found: "ideal" wires, the "nodal" solution, or "nonlinear" cells."""


def check_readout(hardware: Hardware, readout: str) -> None:
    """Only read-outs that exist, and that the design says enough for.

    Raises:
        SpecError: it is another word, or the design has no law of its cells.
    """
    _check_name(readout)
    if readout == "nonlinear" and hardware.bank.nonlinearity is None:
        raise SpecError(
            "readout 'nonlinear' needs effect 'nonlinearity', the cells' law: set "
            "bank.nonlinearity with sinh or odd; "
            "'nodal' is exact for cells that obey Ohm's law"
        )


def check_matrix_readout(readout: str) -> None:
    """Only read-outs by which a layer is one matrix.

    Raises:
        SpecError: it is another word, or "nonlinear".
    """
    _check_name(readout)
    if readout == "nonlinear":
        raise SpecError(
            "readout must be 'ideal' or 'nodal' for matrices, not 'nonlinear': currents that are "
            "not in proportion to voltages have no matrix; run the program on inputs instead"
        )


def _check_name(readout: str) -> None:
    if readout not in get_args(Physics):
        raise SpecError(f"readout must be 'ideal', 'nodal' or 'nonlinear', not {readout!r}")
