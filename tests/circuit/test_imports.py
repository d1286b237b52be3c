"""Writing and reading netlists needs no heavy package until a circuit is solved."""

from __future__ import annotations

import subprocess
import sys

import pytest

MODULES = ["netlist", "cells", "switches", "seriesparallel", "deck.read", "engines.registry"]


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_circuit_module_loads_neither_scipy_nor_networkx_nor_pyspice(module):
    code = (
        f"import sys, xbar.circuit.{module}\n"
        "print([n for n in ('scipy', 'networkx', 'PySpice', 'numba', 'torch') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
