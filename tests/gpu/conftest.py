"""The card of this machine; without one these tests are skipped, or fail with XBAR_REQUIRE_GPU."""

from __future__ import annotations

import os

import pytest

from xbar.device import Card
from xbar.device.choice import first_card


@pytest.fixture(scope="session")
def card() -> Card:
    found, why = first_card()
    if found is None and os.environ.get("XBAR_REQUIRE_GPU"):
        pytest.fail(why)
    if found is None:
        pytest.skip(f"no card: {why}")
    return found
