"""What the report counts is what the program holds."""

import numpy as np
import pytest

import xbar
from xbar.report import survey as module
from xbar.report.survey import BINS, survey

WEIGHTS = {
    "a": np.random.default_rng(0).standard_normal((12, 30)),
    "b": np.random.default_rng(1).standard_normal((2, 3, 4)),
}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=6, nominal=5e3, on_off_ratio=1e3),
    tile=xbar.Tile(word_lines=8, bit_lines=10, word_wire=3.0, bit_wire=2.0),
)


def test_every_weight_is_counted_once_where_its_residual_lies():
    program = xbar.compile(WEIGHTS, HARDWARE, seed=2)
    matrices = program.matrices()
    for layer in survey(program).layers:
        name = layer.metrics.name
        assert layer.looked_at == layer.metrics.tiles
        assert layer.counts.sum() == WEIGHTS[name].size
        assert layer.resistors == WEIGHTS[name].size * 12
        assert layer.edges[-1] == layer.metrics.worst_residual
        scale = np.zeros(WEIGHTS[name].shape)
        for tile in program.tiles_of(name):
            for part in tile.blocks:
                if part.block.layer == name:
                    whole = scale.reshape(-1, *scale.shape[-2:])
                    part.block.put(whole, np.broadcast_to(part.scale, part.block.shape))
        error = ((matrices[name] - WEIGHTS[name]) * scale).ravel()
        expected = np.bincount(np.digitize(error, layer.edges[1:-1]), minlength=BINS)
        np.testing.assert_array_equal(layer.counts, expected)


def test_all_switches_are_counted():
    program = xbar.compile(WEIGHTS, HARDWARE, seed=2)
    counted = sum(layer.switched_in for layer in survey(program).layers)
    assert counted == sum(int(tile.mask.sum()) for tile in program.tiles)


def test_the_shown_tile_loses_most_and_by_what_two_exact_reads_differ():
    program = xbar.compile(WEIGHTS, HARDWARE, seed=2)
    found = survey(program).wires
    assert found is not None
    lost = []
    for tile in program.tiles:
        without = tile.conductance.sum()
        lost.append(1 - tile.crossbar().read(np.ones((1, 8))).sum() / without)
    assert len(program.tiles) > found.solved
    assert found.tile == int(np.argmax(lost))
    assert found.lost == pytest.approx(max(lost), rel=1e-9)
    assert 0.01 < found.lost < 1
    np.testing.assert_array_equal(found.gain, program.tiles[found.tile].gain())


def test_ideal_wires_lose_nothing_that_could_be_shown():
    hardware = xbar.Hardware(bank=HARDWARE.bank, tile=xbar.Tile(word_lines=8, bit_lines=10))
    assert survey(xbar.compile(WEIGHTS, hardware, seed=2)).wires is None


def test_of_many_tiles_some_are_looked_at_and_the_first_and_last_among_them(monkeypatch):
    monkeypatch.setattr(module, "TILES_PER_LAYER", 3)
    program = xbar.compile({"a": WEIGHTS["a"]}, HARDWARE, seed=2)
    assert len(program.tiles) > 3
    steps = []
    (layer,) = survey(program, lambda done, total: steps.append((done, total))).layers
    assert layer.looked_at == 3
    assert steps == [(1, 3), (2, 3), (3, 3)]
    ends = (0, len(program.tiles) - 1)
    assert layer.counts.sum() > sum(program.tiles[i].blocks[0].weight.size for i in ends)
    assert layer.counts.sum() < WEIGHTS["a"].size


def test_wire_aware_residuals_are_those_of_the_effective_weights():
    program = xbar.compile({"b": WEIGHTS["b"]}, HARDWARE, seed=2, wire_aware=True)
    (layer,) = survey(program).layers
    worst = max(np.abs(residual).max() for tile in program.tiles for residual in tile.residual())
    assert layer.metrics.worst_residual == pytest.approx(worst, rel=1e-6)
    assert layer.counts.sum() == WEIGHTS["b"].size
    assert layer.counts[0] + layer.counts[-1] >= 1
