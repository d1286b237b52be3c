"""Lines with faults are left to weights that can do with them, or to none."""

import itertools

import numpy as np
import pytest

import xbar
from xbar.compiler.block import Block, span
from xbar.compiler.mapping import DifferentialPair, SignedBank
from xbar.compiler.passes.assign_lines import (
    assign_lines,
    costs,
    describe,
    errors,
    faulty,
)
from xbar.compiler.passes.set_scales import expect
from xbar.errors import SpecError

PAIR = DifferentialPair()


def design(rows=6, bit_lines=12, resistors=6, **tile):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=resistors, on_off_ratio=1e3),
        tile=xbar.Tile(word_lines=rows, bit_lines=bit_lines, **tile),
    )


def chip_with(tmp_path, hardware, tiles, spoil):
    """A measured chip of a design, its resistors (T, W, B, K) spoilt in place."""
    one = xbar.Chip.sample(hardware, seed=9)
    on = np.stack([one.on(tile) for tile in range(tiles)])
    off, stuck = on / 1e3, np.zeros(on.shape, np.int8)
    spoil(on, off, stuck)
    np.savez(tmp_path / "chip.npz", on=on, off=off, stuck=stuck)
    return xbar.Chip.from_measurement(tmp_path / "chip.npz", hardware)


def dead_lines(on, off, stuck):
    """The driver of word line 3 and the minus line of column 1 are broken."""
    on[0, 3], off[0, 3] = 0.0, 0.0
    stuck[0, :, 3] = -1


WEIGHTS = np.random.default_rng(2).standard_normal((4, 4))


def error(program, weights=WEIGHTS):
    return np.abs(program.matrices()["fc"] - weights).max() / np.abs(weights).max()


@pytest.mark.parametrize("rows", [5, 6])
def test_spare_lines_take_over_from_dead_ones(tmp_path, rows):
    """With one idle word line and idle columns the dead ones are left empty."""
    hardware = design(rows=rows)
    chip = chip_with(tmp_path, hardware, 1, dead_lines)
    never = xbar.compile({"fc": WEIGHTS}, chip, options=xbar.Options(swap_lines="never"))
    swapped = xbar.compile({"fc": WEIGHTS}, chip)
    sound = xbar.compile({"fc": WEIGHTS}, hardware, seed=9)
    assert error(never) > 0.3
    assert error(swapped) < 3 * error(sound) + 1e-3
    (tile,) = swapped.tiles
    block = tile.blocks[0].block
    assert 3 not in block.word_lines
    assert 1 not in block.columns
    assert len(list(never.unreachable())) >= 4
    assert list(swapped.unreachable()) == []


def test_without_spare_lines_the_weights_that_need_them_least_get_the_dead_ones(tmp_path):
    hardware = design(rows=4, bit_lines=8)
    weights = WEIGHTS.copy()
    weights[:, 2] *= 1e-3  # an input that hardly counts, and an output of one sign
    weights[3] = np.abs(weights[3])
    weights[1, 0] *= -1

    def spoil(on, off, stuck):
        on[0, 1], off[0, 1] = 0.0, 0.0
        stuck[0, :, 5] = -1

    chip = chip_with(tmp_path, hardware, 1, spoil)
    never = xbar.compile({"fc": weights}, chip, options=xbar.Options(swap_lines="never"))
    swapped = xbar.compile({"fc": weights}, chip)
    (tile,) = swapped.tiles
    block = tile.blocks[0].block
    assert block.inputs[block.word_lines == 1] == [2]
    assert block.outputs[block.columns == 2] == [3]
    assert error(never, weights) > 0.3
    assert error(swapped, weights) < 0.01


def test_what_stays_unreachable_is_listed_with_its_devices(tmp_path):
    hardware = design(rows=4, bit_lines=8)
    chip = chip_with(tmp_path, hardware, 1, dead_lines)
    program = xbar.compile({"fc": WEIGHTS}, chip, options=xbar.Options(swap_lines="never"))
    listed = list(program.unreachable())
    assert len(listed) == sum(reached.clipped for reached in program.tiles[0].reached)
    (tile,), (part,) = program.tiles, program.tiles[0].blocks
    dead = {(o, int(part.block.inputs[part.block.word_lines == 3][0])) for o in range(4)}
    assert dead <= {(one.output, one.input) for one in listed}
    for one in listed:
        assert one.devices == tuple(program.devices_of("fc", one.output, one.input))
        plus, minus = (tile.conductance[d.word_line, d.bit_line] for d in one.devices)
        np.testing.assert_allclose(one.achieved, plus - minus, atol=1e-15)
        scale = part.scale[part.block.outputs == one.output][0]
        np.testing.assert_allclose(one.target, WEIGHTS[one.output, one.input] * scale)
        states = np.array([tile.chip.on(0), tile.chip.off(0)])
        place = one.devices[0].word_line, one.devices[0].bit_line
        top = states[0][place].sum() - states[1][place[0], place[1] + 1].sum()
        bottom = states[1][place].sum() - states[0][place[0], place[1] + 1].sum()
        pair = place[0], slice(place[1], place[1] + 2)
        stuck = (tile.chip.stuck(0)[pair] != 0) | (states[0][pair] == states[1][pair])
        assert one.stuck == stuck.sum()
        if one.stuck == 0:
            assert not bottom <= one.target <= top


