"""The SPICE dialects by name. A new dialect is one file and one line here."""

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
    """The dialect of that name.

    Raises:
        SpecError: there is no such dialect.
    """
    if name not in DIALECTS:
        raise SpecError(f"dialect must be one of {', '.join(sorted(DIALECTS))}, not {name!r}")
    return DIALECTS[name]
