"""Data and networks that tests of pruning share."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.cli.demo_networks import Split


@pytest.fixture(scope="session")
def digits() -> Split:
    """scikit-learn's digits, a quarter held out."""
    pytest.importorskip("sklearn")
    from xbar.cli.demo_networks import digits

    return digits()


@pytest.fixture(scope="session")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """300 points of 3 classes in 8 dimensions, apart enough to be told from each other."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    centres = rng.normal(size=(3, 8)) * 2
    return (centres[labels] + rng.normal(size=(300, 8))).astype(np.float32), labels
