"""The analog product against the formulas that it stands for, written out cell by cell."""

import numpy as np
import pytest
from scipy import stats

import xbar
from xbar.effects.converters import quantise
from xbar.errors import SpecError
from xbar.simulation.ranges import adc_ranges
from xbar.simulation.readout import AnalogProducts

RNG = np.random.default_rng(0)
WEIGHTS = {"fc": RNG.standard_normal((7, 19)), "grouped": RNG.standard_normal((3, 2, 5))}
X = np.random.default_rng(1).standard_normal((40, 19))


def program(seed=0, **changes):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=6, on_off_ratio=200, nominal=20e3),
        tile=xbar.Tile(
            word_lines=8, bit_lines=9, word_wire=3.0, bit_wire=2.0, source=5.0, load=9.0
        ),
    ).model_copy(update=changes)
    return xbar.compile(WEIGHTS, hardware, seed=seed)


def test_an_ideal_read_is_ohm_and_kirchhoff_on_the_switched_resistors():
    p = program()
    y = np.zeros((len(X), 7))
    for tile in p.tiles_of("fc"):
        branch = p.chip.branch(tile.index, tile.mask)
        (part,) = tile.blocks
        volts = tile.voltage(X[:, part.block.inputs])
        current = np.einsum("nw,wbk->nb", volts, branch)
        lines = 2 * part.block.columns
        pairs = current[:, lines] - current[:, lines + 1]
        y[:, part.block.outputs] += pairs / part.scale
    np.testing.assert_allclose(p.run({"fc": X})["fc"], y, rtol=1e-9, atol=1e-9)


def test_a_nodal_read_is_the_crossbars_own_solution():
    p = program()
    y = np.zeros((len(X), 7))
    for tile in p.tiles_of("fc"):
        (part,) = tile.blocks
        current = tile.crossbar().solve(tile.voltage(X[:, part.block.inputs])).current
        lines = 2 * part.block.columns
        pairs = current[:, lines] - current[:, lines + 1]
        y[:, part.block.outputs] += pairs / part.scale
    np.testing.assert_allclose(p.run({"fc": X}, readout="nodal")["fc"], y, rtol=1e-8, atol=1e-9)
    assert np.abs(p.run({"fc": X})["fc"] - y).max() > 1e-3


def test_without_wires_nodal_is_ideal():
    ideal_tile = xbar.Tile(word_lines=8, bit_lines=9)
    p = program(tile=ideal_tile)
    np.testing.assert_allclose(
        p.run({"fc": X}, readout="nodal")["fc"], p.run({"fc": X})["fc"], rtol=1e-12, atol=1e-12
    )


def test_the_realised_matrices_are_what_run_multiplies_by():
    p = program()
    for readout in ("ideal", "nodal"):
        matrices = p.matrices(readout)
        np.testing.assert_allclose(
            p.run({"fc": X}, readout=readout)["fc"], X @ matrices["fc"].T, rtol=1e-12, atol=1e-12
        )
        x = np.random.default_rng(2).standard_normal((4, 3, 5))
        y = p.run({"grouped": x}, readout=readout)["grouped"]
        np.testing.assert_allclose(y, np.einsum("ngi,goi->ngo", x, matrices["grouped"]), rtol=1e-10)


def test_groups_do_not_mix():
    p = program()
    x = np.zeros((3, 3, 5))
    x[np.arange(3), np.arange(3)] = 1.0
    y = p.run({"grouped": x})["grouped"]
    for n, g in np.ndindex(3, 3):
        assert (np.abs(y[n, g]).max() > 0) == (n == g)


def test_fine_converters_change_nothing():
    fine = {"dac": xbar.Converter(bits=32), "adc": xbar.Converter(bits=32, range=1.0)}
    exact, converted = program().run({"fc": X})["fc"], program(**fine).run({"fc": X})["fc"]
    np.testing.assert_allclose(converted, exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())


def test_the_dac_rounds_each_vector_on_its_own_scale():
    p = program(dac=xbar.Converter(bits=4, range=0.3))
    peak = np.abs(X).max(axis=1, keepdims=True)
    rounded = np.rint(X / peak * 7) / 7 * peak
    np.testing.assert_allclose(
        p.run({"fc": X})["fc"], program().run({"fc": rounded})["fc"], rtol=1e-9, atol=1e-12
    )


def test_outputs_do_not_depend_on_what_else_is_in_the_batch():
    p = program(dac=xbar.Converter(bits=6), adc=xbar.Converter(bits=7))
    together = p.run({"fc": X})["fc"]
    alone = np.vstack([p.run({"fc": x[None]})["fc"] for x in X])
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)


