"""The list of passes: what each needs and makes, and orders that can't be."""

import pkgutil
from dataclasses import fields, replace
from importlib import import_module

import numpy as np
import pytest

import xbar
from xbar.compiler import passes as folder
from xbar.compiler import pipeline
from xbar.compiler.passes import close_switches, form_banks, record_reached, set_scales
from xbar.compiler.passes.base import Pass, TileJob, TileState
from xbar.compiler.pipeline import PASSES, in_order, program_tile
from xbar.compiler.placement import place
from xbar.errors import SpecError

RNG = np.random.default_rng(0)
WEIGHTS = {"fc": RNG.standard_normal((1, 6, 9)), "head": RNG.standard_normal((1, 3, 6))}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=5, stuck_open=0.05),
    tile=xbar.Tile(word_lines=16, bit_lines=32, word_wire=3.0, bit_wire=3.0),
)
TUNED = xbar.Options(programming="residual")
JOBS = {
    "plain": xbar.Options(),
    "wires": xbar.Options(wire_aware=True),
    "reference": xbar.Options(mapping="reference"),
    "nominal": xbar.Options(programming="nominal"),
    "tuned": TUNED,
}


def job(options, **changes):
    """The job of the one tile that both matrices lie on."""
    chip = xbar.Chip.sample(HARDWARE, seed=1)
    mapping = TileJob(0, (), (), chip, options).mapping
    (blocks,) = place(WEIGHTS, HARDWARE, mapping, options).tiles
    weights = tuple(block.of(WEIGHTS[block.layer]) for block in blocks)
    return replace(TileJob(0, blocks, weights, chip, options), **changes)


def ticket():
    """The job of a ticket of the chip: about half of the weights are switched in."""
    plain = job(xbar.Options())
    kept = tuple(weight > 0 for weight in plain.weights)
    return replace(plain, kept=kept, units=(1e-6,) * len(kept))


def reordered(first, second):
    """The passes with one put behind another."""
    moved = next(one for one in PASSES if one.name == first)
    rest = without(first)
    place = [one.name for one in rest].index(second) + 1
    return [*rest[:place], moved, *rest[place:]]


def without(name):
    return [step for step in PASSES if step.name != name]


def test_every_file_of_the_folder_is_on_the_list_under_its_name():
    found = {}
    for module in pkgutil.iter_modules(folder.__path__):
        step = getattr(import_module(f"{folder.__name__}.{module.name}"), "PASS", None)
        if step is not None:
            found[module.name] = step
    assert {step.name: step for step in PASSES} == found
    assert len(PASSES) == len(found)


def test_what_passes_need_and_make_are_attributes_of_the_state():
    known = {field.name for field in fields(TileState)}
    for step in PASSES:
        assert set(step.needs) | set(step.makes) <= known
        assert step.makes


@pytest.mark.parametrize("kind", [*JOBS, "ticket"])
def test_a_pass_reads_nothing_but_what_it_says_that_it_needs(kind):
    this = ticket() if kind == "ticket" else job(JOBS[kind])
    state = TileState(this, this.blocks)
    for step in in_order(PASSES, this):
        hidden = {field.name: None for field in fields(TileState)}
        seen = {name: getattr(state, name) for name in ("job", *step.needs)}
        alone, state = step.run(TileState(**{**hidden, **seen})), step.run(state)
        for name in step.makes:
            assert getattr(alone, name) is not None
        if "tile" in step.makes:
            np.testing.assert_array_equal(alone.tile.packed, state.tile.packed)
            assert alone.tile.reached == state.tile.reached
    assert len(state.tile.reached) == len(this.blocks)