def brute_force(target, banks, curve):
    """Least total of all ways to put inputs on lines and outputs on columns."""
    best = np.inf
    for line in itertools.permutations(range(banks.shape[1]), len(target)):
        for place in itertools.permutations(range(banks.shape[2]), target.shape[1]):
            chosen = banks[:, np.array(line)[:, None], np.array(place)]
            best = min(best, errors(target, chosen, curve).sum())
    return best


def test_alternating_assignment_comes_to_the_best_of_all_permutations():
    hardware = design(rows=4, bit_lines=8, resistors=4)
    better = 0
    for seed in range(6):
        chip = xbar.Chip.sample(hardware, seed)
        rng = np.random.default_rng(seed)
        on, off, stuck = (array.copy() for array in chip.resistors(0))
        stuck = np.where(rng.random(stuck.shape) < 0.1, -1, 0).astype(np.int8)
        stuck[rng.integers(4)] = -1
        weights = rng.standard_normal((3, 3))
        block = Block("fc", 0, span(0, 3), span(0, 3), span(1, 4), span(0, 3))
        options = xbar.Options(swap_lines="always")
        expected, unit = expect(chip, options), 2e-5
        (moved,) = assign_lines(
            [block], [weights], (on, off, stuck), options, expected, [unit]
        )  # fmt: skip
        whole = Block("fc", 0, span(0, 4), span(0, 4), span(0, 4), span(0, 4))
        banks = describe(PAIR.bank(on, off, stuck, whole))

        def total(one, banks=banks, target=weights * unit, curve=expected.curve):
            return errors(target, banks[:, one.word_lines[:, None], one.columns], curve).sum()

        best = brute_force(weights * unit, banks, expected.curve)
        assert best * (1 - 1e-9) <= total(moved) <= total(block)
        assert total(moved) <= 1.5 * best
        better += total(moved) < 0.5 * total(block)
        assert sorted(moved.inputs) == [0, 1, 2]
        assert len(set(moved.word_lines)) == len(set(moved.columns)) == 3
    assert better >= 3


def test_one_assignment_is_the_best_of_all_permutations():
    rng = np.random.default_rng(1)
    chip = xbar.Chip.sample(design(rows=5, bit_lines=4, resistors=4), seed=3)
    on, off, stuck = (array.copy() for array in chip.resistors(0))
    stuck[2], stuck[4, 0, :2] = -1, 1
    expected = expect(chip, xbar.Options())
    weights = rng.standard_normal((4, 2)) * 1e-5
    block = Block("fc", 0, span(0, 4), span(0, 2), span(1, 5), span(0, 2))
    whole = Block("fc", 0, span(0, 5), span(0, 2), span(0, 5), span(0, 2))
    cost = costs(weights, describe(PAIR.bank(on, off, stuck, whole)), expected.curve)
    best = min(cost[np.arange(4), list(p)].sum() for p in itertools.permutations(range(5), 4))
    (moved,) = assign_lines(
        [block], [weights], (on, off, stuck), xbar.Options(), expected, [1.0]
    )  # fmt: skip
    if (moved.columns == block.columns).all():
        np.testing.assert_allclose(cost[np.arange(4), moved.word_lines].sum(), best, rtol=1e-2)
    else:
        turned = cost_of(moved, on, off, stuck, weights, expected)
        assert turned <= best


def cost_of(block, on, off, stuck, target, expected):
    return errors(target, describe(PAIR.bank(on, off, stuck, block)), expected.curve).sum()


def test_the_kernel_adds_up_what_the_formula_says():
    rng = np.random.default_rng(3)
    chip = xbar.Chip.sample(design(rows=5, bit_lines=8, resistors=4), seed=3)
    on, off, stuck = (array.copy() for array in chip.resistors(0))
    stuck[2], stuck[4, :6, :2] = -1, 1
    banks = describe(PAIR.bank(on, off, stuck, Block("", 0, *[span(0, n) for n in (5, 4, 5, 4)])))
    curve = expect(chip, xbar.Options()).curve
    target = 3e-5 * rng.standard_normal((7, 4))
    found = costs(target, banks, curve)
    for r, w in np.ndindex(7, 5):
        np.testing.assert_allclose(found[r, w], errors(target[r], banks[:, w], curve).sum())