def test_the_adc_gives_multiples_of_its_step_and_clips_at_its_range():
    limit = 2e-6
    p = program(adc=xbar.Converter(bits=5, range=limit))
    products = AnalogProducts(p, "ideal", seed=0)
    blocks = [part for _, _, part in p.blocks_of("fc")]
    rows = blocks[0].block.inputs
    one_row = [part for part in blocks if np.array_equal(part.block.inputs, rows)]
    x = np.zeros((len(X), 1, 19))
    x[:, 0, rows] = X[:, rows]
    y = products("fc", x)[:, 0]
    unit = 0.2 / np.abs(x).max(axis=(1, 2))
    for part in one_row:
        current = y[:, part.block.outputs] * part.scale * unit[:, None]
        code = current / limit * 15
        np.testing.assert_allclose(code, np.rint(code), atol=1e-9)
        assert np.abs(code).max() == pytest.approx(15)
    assert 0 < products.clips["fc"].share < 1


def test_the_automatic_range_is_never_beyond_what_inputs_can_give():
    p = program(adc=xbar.Converter(bits=8))
    for (index, number), found in adc_ranges(p, "fc", None).items():
        difference = np.abs(p.tiles[index].difference("ideal")[number])
        worst = 0.2 * difference.sum(axis=0).max()
        assert 0 < found.min() <= found.max() <= worst * (1 + 1e-12)
        typical = 0.2 * np.sqrt((difference**2).sum(axis=0)).max()
        assert found.max() <= 4 * typical * (1 + 1e-12)


def test_read_noise_has_the_variance_of_independent_resistors():
    sigma = 0.05
    p = program(variation=xbar.Variation(read_noise=sigma))
    x = np.repeat(X[:1], 4000, axis=0)
    noisy = p.run({"fc": x}, seed=3)["fc"]
    rng = np.random.default_rng(5)
    direct = np.zeros((4000, 7))
    peak = np.abs(X[0]).max()
    for tile in p.tiles_of("fc"):
        (part,) = tile.blocks
        lines = 2 * part.block.columns
        branch = tile.branch[part.block.word_lines]
        volts = X[0][part.block.inputs] / peak
        for trial in range(4000):
            shaken = branch * (1 + sigma * rng.standard_normal(branch.shape))
            line = np.einsum("w,wbk->b", volts, shaken)
            pairs = line[lines] - line[lines + 1]
            direct[trial, part.block.outputs] += pairs / part.scale * peak
    exact = (X[:1] @ p.matrices()["fc"].T)[0]
    for output in range(7):
        ratio = noisy[:, output].var() / direct[:, output].var()
        assert 0.9 < ratio < 1.1
        assert (
            stats.kstest((noisy[:, output] - exact[output]) / noisy[:, output].std(), "norm").pvalue
            > 1e-3
        )


def test_noise_is_a_function_of_the_seed():
    p = program(variation=xbar.Variation(read_noise=0.05))
    first = p.run({"fc": X}, seed=1)["fc"]
    np.testing.assert_array_equal(first, p.run({"fc": X}, seed=1)["fc"])
    assert (first != p.run({"fc": X}, seed=2)["fc"]).any()


def test_wires_attenuate_the_noise_too():
    p = program()
    for tile in p.tiles:
        assert (tile.noise_power("nodal")[0] < tile.noise_power("ideal")[0]).all()


def test_an_all_zero_input_gives_an_exact_zero():
    p = program(dac=xbar.Converter(bits=6), adc=xbar.Converter(bits=7))
    np.testing.assert_array_equal(p.run({"fc": np.zeros((2, 19))})["fc"], np.zeros((2, 7)))


def test_a_quantiser_is_odd_and_idempotent():
    values = np.linspace(-2, 2, 401)
    once = quantise(values, 1.5, bits=5)
    np.testing.assert_array_equal(once, -quantise(-values, 1.5, bits=5))
    np.testing.assert_allclose(quantise(once, 1.5, bits=5), once, rtol=1e-12)
    assert len(np.unique(once)) == 2**5 - 1


@pytest.mark.parametrize(
    ("inputs", "readout", "message"),
    [
        ({"fc": X[:, :5]}, "ideal", r"fc: inputs must have the shape \(N, 19\), not \(40, 5\)"),
        ({"grouped": X}, "ideal", r"grouped: inputs must have the shape \(N, 3, 5\)"),
        ({"fd": X}, "ideal", r"must be named like the matrices \['fc', 'grouped'\]"),
        (X, "ideal", "must be given by name"),
        ({"fc": X * np.nan}, "ideal", r"fc: inputs must be finite, not nan at \[0, 0\]"),
        ({"fc": X + 1j}, "ideal", "fc: inputs must hold real numbers, not complex128"),
        ({"fc": X.astype(str)}, "ideal", "fc: inputs must hold real numbers"),
        ({"fc": [[1.0], [1.0, 2.0]]}, "ideal", "fc: inputs must be one rectangular array"),
        ({}, "ideal", "inputs must name one of the matrices"),
        ({"fc": X}, "spice", "readout must be 'ideal', 'nodal' or 'nonlinear', not 'spice'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, readout, message):
    with pytest.raises(SpecError, match=message):
        program().run(inputs, readout=readout)


def test_one_matrix_takes_a_bare_array():
    p = xbar.compile({"fc": WEIGHTS["fc"]}, xbar.Hardware(), seed=0)
    np.testing.assert_array_equal(p.run(X), p.run({"fc": X})["fc"])
