"""What is programmed is what the subsets can reach, on the chip that was given."""

import numpy as np
import pytest

import xbar
from xbar.compiler.block import Block, span
from xbar.compiler.mapping import DifferentialPair
from xbar.compiler.options import Options
from xbar.compiler.passes.set_scales import expect, set_scales
from xbar.errors import SpecError


def design(resistors=8, **tile):
    size = {"word_lines": 8, "bit_lines": 8, **tile}
    return xbar.Hardware(
        bank=xbar.Bank(resistors=resistors, on_off_ratio=1e3), tile=xbar.Tile(**size)
    )


@pytest.fixture
def weights():
    return np.random.default_rng(0).standard_normal((6, 20))


def test_with_many_resistors_the_realised_matrix_is_the_wanted_one(weights):
    program = xbar.compile({"fc": weights}, design(resistors=12), seed=1)
    error = np.abs(program.matrices()["fc"] - weights).max()
    assert error < 3e-6 * np.abs(weights).max()


def test_each_pair_is_the_best_of_all_its_subsets(weights):
    program = xbar.compile({"fc": weights[:3, :5]}, design(resistors=3), seed=1)
    (tile,) = program.tiles
    on, off = program.chip.on(0), program.chip.off(0)
    choices = (np.arange(64)[:, None] >> np.arange(6)) & 1
    (part,), (residual,) = tile.blocks, tile.residual()
    for r, c in np.ndindex(part.block.shape):
        line, bit = part.block.word_lines[r], 2 * part.block.columns[c]
        pair = slice(bit, bit + 2)
        states = np.where(choices, on[line, pair].ravel(), off[line, pair].ravel())
        sums = states[:, :3].sum(axis=1) - states[:, 3:].sum(axis=1)
        best = np.abs(sums - part.target[r, c]).min()
        assert abs(abs(residual[r, c]) - best) < 1e-18


def test_the_same_chip_gives_the_same_masks_whoever_compiles(weights):
    chip = xbar.Chip.sample(design(), seed=3)
    once, again = (xbar.compile({"fc": weights}, chip) for _ in range(2))
    for a, b in zip(once.tiles, again.tiles, strict=True):
        np.testing.assert_array_equal(a.mask, b.mask)


def test_a_design_is_sampled_with_the_seed(weights):
    by_seed = xbar.compile({"fc": weights}, design(), seed=5)
    by_chip = xbar.compile({"fc": weights}, xbar.Chip.sample(design(), seed=5))
    other = xbar.compile({"fc": weights}, design(), seed=6)
    np.testing.assert_array_equal(by_seed.tiles[0].mask, by_chip.tiles[0].mask)
    assert (by_seed.tiles[0].mask != other.tiles[0].mask).any()


def test_columns_have_scales_of_their_own():
    weights = np.array([[1.0, 0.5], [1e-3, 5e-4]])
    program = xbar.compile({"fc": weights}, design(resistors=10), seed=0)
    realised = program.matrices()["fc"]
    np.testing.assert_allclose(realised, weights, rtol=1e-4)


def test_exact_zeros_leave_every_switch_open_on_perfect_switches():
    hardware = xbar.Hardware(tile=xbar.Tile(word_lines=4, bit_lines=4))
    program = xbar.compile({"fc": [[0.0, 1.0], [0.0, 0.0]]}, hardware, seed=0)
    np.testing.assert_array_equal(program.matrices()["fc"][1], [0.0, 0.0])
    assert program.tiles[0].mask.sum() == program.tiles[0].branch.astype(bool).sum()
    assert not program.tiles[0].mask[:, 2:].any()


def test_idle_cells_stay_open(weights):
    program = xbar.compile({"fc": weights[:2, :3]}, design(), seed=0)
    (tile,) = program.tiles
    busy = np.zeros(tile.mask.shape[:2], bool)
    block = tile.blocks[0].block
    for lines in (2 * block.columns, 2 * block.columns + 1):
        busy[block.word_lines[:, None], lines] = True
    assert not tile.mask[~busy].any()
    assert busy.sum() == 3 * 4


