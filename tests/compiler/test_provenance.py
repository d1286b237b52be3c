"""Weight to device and back: the same place, whatever moved the weights."""

import numpy as np
import pytest

import xbar
from xbar.compiler.provenance import Device
from xbar.errors import SpecError

RNG = np.random.default_rng(4)
WEIGHTS = {
    "conv": RNG.standard_normal((3, 4, 5)) * (RNG.random((3, 4, 5)) < 0.4),
    "fc": RNG.standard_normal((10, 14)) * (RNG.random((10, 14)) < 0.3),
}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=5), tile=xbar.Tile(word_lines=8, bit_lines=10, drive="right")
)


@pytest.mark.parametrize("pack", ["none", "apart", "beside", "any"])
@pytest.mark.parametrize("mapping", ["pair", "reference"])
@pytest.mark.parametrize("compact", [True, False])
def test_every_weight_is_found_on_its_cells_and_every_cell_in_its_weight(pack, mapping, compact):
    options = xbar.Options(pack=pack, mapping=mapping, compact=compact)
    program = xbar.compile(WEIGHTS, HARDWARE, seed=1, options=options)
    realised = program.matrices()
    seen = set()
    for layer, matrices in program.weights.items():
        whole = realised[layer].reshape(matrices.shape)
        for group, output, row in np.ndindex(matrices.shape):
            devices = program.devices_of(layer, output, row, group)
            if not devices:
                assert compact
                assert matrices[group, output, row] == whole[group, output, row] == 0
                continue
            difference = 0.0
            for one in devices:
                tile = program.tiles[one.tile]
                place = tile.source_of(one.word_line, one.bit_line)
                if mapping == "pair" or one.sign > 0:
                    assert place == (layer, group, output, row, one.sign)
                else:
                    assert place[2:] == (-1, place[3], -1)
                difference += one.sign * tile.conductance[one.word_line, one.bit_line]
                seen.add((one.tile, one.word_line, one.bit_line))
            ((_, _, part),) = [
                found
                for found in program.blocks_of(layer)
                if found[0] is tile
                and found[2].block.group == group
                and row in found[2].block.inputs
                and output in found[2].block.outputs
            ]
            scale = part.scale[part.block.outputs == output][0]
            np.testing.assert_allclose(difference / scale, whole[group, output, row], atol=1e-12)
    busy = {
        (tile.index, w, b)
        for tile in program.tiles
        for w, b in np.ndindex(8, 10)
        if tile.source_of(w, b) is not None
    }
    assert busy == seen


def test_a_pair_is_its_plus_cell_then_its_minus_cell():
    program = xbar.compile({"fc": [[1.0, 2.0]]}, HARDWARE, seed=0)
    assert program.devices_of("fc", 0, 1) == [Device(0, 7, 8, 1), Device(0, 7, 9, -1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", 0, 0), "layer must be one of conv, fc, not 'x'"),
        (("fc", 10, 0), "fc: output must be from 0 to 9, not 10"),
        (("fc", 0, -1), "fc: input must be from 0 to 13, not -1"),
        (("conv", 0, 0, 3), "conv: group must be from 0 to 2, not 3"),
    ],
)
def test_a_weight_that_does_not_exist_is_refused(arguments, message):
    program = xbar.compile(WEIGHTS, HARDWARE, seed=1)
    with pytest.raises(SpecError, match=message):
        program.devices_of(*arguments)
