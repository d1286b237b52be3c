"""Levers against harsh wires are chosen by the error that programs then have."""

import itertools

import numpy as np
import pytest

import xbar
from xbar.compiler.compaction import parts
from xbar.compiler.levers.extents import least
from xbar.compiler.levers.sample import cropped
from xbar.compiler.mapping import get_mapping
from xbar.compiler.placement import place
from xbar.errors import SpecError

RNG = np.random.default_rng(0)
WEIGHTS = {"a": RNG.standard_normal((10, 20)), "b": RNG.standard_normal((6, 10))}


def design(wire=60.0, nominal=8e3, resistors=5, size=24, **tile):
    tile = {"word_lines": size, "bit_lines": size, "word_wire": wire, "bit_wire": wire, **tile}
    return xbar.Hardware(
        bank=xbar.Bank(resistors=resistors, nominal=nominal), tile=xbar.Tile(**tile)
    )


def real(program, weights):
    """Relative error of the weights as they arrive, root mean square over layers."""
    arrives = program.matrices("nodal")
    power = [((arrives[k] - w) ** 2).sum() / (w**2).sum() for k, w in weights.items()]
    return float(np.sqrt(np.mean(power)))


@pytest.fixture(scope="module")
def fitted():
    return xbar.compile(WEIGHTS, design(), seed=7, wires="fit", max_tiles=6)


def lever(program, name):
    return next(one for one in program.options.fitted.levers if one.name == name)


def test_what_is_told_of_each_way_is_what_programs_of_other_chips_have(fitted):
    options = fitted.options.model_copy(update={"fitted": None})
    ways = {
        "whole tiles": {"extents": ()},
        "3/4 of the lines": {
            "extents": tuple(xbar.Extent(layer=k, inputs=18, outputs=9) for k in WEIGHTS)
        },
        "by layer": {},
    }
    for name, update in ways.items():
        own = options.model_copy(update=update)
        errors = [
            real(xbar.compile(WEIGHTS, design(), seed=s, options=own), WEIGHTS)
            for s in range(10, 16)
        ]
        assert lever(fitted, name).expected == pytest.approx(np.mean(errors), rel=0.15)


def test_the_chosen_way_is_the_best_of_the_real_ones_that_fit(fitted):
    most = fitted.options.fitted.max_tiles
    assert len(fitted.tiles) <= most == 6
    matrices, pair = {k: w[None] for k, w in WEIGHTS.items()}, get_mapping("pair")
    ways = {}
    sizes = [*itertools.product((24, 18, 12, 6), (12, 9, 6, 3))]
    for both in itertools.product(sizes, sizes):
        extents = tuple(
            xbar.Extent(layer=k, inputs=i, outputs=o) for k, (i, o) in zip("ab", both, strict=True)
        )
        options = xbar.Options(wire_aware=True, extents=extents)
        tiles = place(matrices, design(), pair, options).tiles
        if len(tiles) <= most:
            ways[tuple(block.shape for blocks in tiles for block in blocks)] = options
    own, *errors = (
        real(xbar.compile(WEIGHTS, design(), seed=7, options=o), WEIGHTS)
        for o in (fitted.options, *ways.values())
    )
    assert len(errors) > 5
    assert own < 1.2 * min(errors) < 0.5 * max(errors)


def test_more_tiles_are_taken_for_less_error_only(fitted):
    few = xbar.compile(WEIGHTS, design(), seed=7, wires="fit")
    assert len(few.tiles) <= few.options.fitted.max_tiles == 4  # twice those of whole tiles
    whole = xbar.compile(WEIGHTS, design(), seed=7, wire_aware=True)
    assert real(fitted, WEIGHTS) < real(few, WEIGHTS) < real(whole, WEIGHTS)


def test_lines_beyond_an_extent_stay_open():
    options = xbar.Options(wire_aware=True, extents=(xbar.Extent(layer="a", inputs=7, outputs=4),))
    program = xbar.compile(WEIGHTS, design(), seed=1, options=options)
    assert len(program.tiles_of("a")) == 3 * 3
    for tile in program.tiles_of("a"):
        used = tile.mask.any(axis=-1)
        assert not used[:-7].any()  # sensed at the bottom
        assert not used[:, 8:].any()  # driven at the left, two bit lines a weight
        assert {placed.block.layer for placed in tile.blocks} == {"a"}
    ((_, _, placed),) = program.blocks_of("b")
    assert placed.block.shape == (10, 6)


