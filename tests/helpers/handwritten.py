"""scikit-learn's handwritten digits, 8 x 8 pixels, for tests of training."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits


def digits():
    """scikit-learn's digits: training inputs and labels, held-out inputs and labels."""
    inputs, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(inputs))
    x, y = (inputs[order] / 16.0).astype(np.float32), labels[order]
    return x[:1300], y[:1300], x[1300:], y[1300:]
