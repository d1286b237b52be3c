"""The external simulators by name. A new one takes one module and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import one_of
from xbar.circuit.engines import ngspice, pyspice
from xbar.circuit.netlist import Netlist


@dataclass(frozen=True)
class Engine:
    """An external simulator.

    Attributes:
        name: name of the engine.
        dialect: dialect of its netlists.
        run: function from a netlist to the bit-line currents (B,) in amperes.
    """

    name: str
    dialect: str
    run: Callable[[Netlist], NDArray[np.float64]]


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("ngspice", "ngspice", ngspice.run),
        Engine("pyspice", "ngspice", pyspice.run),
    )
}


def get_engine(name: str) -> Engine:
    """The engine with a given name.

    Raises:
        SpecError: the name is unknown.
    """
    return ENGINES[one_of(name, "engine", sorted(ENGINES))]