def test_sound_chips_and_tickets_keep_their_lines():
    chip = xbar.Chip.sample(design(), seed=0)
    assert not faulty(chip.resistors(0))
    plain, never = (
        xbar.compile({"fc": WEIGHTS}, chip, options=xbar.Options(swap_lines=when))
        for when in ("faults", "never")
    )
    np.testing.assert_array_equal(plain.tiles[0].packed, never.tiles[0].packed)
    assert plain.tiles[0].blocks[0].block == never.tiles[0].blocks[0].block


@pytest.mark.parametrize("pack", ["apart", "beside", "any"])
def test_blocks_never_move_onto_each_other(pack):
    bank = xbar.Bank(resistors=6, stuck_open=0.15, stuck_closed=0.05)
    hardware = xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=12, bit_lines=20))
    rng = np.random.default_rng(5)
    weights = {name: rng.standard_normal((3, 4)) for name in "abcd"}
    options = xbar.Options(pack=pack, swap_lines="always")
    program = xbar.compile(weights, hardware, seed=1, options=options)
    kept = xbar.Options(pack=pack, swap_lines="never")
    fixed = xbar.compile(weights, hardware, seed=1, options=kept)
    moved = 0
    for tile, before in zip(program.tiles, fixed.tiles, strict=True):
        taken = set()
        for part, old in zip(tile.blocks, before.blocks, strict=True):
            block = part.block
            cells = {(w, c) for w in block.word_lines.tolist() for c in block.columns.tolist()}
            assert len(cells) == 12
            assert not cells & taken
            taken |= cells
            moved += block != old.block
        for a, b in itertools.combinations([part.block for part in tile.blocks], 2):
            assert pack != "apart" or not set(a.word_lines) & set(b.word_lines)
            assert pack == "any" or not set(a.columns) & set(b.columns)
    assert moved
    for name, matrix in program.matrices().items():
        found = [(t, p) for t, _, p in program.blocks_of(name)]
        assert sum(part.weight.size for _, part in found) == matrix.size


def test_scattered_faults_cost_a_tenth_where_lines_are_exchanged():
    weights = np.random.default_rng(6).standard_normal((12, 20))
    bank = xbar.Bank(resistors=8, stuck_open=0.05, stuck_closed=0.05)
    hardware = xbar.Hardware(bank=bank, tile=xbar.Tile(word_lines=24, bit_lines=32))
    power = {"never": 0.0, "faults": 0.0}
    for seed in range(3):
        for when in power:
            options = xbar.Options(swap_lines=when)
            program = xbar.compile({"fc": weights}, hardware, seed=seed, options=options)
            power[when] += ((program.matrices()["fc"] - weights) ** 2).sum()
    assert power["faults"] < 0.1 * power["never"]


def test_spare_lines_of_the_design_stay_empty_until_they_are_needed(tmp_path):
    hardware = design(rows=5, bit_lines=10, spare_word_lines=1, spare_bit_lines=2)
    plain = xbar.compile({"fc": np.ones((8, 8))}, hardware, seed=1)
    assert len(plain.tiles) == 4
    for tile in plain.tiles:
        (part,) = tile.blocks
        assert set(part.block.word_lines) == {1, 2, 3, 4}
        assert set(part.block.columns) == {0, 1, 2, 3}
    chip = chip_with(tmp_path, hardware, 1, dead_lines)
    program = xbar.compile({"fc": WEIGHTS}, chip)
    assert set(program.tiles[0].blocks[0].block.word_lines) == {0, 1, 2, 4}
    assert set(program.tiles[0].blocks[0].block.columns) == {0, 2, 3, 4}


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        ({"spare_word_lines": 6}, "tile.spare_word_lines must leave a line for weights, not 6 of"),
        ({"spare_bit_lines": 12}, "tile.spare_bit_lines must leave a line for weights, not 12 of"),
    ],
)
def test_spare_lines_must_leave_some(tile, message):
    with pytest.raises(SpecError, match=message):
        design(**tile)


def test_spare_lines_must_leave_a_pair():
    with pytest.raises(SpecError, match=r"at least 13, the lines of one weight .* 11 spare ones"):
        xbar.compile({"fc": WEIGHTS}, design(spare_bit_lines=11), seed=0)


@pytest.mark.parametrize(("live", "within"), [(1, 1e-6), (2, 0.01)])
def test_the_last_live_resistors_leave_the_twelfth_of_a_square_to_expect(live, within):
    """Targets between two sums that lie one element g apart miss them by g/sqrt(12)."""
    chip = xbar.Chip.sample(xbar.Hardware(), seed=0)
    curve = expect(chip, xbar.Options()).curve
    element = np.zeros((1, 1, 16))
    element[..., :live] = 1e-5
    banks = describe(SignedBank(element, np.zeros((1, 1))))
    between = (np.arange(4000) + 0.5) / 4000 * live * 1e-5
    expected = errors(between, np.broadcast_to(banks[:, :, 0], (6, 4000)), curve)
    assert expected.mean() == pytest.approx(1e-10 / 12, rel=within)
