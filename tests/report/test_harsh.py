"""Where wires are too much for any choice of subsets, the report says so and how much comes out."""

import numpy as np
import pytest

import xbar
from xbar.report.harsh import harsh_layers
from xbar.report.metrics import layer_metrics

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((24, 48))}


def compiled(wire):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=4, nominal=2e3),
        tile=xbar.Tile(word_lines=48, bit_lines=48, word_wire=wire, bit_wire=wire),
    )
    return xbar.compile(WEIGHTS, hardware, seed=0, wire_aware=True)


def test_mild_wires_need_no_excuse():
    program = compiled(0.05)
    (layer,) = layer_metrics(program)
    assert layer.wires_after < 0.05
    assert harsh_layers(program, [layer]) == []


def test_harsh_wires_are_told_with_what_comes_out_of_the_array():
    program = compiled(30.0)
    (layer,) = layer_metrics(program)
    (found,) = harsh_layers(program, [layer])
    (tile,) = program.tiles
    busy = tile.conductance > 0
    effective = tile.crossbar().read(np.eye(48))[busy] / tile.conductance[busy]
    assert found.error == pytest.approx(layer.wires_after)
    assert found.median == pytest.approx(np.median(np.minimum(effective, 1.0)), rel=1e-6)
    assert found.least < found.median < 0.2
    assert f"{100 * found.error:.3g} %" in str(found)
    assert "smaller tiles" in str(found)
