"""Every registered circuit solver gives the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.solvers.registry import SOLVERS, get_solver
from xbar.errors import SpecError


def riccati(cells, word, bit):
    """Transfer matrix (B, W) of one wire resistance each, column by column, densely.

    The word lines' remainders to the right of a column are a conductance matrix S (W, W) seen
    from that column; sweeping it leftwards leaves one dense W x W problem per column.
    """
    lines, columns = cells.shape
    chain = 2 * np.eye(lines) - np.eye(lines, k=1) - np.eye(lines, k=-1)
    chain[0, 0] = 1
    seen, passed, collected = np.zeros((lines, lines)), [], []
    for j in reversed(range(columns)):
        g = np.diag(cells[:, j])
        to_bit = np.linalg.solve(chain / bit + g, g)  # bit-line voltages per word-line voltage
        here = seen + g - g @ to_bit
        step = np.linalg.solve(here + np.eye(lines) / word, np.eye(lines) / word)
        seen = here @ step
        passed.append(step)
        collected.append(to_bit[-1] / bit)
    rows, volts = [], np.eye(lines)
    for step, row in zip(reversed(passed), reversed(collected), strict=True):
        volts = step @ volts
        rows.append(row @ volts)
    return np.array(rows)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(
    ("shape", "low", "high", "word", "bit"),
    [
        ((1, 1), -5, -3, 1.0, 2.0),
        ((24, 24), -6, -4, 1.0, 1.0),
        ((31, 7), -6, -3, 20.0, 5.0),
        ((7, 31), -9, -3, 5.0, 20.0),
        ((64, 64), -9, -3, 20.0, 20.0),
        ((20, 20), -6, -4, 1e-3, 1e-3),
    ],
)
def test_transfer_agrees_with_the_column_recursion(name, shape, low, high, word, bit):
    cells = 10 ** np.random.default_rng(0).uniform(low, high, shape)
    crossbar = Crossbar(cells, word, bit)
    expected = riccati(cells, word, bit)
    prepared = get_solver(name)(crossbar)
    np.testing.assert_allclose(prepared.transfer(), expected, rtol=1e-9)
    voltage = np.random.default_rng(1).uniform(0, 1, (3, shape[0]))
    np.testing.assert_allclose(prepared.current(voltage), voltage @ expected.T, rtol=1e-9)
    node = prepared.node_voltage(voltage)
    assert node.shape == (3, prepared.assembly.nodes)
    assert np.all(prepared.residual(node) < 1e-9)


def test_a_solver_that_does_not_exist_is_refused():
    with pytest.raises(SpecError, match="circuit solver must be one of direct, not 'guess'"):
        get_solver("guess")