def test_tickets_and_rivals_have_a_pass_in_anothers_place():
    def names(this):
        return [step.name for step in in_order(PASSES, this)]

    plain = names(job(xbar.Options(), chip=xbar.Chip.sample(xbar.Hardware(), 0)))
    switched = ["measure_resistors", "form_banks", "set_scales"]
    assert plain == [*switched, "choose_subsets", "close_switches", "record_reached"]
    assert names(ticket()) == [*switched, "keep_switches", "close_switches", "record_reached"]
    nominal = names(job(JOBS["nominal"]))
    assert nominal == [*switched, "choose_codes", "close_switches", "record_reached"]
    assert names(job(TUNED)) == ["tune_cells", "record_reached"]


def test_a_ticket_s_weights_are_switched_in_with_all_their_resistors_or_with_none():
    tile = program_tile(ticket())
    for part in tile.blocks:
        choice = tile.mapping.choice(tile.mask, part.block)
        stuck = tile.mapping.choice(tile.chip.stuck(0) != 0, part.block)
        np.testing.assert_array_equal(choice, (part.weight > 0)[..., None] & ~stuck)


@pytest.mark.parametrize(
    ("passes", "options", "message"),
    [
        (
            [PASSES[0], set_scales.PASS, form_banks.PASS, *PASSES[4:]],
            "plain",
            (
                "pass 'set_scales' needs banks, which 'form_banks' makes after it: put "
                "'form_banks' before 'set_scales' in PASSES"
            ),
        ),
        (
            PASSES[::-1],
            "plain",
            "pass 'record_reached' needs tile, which 'close_switches' makes after it",
        ),
        (
            without("choose_subsets"),
            "plain",
            (
                "pass 'close_switches' needs choices, which no pass makes for programming "
                "'subset': put one that does before 'close_switches' in PASSES"
            ),
        ),
        (
            without("choose_codes"),
            "nominal",
            "pass 'close_switches' needs choices, which no pass makes for programming 'nominal'",
        ),
        (
            without("tune_cells"),
            "tuned",
            "pass 'record_reached' needs tile, which no pass makes for programming 'residual'",
        ),
        (
            reordered("assign_lines", "form_banks"),
            "plain",
            (
                "pass 'assign_lines' makes blocks anew, which 'form_banks' has made mask of before:"
                " put 'assign_lines' before 'form_banks' in PASSES"
            ),
        ),
        (
            reordered("correct_wires", "record_reached"),
            "wires",
            "pass 'correct_wires' makes achieved anew, which 'record_reached' has made tile of",
        ),
        (
            [*PASSES, *PASSES],
            "plain",
            "pass 'measure_resistors' makes resistors anew, which 'assign_lines' has made blocks",
        ),
        (
            [one for one in PASSES if one not in (close_switches.PASS, record_reached.PASS)],
            "plain",
            (
                r"PASSES must make the tile, but none of \['measure_resistors', .*\] does "
                "for programming 'subset'; add 'close_switches'"
            ),
        ),
    ],
)
def test_an_order_that_can_not_be_is_refused_before_anything_is_done(passes, options, message):
    with pytest.raises(SpecError, match=f"^{message}") as error:
        program_tile(job(JOBS[options]), passes)
    assert "\n" not in str(error.value)


def test_a_new_pass_is_one_file_and_one_line(monkeypatch):
    """A pass that halves all scales: the same weights on half of the siemens."""

    def run(state):
        return replace(state, scales=tuple(scale / 2 for scale in state.scales))

    halve = Pass("halve_scales", run, ("scales",), ("scales",))
    matrices = {name: weight[0] for name, weight in WEIGHTS.items()}
    plain = xbar.compile(matrices, HARDWARE, seed=1)
    place = PASSES.index(set_scales.PASS) + 1
    monkeypatch.setattr(pipeline, "PASSES", (*PASSES[:place], halve, *PASSES[place:]))
    halved = xbar.compile(matrices, HARDWARE, seed=1)
    for one, other in zip(plain.tiles, halved.tiles, strict=True):
        for part, half in zip(one.blocks, other.blocks, strict=True):
            np.testing.assert_array_equal(half.scale, part.scale / 2)
    for name, matrix in halved.matrices().items():
        np.testing.assert_allclose(matrix, matrices[name], atol=0.1)