@pytest.mark.parametrize("drive", ["left", "right", "both"])
@pytest.mark.parametrize("sense", ["bottom", "top", "both"])
def test_lines_that_nobody_uses_change_nothing_of_a_sample(drive, sense):
    hardware = design(5.0, size=24, drive=drive, sense=sense, source=7.0, load=3.0)
    hardware = hardware.model_copy(
        update={"bank": hardware.bank.model_copy(update={"on_off_ratio": 1e9})}
    )
    mapping = get_mapping("pair")
    small = {"b": RNG.standard_normal((1, 5, 8))}
    (blocks,) = place(small, hardware, mapping, xbar.Options()).tiles
    less, moved = cropped(hardware, mapping, blocks)
    assert less.cells == (24 if sense == "both" else 8, 24 if drive == "both" else 10)
    (block,), (own,) = blocks, moved
    chosen = RNG.random((8, 5, 10)) < 0.5
    effective = []
    for design_, at in ((hardware, block), (less, own)):
        mask = np.zeros((*design_.cells, 5), dtype=bool)
        mapping.switch(mask, at, chosen)
        cell = np.where(mask, 1 / 8e3, 1e-9 / 8e3).sum(axis=-1)  # no deviations: as designed
        wires = {k: getattr(design_.tile, k) for k in ("word_wire", "bit_wire", "source", "load")}
        array = xbar.Crossbar(cell, **wires, drive=drive, sense=sense)
        effective.append(mapping.difference(array.transfer.T, at))
    np.testing.assert_allclose(effective[1], effective[0], rtol=1e-5, atol=1e-11)


def test_ideal_wires_need_no_lever():
    program = xbar.compile(WEIGHTS, design(0.0), seed=1, wires="fit")
    plain = xbar.compile(WEIGHTS, design(0.0), seed=1)
    for one, other in zip(program.tiles, plain.tiles, strict=True):
        assert one.packed.tobytes() == other.packed.tobytes()
    assert [one.state for one in program.options.fitted.levers] == ["chosen"]


def test_read_noise_that_no_layout_takes_away_buys_no_tiles():
    hardware = design(1.0).model_copy(update={"variation": xbar.Variation(read_noise=0.1)})
    program = xbar.compile(WEIGHTS, hardware, seed=1, wires="fit")
    whole = lever(program, "whole tiles")
    assert whole.expected > 0.03
    assert whole.state == "chosen"


SMALL = {"a": WEIGHTS["a"][:4, :8]}, design(300.0, size=10)


def test_the_choice_is_the_designs_not_the_chips():
    one, other = (xbar.compile(*SMALL, seed=s, wires="fit", workers=s) for s in (1, 2))
    assert len(other.options.fitted.levers) > 2
    assert other.options == one.options
    same = xbar.compile(*SMALL, seed=2, options=one.options)
    for tile, also in zip(other.tiles, same.tiles, strict=True):
        assert tile.packed.tobytes() == also.packed.tobytes()


def test_a_fitted_program_is_stored_with_what_was_tried(fitted, tmp_path):
    fitted.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert loaded.options == fitted.options
    np.testing.assert_array_equal(loaded.matrices("nodal")["a"], fitted.matrices("nodal")["a"])
    assert "wires='fit'" in repr(loaded)
    assert "Lever" not in repr(loaded)
    for one in fitted.options.fitted.levers:
        assert one.name in str(loaded.options.fitted)


@pytest.mark.parametrize("pack", ["none", "beside", "any"])
def test_any_packing_and_any_number_of_tiles_will_do(pack):
    options = xbar.Options(pack=pack)
    program = xbar.compile(*SMALL, seed=1, wires="fit", max_tiles=10**12, options=options)
    assert program.options.pack in (pack, "none")
    levers = program.options.fitted.levers
    (chosen,) = (one.expected for one in levers if one.state == "chosen")
    # below 1 % a layer is good enough
    assert chosen < 1.15 * max(0.01, min(one.expected for one in levers))


def content(folder):
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_a_run_that_was_stopped_ends_with_the_same_bytes(tmp_path):
    def stop(done, total):
        if done == 1:
            raise KeyboardInterrupt

    path = tmp_path / "a.xbar"
    with pytest.raises(KeyboardInterrupt):
        xbar.compile(*SMALL, seed=7, wires="fit", output=path, progress=stop)
    assert not path.exists()
    program = xbar.compile(*SMALL, seed=7, wires="fit", output=path)
    assert len(program.tiles) > 1
    own = xbar.compile(*SMALL, seed=7, options=program.options)
    own.save(tmp_path / "b.xbar")
    assert content(path) == content(tmp_path / "b.xbar")


