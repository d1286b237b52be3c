"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def ngspice() -> str:
    """The path of ngspice; without it the test is skipped, or fails if it is required."""
    path = shutil.which("ngspice")
    if path is None:
        reason = "ngspice is not on PATH: sudo apt-get install ngspice"
        if os.environ.get("XBAR_REQUIRE_NGSPICE"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
