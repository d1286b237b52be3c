"""The SPICE dialects by name. A new one takes one module and one line here."""

from __future__ import annotations

from xbar.circuit.dialects.dialect import Dialect
from xbar.circuit.dialects.hspice import HSPICE
from xbar.circuit.dialects.ngspice import NGSPICE
from xbar.circuit.dialects.spectre import SPECTRE
from xbar.circuit.dialects.xyce import XYCE
from xbar.errors import SpecError

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (NGSPICE, XYCE, HSPICE, SPECTRE)
}


def get_dialect(name: str) -> Dialect:
    """The dialect with a given name.

    Raises:
        SpecError: the name is unknown.
    """
    if name not in DIALECTS:
        raise SpecError(f"dialect must be one of {', '.join(sorted(DIALECTS))}, not {name!r}")
    return DIALECTS[name]
