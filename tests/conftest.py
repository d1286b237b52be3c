"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
import shutil

import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines import pyspice as engine
from xbar.circuit.netlist import crossbar_netlist
from xbar.errors import ToolError


def missing(reason: str, requirement: str) -> None:
    """Skip the test, or fail it if the environment requires what is missing."""
    if os.environ.get(requirement):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def ngspice() -> str:
    """The path of ngspice; without it the test is skipped, or fails if it is required."""
    path = shutil.which("ngspice")
    if path is None:
        missing("ngspice is not on PATH: sudo apt-get install ngspice", "XBAR_REQUIRE_NGSPICE")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def pyspice() -> None:
    """PySpice and its library; without them the test is skipped, or fails if they are required."""
    try:
        engine.run(crossbar_netlist(Crossbar([[1.0]])))
    except ToolError as error:
        missing(str(error), "XBAR_REQUIRE_PYSPICE")
