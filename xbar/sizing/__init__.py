"""Sizing of banks for a precision: resistor distributions, Monte Carlo, theory, bank design.

The names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.sizing import bankdesign as bankdesign
    from xbar.sizing import density as density
    from xbar.sizing import lattice as lattice
    from xbar.sizing import laws as laws
    from xbar.sizing import precision as precision
    from xbar.sizing import rivals as rivals
    from xbar.sizing import theory as theory
    from xbar.sizing.bankdesign import BankDesign as BankDesign
    from xbar.sizing.bankdesign import design_bank as design_bank
    from xbar.sizing.precision import Precision as Precision
    from xbar.sizing.precision import Sizing as Sizing
    from xbar.sizing.precision import resistors_for_bits as resistors_for_bits
    from xbar.sizing.rivals import Rival as Rival

_HOME = {
    "BankDesign": "xbar.sizing.bankdesign",
    "Precision": "xbar.sizing.precision",
    "Rival": "xbar.sizing.rivals",
    "Sizing": "xbar.sizing.precision",
    "design_bank": "xbar.sizing.bankdesign",
    "resistors_for_bits": "xbar.sizing.precision",
}
_MODULES = ("bankdesign", "density", "lattice", "laws", "precision", "rivals", "theory")

__all__ = sorted([*_HOME, *_MODULES])

__getattr__, __dir__ = public_names("xbar.sizing", _HOME, _MODULES)
