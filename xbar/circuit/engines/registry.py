"""The external simulators by name. A new engine is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xbar.circuit.engines import ngspice
from xbar.circuit.netlist import Netlist
from xbar.errors import SpecError

ENGINES: dict[str, Callable[[Netlist], NDArray[np.float64]]] = {
    "ngspice": ngspice.run,
}


def get_engine(name: str) -> Callable[[Netlist], NDArray[np.float64]]:
    """The engine of that name: called with a netlist, it gives the bit-line currents (B,).

    Raises:
        SpecError: there is no such engine.
    """
    if name not in ENGINES:
        raise SpecError(f"engine must be one of {', '.join(sorted(ENGINES))}, not {name!r}")
    return ENGINES[name]