def test_every_cell_tells_what_it_stands_for(weights):
    program = xbar.compile({"fc": weights}, design(), seed=0)
    found = np.zeros((*weights.shape, 2))
    for tile in program.tiles:
        for word_line, bit_line in np.ndindex(8, 8):
            place = tile.source_of(word_line, bit_line)
            if place is None:
                continue
            layer, group, output, row, sign = place
            assert (layer, group) == ("fc", 0)
            (part,) = tile.blocks
            scale = part.scale[part.block.outputs == output]
            value = tile.conductance[word_line, bit_line] / scale[0]
            found[output, row, (1 - sign) // 2] = value
    np.testing.assert_allclose(found[..., 0] - found[..., 1], program.matrices()["fc"], atol=1e-12)


def test_known_stuck_resistors_cost_a_little_precision_not_correctness(weights):
    faulty = design(resistors=10)
    faulty = faulty.model_copy(
        update={"bank": faulty.bank.model_copy(update={"stuck_open": 0.05, "stuck_closed": 0.05})}
    )
    program = xbar.compile({"fc": weights}, faulty, seed=1)
    stuck = [tile.chip.stuck(tile.index) for tile in program.tiles]
    assert sum((s != 0).sum() for s in stuck) > 100
    for tile, s in zip(program.tiles, stuck, strict=True):
        assert not tile.mask[s != 0].any()
    assert np.abs(program.matrices()["fc"] - weights).max() < 5e-3 * np.abs(weights).max()


def test_a_dead_pair_does_not_shrink_its_column():
    pair = DifferentialPair()
    tile = xbar.Tile(word_lines=8, bit_lines=8)
    chip = xbar.Chip.sample(xbar.Hardware(bank=xbar.Bank(resistors=8), tile=tile), seed=1)
    block = Block("fc", 0, span(0, 8), span(0, 4), span(0, 8), span(0, 4))
    on, off, stuck = chip.resistors(0)
    weights = np.random.default_rng(1).standard_normal((8, 4))
    expected = expect(chip, Options())
    healthy = set_scales(pair.bank(on, off, stuck, block), weights, expected)
    stuck[2, :2] = -1
    dead = set_scales(pair.bank(on, off, stuck, block), weights, expected)
    np.testing.assert_array_equal(dead[1:], healthy[1:])
    assert 0.7 < dead[0] / healthy[0] < 1.4


@pytest.mark.parametrize("resistors", [2, 3, 5])
def test_no_other_scale_leaves_less_error(resistors):
    """Every column's scale changed by as much, and its subsets chosen anew."""
    weights = np.random.default_rng(3).standard_normal((64, 32))
    hardware = design(resistors, word_lines=32, bit_lines=128)
    program = xbar.compile({"fc": weights}, hardware, seed=2)

    def error(factor):
        miss = 0.0
        for tile in program.tiles:
            (part,) = tile.blocks
            bank = DifferentialPair().bank(*tile.chip.resistors(tile.index), part.block)
            target = factor * part.target - bank.offset
            residual = xbar.solve_subset(bank.element, target).residual
            miss += ((residual / (factor * part.scale)) ** 2).sum()
        return miss

    least = error(1.0)
    assert least == pytest.approx(((program.matrices()["fc"] - weights) ** 2).sum(), rel=1e-9)
    assert min(error(factor) for factor in (0.7, 0.85, 1.18, 1.43)) > 0.97 * least
    assert min(error(0.6), error(1.7)) > 1.1 * least


@pytest.mark.parametrize("per", ["tile", "layer"])
def test_columns_share_one_scale_where_that_is_asked(weights, per):
    program = xbar.compile({"fc": weights}, design(), seed=2, options=Options(scale_per=per))
    scales = [np.unique(tile.blocks[0].scale) for tile in program.tiles]
    assert all(len(scale) == 1 for scale in scales)
    assert len(np.unique(scales)) == (1 if per == "layer" else len(scales))
    assert np.abs(program.matrices()["fc"] - weights).max() < 3e-3 * np.abs(weights).max()


def test_a_shared_scale_suits_its_largest_column():
    weights = np.random.default_rng(0).standard_normal((8, 8)) * np.logspace(-3, 0, 8)[:, None]
    wide = {"word_lines": 8, "bit_lines": 16}
    by_column, by_tile = (
        xbar.compile({"fc": weights}, design(**wide), seed=0, options=Options(scale_per=per))
        for per in ("column", "tile")
    )
    errors = [
        np.sqrt(((p.matrices()["fc"] - weights) ** 2).mean(axis=1)) for p in (by_column, by_tile)
    ]
    assert errors[0][0] < errors[1][0] / 100
    assert errors[1][-1] < 10 * errors[0][-1]


def test_wire_aware_programming_refuses_one_scale_for_a_whole_layer():
    with pytest.raises(SpecError, match="scale_per must be 'column' or 'tile' for wire-aware"):
        xbar.compile({"fc": [[1.0]]}, design(), wire_aware=True, options=Options(scale_per="layer"))


def test_a_zero_is_left_open_where_leakage_is_less_than_any_subset_misses():
    """Against all 2^6 subsets: open exactly where no other sum lies closer to 0."""
    hardware = design(resistors=3, word_lines=32, bit_lines=64)
    weights = np.zeros((32, 32))
    weights[:, 0] = 1.0
    whole = xbar.Options(compact=False)
    (tile,) = xbar.compile({"fc": weights}, hardware, seed=0, options=whole).tiles
    bank = DifferentialPair().bank(*tile.chip.resistors(0), tile.blocks[0].block)
    choices = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(bool)
    sums = np.abs(bank.offset[..., None] + bank.element @ choices.T)
    is_open = ~tile.mapping.choice(tile.mask, tile.blocks[0].block).any(axis=-1)
    np.testing.assert_array_equal(is_open[1:], (sums.argmin(axis=-1) == 0)[1:])
    assert 0.3 < is_open[1:].mean() < 1.0


def test_with_read_noise_few_resistors_may_be_better_than_the_closest_subset():
    """Of all 2^6 subsets the one of least bias² + variance wins."""
    hardware = design(resistors=3, word_lines=32, bit_lines=64)
    hardware = hardware.model_copy(update={"variation": xbar.Variation(read_noise=0.1)})
    weights = np.random.default_rng(0).standard_normal((32, 32)) ** 3
    (tile,) = xbar.compile({"fc": weights}, hardware, seed=0).tiles
    (part,) = tile.blocks
    bank = DifferentialPair().bank(*tile.chip.resistors(0), part.block)
    choices = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(bool)
    goal = part.target - bank.offset
    miss = bank.element @ choices.T - goal[..., None]
    power = miss**2 + 0.01 * bank.element**2 @ choices.T
    choice = tile.mapping.choice(tile.mask, part.block)
    chosen = np.where(choice, bank.element, 0.0)
    found = (chosen.sum(-1) - goal) ** 2 + 0.01 * (chosen**2).sum(-1)
    np.testing.assert_allclose(found, power.min(axis=-1), rtol=1e-9)
    closest = np.take_along_axis(power, np.abs(miss).argmin(-1)[..., None], -1)[..., 0]
    assert found.sum() < 0.8 * closest.sum()
    assert 0.1 < (~choice.any(axis=-1)).mean() < 0.9


def test_reprogramming_another_chip_keeps_the_network_and_changes_the_masks(weights):
    from xbar.compiler.compiler import reprogram

    program = xbar.compile({"fc": weights}, design(), seed=0)
    other = reprogram(program, xbar.Chip.sample(design(), seed=1))
    for a, b in zip(other.tiles, program.tiles, strict=True):
        assert [part.block for part in a.blocks] == [part.block for part in b.blocks]
    assert (other.tiles[0].mask != program.tiles[0].mask).any()
    fresh = xbar.compile({"fc": weights}, design(), seed=1)
    np.testing.assert_array_equal(other.tiles[0].mask, fresh.tiles[0].mask)


def test_progress_counts_tiles(weights):
    seen = []
    xbar.compile({"fc": weights}, design(), seed=0, progress=lambda *step: seen.append(step))
    assert seen == [(i + 1, 6) for i in range(6)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "at least one matrix"),
        ({"fc": [1.0, 2.0]}, r"fc: a matrix must have shape \(outputs, inputs\).*\(2,\)"),
        ({"fc": np.zeros((0, 3))}, "none of them 0"),
        ({"fc": [[1.0, np.nan]]}, r"fc: weights must be finite, not nan at output 0, input 1"),
        ({"fc": [[np.inf]]}, "fc: weights must be finite, not inf"),
        ({"fc": [["a"]]}, "fc: weights must hold real numbers, not <U1"),
        ({"fc": [[1e300]]}, "fc: the largest weight must be between"),
        ({3: [[1.0]]}, "name must be text, not 3"),
        (3.0, "must be a Graph, a torch module, or a matrix or matrices by name, not float"),
    ],
)
def test_bad_matrices_are_refused(source, message):
    with pytest.raises(SpecError, match=message):
        xbar.compile(source, design(), seed=0)


def test_a_tile_too_narrow_for_a_pair_is_refused():
    with pytest.raises(SpecError, match=r"tile\.bit_lines must be at least 2"):
        xbar.compile({"fc": [[1.0]]}, design(bit_lines=1))


def test_a_seed_beside_a_chip_is_refused():
    with pytest.raises(SpecError, match="the chip has its own"):
        xbar.compile({"fc": [[1.0]]}, xbar.Chip.sample(design(), 0), seed=1)


def test_a_measured_chip_that_is_too_small_is_refused(tmp_path, weights):
    np.savez(tmp_path / "chip.npz", on=np.full((2, 8, 8, 8), 1e-5))
    chip = xbar.Chip.from_measurement(tmp_path / "chip.npz", design())
    with pytest.raises(SpecError, match="at least 6 tiles for this network, but 2 were measured"):
        xbar.compile({"fc": weights}, chip)
