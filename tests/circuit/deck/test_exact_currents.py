"""Currents of a circuit over many decades of resistance, against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from xbar.circuit.deck.circuit import Circuit
from xbar.circuit.deck.flat import FlatElement


def exact_voltages(edges, nodes, known):
    """Voltages in rational numbers: Gaussian elimination of Kirchhoff's law, nothing rounded."""
    size = nodes - len(known)
    rows = [[Fraction(0)] * (size + 1) for _ in range(size)]
    for a, b, ohms in edges:
        g = 1 / Fraction(ohms)
        for here, there in ((a, b), (b, a)):
            if here >= len(known):
                rows[here - len(known)][here - len(known)] += g
                if there >= len(known):
                    rows[here - len(known)][there - len(known)] -= g
                else:
                    rows[here - len(known)][size] += g * known[there]
    for k in range(size):
        pivot = rows[k][k]
        rows[k] = [x / pivot for x in rows[k]]
        for j in range(size):
            if j != k:
                rows[j] = [x - rows[j][k] * y for x, y in zip(rows[j], rows[k], strict=True)]
    return [*known, *(row[size] for row in rows)]


@pytest.mark.parametrize("seed", range(60))
def test_currents_are_exact_to_1e_9_even_where_resistances_span_twelve_decades(seed):
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(3, 9))
    edges = [(k, int(rng.integers(0, k))) for k in range(1, nodes)]
    edges += [tuple(rng.choice(nodes, 2, replace=False).tolist()) for _ in range(nodes)]
    edges = [(a, b, float(10 ** rng.uniform(-4, 8))) for a, b in edges]
    elements = [FlatElement(f"r{k}", str(a), str(b), r) for k, (a, b, r) in enumerate(edges)]
    op = Circuit([*elements, FlatElement("v1", "1", "0", 1.0)]).solve()
    volts = exact_voltages(edges, nodes, [Fraction(0), Fraction(1)])
    largest = max(abs(float((volts[a] - volts[b]) / Fraction(r))) for a, b, r in edges)
    for k, (a, b, r) in enumerate(edges):
        current = float((volts[a] - volts[b]) / Fraction(r))
        assert op.current[f"r{k}"] == pytest.approx(current, rel=1e-9, abs=1e-18 * largest)


@pytest.mark.parametrize("seed", range(20))
def test_currents_are_exact_to_1e_9_of_those_beside_them_over_sixty_decades(seed):
    """Or to 1e-80 of the largest: what is left of a cancellation over 60 decades."""
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(3, 9))
    edges = [(k, int(rng.integers(0, k))) for k in range(1, nodes)]
    edges += [tuple(rng.choice(nodes, 2, replace=False).tolist()) for _ in range(nodes)]
    ohms = rng.integers(1, 16, len(edges)) * 2.0 ** rng.integers(-100, 100, len(edges))
    edges = [(a, b, float(r)) for (a, b), r in zip(edges, ohms, strict=True)]
    elements = [FlatElement(f"r{k}", str(a), str(b), r) for k, (a, b, r) in enumerate(edges)]
    op = Circuit([*elements, FlatElement("v1", "1", "0", 1.0)]).solve()
    volts = exact_voltages(edges, nodes, [Fraction(0), Fraction(1)])
    exact = [(volts[a] - volts[b]) / Fraction(r) for a, b, r in edges]
    through = [Fraction(0)] * nodes
    for (a, b, _), current in zip(edges, exact, strict=True):
        through[a] += abs(current)
        through[b] += abs(current)
    for k, (a, b, _) in enumerate(edges):
        beside = float(min(through[a], through[b]))
        least = 1e-12 * beside + 1e-80 * float(max(through))
        assert op.current[f"r{k}"] == pytest.approx(float(exact[k]), rel=1e-9, abs=least)
    for k in range(nodes):
        assert op.voltage[str(k)] == pytest.approx(float(volts[k]), rel=1e-12)