def test_a_measured_chip_gives_no_more_tiles_than_it_has(tmp_path):
    weights, hardware = SMALL
    for tiles in (1, 3):
        on = np.stack([xbar.Chip.sample(hardware, 3).resistors(t).on for t in range(tiles)])
        np.savez(tmp_path / f"{tiles}.npz", on=on)
        chip = xbar.Chip.from_measurement(tmp_path / f"{tiles}.npz", hardware)
        program = xbar.compile(weights, chip, wires="fit", max_tiles=8)
        assert program.options.fitted.max_tiles == tiles
        assert len(program.tiles) <= tiles
    long = {"a": np.tile(weights["a"], (1, 4))}
    with pytest.raises(SpecError, match="the chip must have at least 4 tiles"):
        xbar.compile(long, chip, wires="fit")


def test_layers_of_zeros_take_no_tile_and_no_lever():
    weights = SMALL[0] | {"none": np.zeros((3, 5))}
    program = xbar.compile(weights, SMALL[1], seed=1, wires="fit")
    assert [one.layer for one in program.options.fitted.layers] == ["a"]
    nothing = xbar.compile({"none": np.zeros((3, 5))}, SMALL[1], seed=1, wires="fit")
    assert nothing.tiles == ()
    assert [one.tiles for one in nothing.options.fitted.levers] == [0]


def test_tiles_of_several_blocks_are_judged_as_they_lie():
    small = {k: np.random.default_rng(i).standard_normal((4, 8)) for i, k in enumerate("abc")}
    program = xbar.compile(small, design(60.0), seed=1, wires="fit")
    alone = next(o for o in program.options.fitted.levers if o.name.endswith("a tile a block"))
    together = lever(program, "whole tiles")
    for way, pack in ((together, "apart"), (alone, "none")):
        extents = program.options.extents if way is alone else ()
        options = xbar.Options(wire_aware=True, pack=pack, extents=extents)
        errors = [
            real(xbar.compile(small, design(60.0), seed=s, options=options), small)
            for s in range(10, 15)
        ]
        assert way.expected == pytest.approx(np.mean(errors), rel=0.25)
    assert alone.tiles > together.tiles


def test_the_least_sum_is_that_of_an_exhaustive_search():
    rng = np.random.default_rng(3)
    for _ in range(40):
        tiles = [[1, *rng.integers(1, 7, 3).tolist()] for _ in range(3)]
        costs = [rng.random(4).round(1).tolist() for _ in range(3)]
        most = int(rng.integers(3, 16))
        found = least(tiles, costs, most)
        sums = {}
        for each in itertools.product(range(4), repeat=3):
            used = sum(tiles[i][n] for i, n in enumerate(each))
            if used <= most:
                sums[each] = round(sum(costs[i][n] for i, n in enumerate(each)), 9), used
        assert sums[tuple(found)] == min(sums.values())


def test_an_extent_cuts_a_matrix_evenly():
    matrices = {"a": WEIGHTS["a"][None]}
    options = xbar.Options(extents=(xbar.Extent(layer="a", inputs=15, outputs=1000),), pack="none")
    tiles = place(matrices, design(), get_mapping("pair"), options).tiles
    assert [blocks[0].shape for blocks in tiles] == [(b - a, 10) for a, b in parts(20, 15)]


REFUSED = [
    ({"wires": "best"}, "wires must be 'plain', 'aware' or 'fit', not 'best'"),
    ({"wires": "plain", "wire_aware": True}, "wires must be 'aware' or 'fit' with wire_aware"),
    ({"wires": "aware", "max_tiles": 9}, "max_tiles must be left out without wires 'fit'"),
    ({"wires": "fit", "max_tiles": 1}, "max_tiles must be at least 2, .* not 1"),
    ({"wires": "fit", "max_tiles": 2.5}, "max_tiles must be a whole number"),
    ({"wires": "fit", "life": "1 h"}, "corners and life must be left out"),
    ({"wires": "fit", "options": xbar.Options(programming="nominal")}, "programming must be"),
    ({"wires": "fit", "options": xbar.Options(scale_per="layer")}, "scale_per must be"),
    (
        {
            "wires": "fit",
            "options": xbar.Options(extents=(xbar.Extent(layer="a", inputs=1, outputs=1),)),
        },
        "options.extents must be left out with wires 'fit'",
    ),
    (
        {"options": xbar.Options(extents=(xbar.Extent(layer="c", inputs=1, outputs=1),))},
        "options.extents must name layers of the network, which has no 'c'",
    ),
    (
        {"options": xbar.Options(extents=2 * (xbar.Extent(layer="a", inputs=1, outputs=1),))},
        "options.extents must name a layer once, not 'a' twice",
    ),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_does_not_go_together_is_refused(given, message):
    with pytest.raises(SpecError, match=message):
        xbar.compile(WEIGHTS, design(), seed=1, **given)
