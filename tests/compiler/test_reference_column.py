"""One cell a weight and one reference bit line a tile: the same results for half the devices."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError

WEIGHTS = np.random.default_rng(0).standard_normal((11, 20))
REFERENCE = xbar.Options(mapping="reference")


def design(resistors=16, read_noise=0.0, **changes):
    tile = {"word_lines": 16, "bit_lines": 8, **changes}
    return xbar.Hardware(
        bank=xbar.Bank(resistors=resistors, on_off_ratio=1e3),
        tile=xbar.Tile(**tile),
        variation=xbar.Variation(read_noise=read_noise),
    )


def compiled(hardware, options=REFERENCE, seed=1, **choices):
    return xbar.compile({"fc": WEIGHTS}, hardware, seed=seed, options=options, **choices)


def test_as_many_resistors_in_one_cell_reach_what_a_pair_of_half_the_size_does():
    single = compiled(design(16))
    pair = compiled(design(8, bit_lines=14), xbar.Options())
    assert single.resistors_per_weight == pair.resistors_per_weight == 16
    errors = [np.sqrt(((p.matrices()["fc"] - WEIGHTS) ** 2).mean()) for p in (single, pair)]
    assert errors[0] < 2 * errors[1] < 1e-3
    assert {part.block.shape[1] for tile in single.tiles for part in tile.blocks} <= {5, 6}


def test_currents_are_taken_against_the_reference_bit_line():
    """By hand, with the array's own currents."""
    (tile, *_) = compiled(design(word_wire=1.0, bit_wire=1.0)).tiles
    (part,) = tile.blocks
    x = np.random.default_rng(1).random((3, len(part.block.inputs)))
    current = tile.crossbar().read(tile.voltage(x))
    expected = current[:, part.block.columns] - current[:, [7]]
    np.testing.assert_allclose(x @ tile.difference("nodal")[0], expected, rtol=1e-9, atol=1e-12)


def test_every_cell_tells_what_it_stands_for_and_references_belong_to_all_outputs():
    program = compiled(design())
    for tile in program.tiles:
        (part,) = tile.blocks
        found = {
            place: tile.source_of(*place)
            for place in np.ndindex(16, 8)
            if tile.source_of(*place) is not None
        }
        assert len(found) == part.block.shape[0] * (part.block.shape[1] + 1)
        scale = dict(zip(part.block.outputs.tolist(), part.scale, strict=True))
        for (line, bit), (layer, group, output, row, sign) in found.items():
            assert (layer, group) == ("fc", 0)
            assert (output == -1, sign) == ((True, -1) if bit == 7 else (False, 1))
            if output >= 0:
                value = (tile.conductance[line, bit] - tile.conductance[line, 7]) / scale[output]
                assert value == pytest.approx(program.matrices()["fc"][output, row], abs=1e-12)
            assert tile.mask[line, bit].any()


def test_only_the_cells_of_weights_and_references_are_switched():
    for tile in compiled(design()).tiles:
        busy = {place for place in np.ndindex(16, 8) if tile.source_of(*place) is not None}
        closed = {tuple(map(int, place)) for place in np.argwhere(tile.mask.any(axis=-1))}
        assert closed <= busy


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
def test_read_noise_has_the_power_of_cell_and_reference(readout):
    """Against currents whose resistors each are drawn anew."""
    hardware = design(6, read_noise=0.02, word_wire=5.0, bit_wire=5.0, bit_lines=4, word_lines=6)
    program = xbar.compile({"fc": WEIGHTS[:3, :6]}, hardware, seed=1, options=REFERENCE)
    (tile,) = program.tiles
    (part,) = tile.blocks
    rng = np.random.default_rng(0)
    x = rng.random(6)
    volts = tile.voltage(x[None])
    branch, currents = tile.branch, []
    for _ in range(3000):
        cell = (branch * (1 + 0.02 * rng.standard_normal(branch.shape))).sum(axis=-1)
        if readout == "ideal":
            line = volts @ cell
        else:
            line = xbar.Crossbar(cell, word_wire=5.0, bit_wire=5.0).read(volts)
        currents.append(tile.mapping.currents(line, part.block)[0])
    expected = 0.02 * np.sqrt((x**2) @ tile.noise_power(readout)[0])
    np.testing.assert_allclose(np.std(currents, axis=0), expected, rtol=0.06)


def test_all_columns_see_the_same_noise_of_their_reference():
    """Covariances of outputs, against the sum over resistors that each current has in common."""
    hardware = design(4, read_noise=0.05, bit_lines=4, word_lines=12)
    program = xbar.compile({"fc": WEIGHTS[:6, :12]}, hardware, seed=1, options=REFERENCE)
    x = np.random.default_rng(1).random(12)
    x /= x.max()
    outputs = program.run({"fc": np.repeat(x[None], 20000, axis=0)}, seed=3)["fc"]
    expected = np.zeros((6, 6))
    for tile in program.tiles:
        (part,) = tile.blocks
        power = 0.05**2 * (x**2)[:, None] * (tile.branch**2).sum(axis=-1)[part.block.word_lines]
        own, common = power[:, part.block.columns].sum(axis=0), power[:, -1].sum()
        place = np.ix_(part.block.outputs, part.block.outputs)
        expected[place] = (np.diag(own) + common) / np.outer(part.scale, part.scale)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(np.cov(outputs, rowvar=False) / size, expected / size, atol=0.05)
    assert 0.3 < (expected / size)[0, 1] < 0.7


def test_wire_aware_programming_works_against_a_reference_too():
    hardware = design(12, word_lines=32, bit_lines=16, word_wire=2.0, bit_wire=2.0)
    hardware = hardware.model_copy(
        update={"bank": hardware.bank.model_copy(update={"nominal": 20e3})}
    )
    ignoring, aware = (compiled(hardware, wire_aware=choice) for choice in (False, True))
    errors = [
        np.sqrt(((p.matrices("nodal")["fc"] - WEIGHTS) ** 2).mean()) for p in (ignoring, aware)
    ]
    assert errors[1] < errors[0] / 30


def test_a_program_with_references_is_saved_and_loaded(tmp_path):
    program = compiled(design())
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert loaded.options == REFERENCE
    np.testing.assert_array_equal(loaded.matrices()["fc"], program.matrices()["fc"])


def test_ngspice_confirms_a_tile_with_a_reference(ngspice):
    program = compiled(design(word_wire=1.0, bit_wire=1.0, source=5.0, load=5.0))
    assert xbar.verify(program, tiles=[0, 1], detail="bank").worst < 1e-9


def test_a_tile_of_one_bit_line_has_no_room_for_a_reference():
    with pytest.raises(SpecError, match=r"must be at least 2.*mapping 'reference', not 1"):
        compiled(design(bit_lines=1))
