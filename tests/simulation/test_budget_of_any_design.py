"""The error budget of random designs: a row for every effect, and without effects the products."""

from contextlib import nullcontext

import numpy as np
import pytest

import xbar
from xbar.compiler.options import Options
from xbar.effects import EFFECTS
from xbar.effects.chain import Chain
from xbar.errors import XbarWarning
from xbar.simulation.readout import AnalogProducts

SEEDS = range(24)
FLAT = {"polynomial": [0.03], "scale": 1e-5}
LAWS = [
    {"drift": {"first": 1.0, "mean": {"polynomial": [0.05]}, "sigma": {"polynomial": [0.02]}}},
    {"retention": {"times": [1.0, 1e9], "error": [FLAT, {**FLAT, "polynomial": [0.1]}]}},
    {"relaxation": {"first": 1.0, "shift": -1e-8, "error": [1e-7, 3e-8]}},
]
TOPOLOGIES = [
    *("input-source", "input-source", "interleaved-input-source"),
    *("separate-source", "interleaved-separate-source"),
]
HEAT = {"resistors": -5e-4, "resistors_sigma": 1e-4, "wires": "copper"}


def circuits(seed, design):
    """A design with converters and amplifiers as they are built."""
    rng = np.random.default_rng([seed, 2])

    def some(**keys):
        return {key: value for key, value in keys.items() if rng.random() < 0.6}

    if "adc" in design:
        kind = str(rng.choice(["ideal", "sar", "ramp", "pipeline", "cyclic", "flash"]))
        own = some(offset=0.02, gain_error=0.02, noise=0.01)
        own |= some(sample={"capacitance": 1e-15, "swing": 0.5}).get("sample", {})
        own |= some(mismatch=0.05) if kind != "ideal" else {}
        own |= some(comparator=0.02) if kind in ("pipeline", "cyclic", "flash") else {}
        own |= some(open_loop=100.0) if kind in ("pipeline", "cyclic", "ramp") else {}
        design["adc"] |= {"kind": kind, "shared": int(rng.integers(1, 4)), **own}
    if "dac" in design:
        design["dac"] |= some(mismatch=0.05)
        design["dac"]["kind"] = str(rng.choice(["string", "binary"]))
    amplifier = some(offset=1e-3, gain_error=0.02, noise=1e-7, open_loop=500.0, swing=0.5)
    return design | ({"amplifier": {"feedback": 1e4, **amplifier}} if amplifier else {})


def draw(seed):
    """A design, options that fit it, a read-out, and when."""
    rng = np.random.default_rng(seed)

    def maybe(value, share=0.6):
        return value if rng.random() < share else None

    dac = {"bits": int(rng.integers(3, 9)), "bit_serial": maybe(int(rng.integers(1, 4)), 0.3)}
    tile = {"word_lines": 12, "bit_lines": 8, "topology": str(rng.choice(TOPOLOGIES))}
    tile |= maybe({"bit_wire": float(rng.uniform(0.1, 5))}, 0.7) or {}
    if tile["topology"].endswith("separate-source"):  # whose word lines are gates
        dac |= {"bit_serial": 1, "code": "twos-complement"}
    else:
        tile |= maybe({"word_wire": 2.0}) or {}
        tile |= maybe({"idle": "float"}, 0.4) or {}
    design = {
        "bank": {
            "resistors": int(rng.integers(2, 6)),
            "sigma": float(rng.uniform(0.05, 0.4)),
            "on_off_ratio": float(rng.choice([30.0, np.inf])),
            "stuck_open": float(rng.choice([0.0, 0.03])),
            "nonlinearity": maybe({"sinh": 0.5}),
        },
        "tile": tile,
        "selector": maybe({"voltage": [0.1, 1.0], "current": [1e-8, 1e-3]}, 0.3),
        "dac": maybe(dac, 1.0 if "code" in dac else 0.6),
        "adc": maybe({"bits": int(rng.integers(3, 9))}),
        "variation": {"read_noise": float(rng.choice([0.0, 0.03]))},
        "device": {**LAWS[int(rng.integers(len(LAWS)))], "activation": "0.3 eV"},
        "temperature": maybe(HEAT, 0.7),
    }
    given = {key: each for key, each in design.items() if each is not None}
    given = circuits(seed, given)
    if "code" in dac:
        given.get("amplifier", {}).pop("offset", None)
    design = xbar.Hardware(**given)
    programming = str(rng.choice(["subset", "subset", "nominal", "write-verify", "residual"]))
    switched, shared = programming in ("subset", "nominal"), design.tile.interleaved
    options = Options(
        programming=programming,
        mapping=str(rng.choice(["pair", "reference"])) if switched and not shared else "pair",
        scale_per=str(rng.choice(["column", "tile", "layer"])),
    )
    readout = str(rng.choice(["ideal", "nodal", "nonlinear", "nonlinear"]))
    if readout == "nonlinear" and design.bank.nonlinearity is design.selector is None:
        readout = "nodal"
    when = {"time": maybe(str(rng.choice(["1 s", "30 d"])), 0.7)}
    when["temperature"] = maybe("85 C") if design.temperature else None
    when |= {"stuck_open": maybe(0.04, 0.3), "stuck_closed": maybe(0.02, 0.3)}
    return design, options, readout, {key: each for key, each in when.items() if each is not None}


def chip_of(design, seed, when):
    """A chip as programmed, or later."""
    chip = xbar.Chip.sample(design, seed)
    return chip.at(**when) if when else chip


def selectors_told(design, readout):
    """A warning is asked for where a read-out is without the design's selectors."""
    if design.selector is None or readout == "nonlinear":
        return nullcontext()
    return pytest.warns(XbarWarning, match="without the design's selectors")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_effect_has_a_row_and_without_them_all_it_is_the_network(seed):
    design, options, readout, when = draw(seed)
    rng = np.random.default_rng([seed, 1])
    weights = {"a": rng.standard_normal((4, 12)), "b": rng.standard_normal((2, 3, 8))}
    inputs = {"a": rng.standard_normal((2, 12)), "b": rng.standard_normal((2, 2, 8))}
    program = xbar.compile(weights, xbar.Chip.sample(design, seed), options=options)
    program = program.on(chip_of(design, seed, when)) if when else program
    with selectors_told(design, readout):
        budget = xbar.simulate(program, inputs, readout=readout, budget=True, seed=seed).budget
    names = [part.part for part in budget.parts]
    assert names == [each.name for each in EFFECTS if each.acts(program.chip.hardware, readout)]
    assert ("drift" in names) == ("time" in when)
    assert ("temperature" in names) == ("temperature" in when)
    assert ("faults" in names) == ("stuck_open" in when or "stuck_closed" in when)
    assert budget.error > 1e-4
    assert budget.error_without_all < 1e-12
    for part in budget.parts:
        assert 0 <= part.error_alone < np.inf
        assert 0 < part.error_without < np.inf
    bare = AnalogProducts(program, readout, seed, frozenset())
    for name, weight in program.weights.items():
        x = inputs[name].reshape(2, -1, weight.shape[-1])
        exact = np.einsum("ngi,goi->ngo", x, weight.reshape(x.shape[1], -1, x.shape[2]))
        np.testing.assert_allclose(bare(name, x), exact, rtol=0, atol=1e-12)


def test_the_designs_have_all_effects_and_combinations_of_them():
    seen = []
    for seed in SEEDS:
        design, _, readout, when = draw(seed)
        seen.append(Chain.of(chip_of(design, seed, when).hardware, readout).names)
    assert frozenset().union(*seen) == {effect.name for effect in EFFECTS}
    assert len(set(seen)) > 15
