"""The training layer against the simulation's read-out, and its gradients."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.compiler.options import Options
from xbar.errors import SpecError
from xbar.simulation.calibration import Calibration, calibrate
from xbar.simulation.readout import AnalogProducts

torch = pytest.importorskip("torch")

from xbar.training.layer import AnalogLayer

RNG = np.random.default_rng(0)
WEIGHTS = {"fc": RNG.standard_normal((7, 19)), "grouped": RNG.standard_normal((3, 2, 5))}
WIRES = {"word_wire": 3.0, "bit_wire": 2.0, "source": 5.0, "load": 9.0}
SERIAL = xbar.Converter(bits=7, bit_serial=2, code="twos-complement")
ADC = xbar.Converter(bits=6)
NOISE = xbar.Variation(read_noise=0.05)
COUNT = 700  # more than go through a stage together
DESIGNS = {
    "plain": {},
    "dac": {"dac": xbar.Converter(bits=5)},
    "serial dac": {"dac": SERIAL},
    "adc": {"adc": ADC},
    "adc a column pair": {"adc": xbar.Converter(bits=6, ranging="converter", shared=2)},
    "noise": {"variation": NOISE},
    "dac, adc": {"dac": xbar.Converter(bits=5), "adc": ADC},
    "all": {"dac": SERIAL, "adc": ADC, "variation": NOISE},
}


def program(wires=True, seed=0, mapping="pair", **changes):
    bank = xbar.Bank(resistors=4, on_off_ratio=50, nominal=10e3, nonlinearity={"sinh": 0.3})
    tile = xbar.Tile(word_lines=8, bit_lines=9, **(WIRES if wires else {}))
    hardware = xbar.Hardware(bank=bank, tile=tile).model_copy(update=changes)
    return xbar.compile(WEIGHTS, hardware, seed=seed, options=Options(mapping=mapping))


def inputs(layer, count=COUNT, seed=1):
    groups, rows = {"fc": (1, 19), "grouped": (3, 5)}[layer]
    return np.random.default_rng(seed).standard_normal((count, groups, rows))


def assert_same(found, expected):
    __tracebackhide__ = True
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("readout", ["ideal", "nodal"])
@pytest.mark.parametrize("design", DESIGNS)
def test_the_layer_multiplies_as_the_simulation_does(design, readout):
    for seed, mapping in ((0, "pair"), (1, "reference")):
        p = program(seed=seed, mapping=mapping, **DESIGNS[design])
        for name in WEIGHTS:
            x = inputs(name)
            expected = AnalogProducts(p, readout, 5)(name, x)
            found = AnalogLayer.of(p, name, readout, seed=5)(torch.from_numpy(x))
            assert found.dtype == torch.float64
            assert_same(found.numpy(), expected)


def test_each_effect_that_acts_is_seen():
    """So that agreement isn't that of layers that do nothing."""
    x = torch.from_numpy(inputs("fc"))
    exact = (x[:, 0] @ torch.from_numpy(WEIGHTS["fc"]).T)[:, None]
    plain = AnalogLayer.of(program(), "fc")(x)
    assert (plain - exact).abs().max() > 1e-4
    assert (AnalogLayer.of(program(), "fc", "nodal")(x) - plain).abs().max() > 1e-2
    for design, changes in DESIGNS.items():
        if design != "plain":
            assert (AnalogLayer.of(program(**changes), "fc")(x) - plain).abs().max() > 1e-2


def test_non_linear_cells_and_ranges_from_data_are_the_simulations_too():
    p = program(dac=xbar.Converter(bits=6), adc=ADC)
    x = inputs("fc", 12)
    expected = AnalogProducts(p, "nonlinear", 0)("fc", x)
    assert_same(AnalogLayer.of(p, "fc", "nonlinear")(torch.from_numpy(x)).numpy(), expected)
    ranges = calibrate(p, lambda y: y("fc", x[:4]), Calibration("percentile", 90.0))
    expected = AnalogProducts(p, "ideal", 0, ranges=ranges)("fc", x)
    found = AnalogLayer(p, "fc", ranges=ranges)(torch.from_numpy(x))
    assert_same(found.numpy(), expected)


def test_single_precision_in_is_single_precision_out():
    p = program(variation=NOISE)
    x = inputs("fc").astype(np.float32)
    found = AnalogLayer.of(p, "fc", "nodal", seed=3)(torch.from_numpy(x))
    assert found.dtype == torch.float32
    expected = AnalogProducts(p, "nodal", 3, precision="float32")("fc", x)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5 * np.abs(expected).max())


def test_gradients_without_converters_are_those_of_the_realised_matrix():
    p = program(variation=NOISE)
    x = torch.from_numpy(inputs("fc", 5)).requires_grad_()
    AnalogLayer.of(p, "fc", "nodal")(x).sum().backward()
    expected = np.broadcast_to(p.matrices("nodal")["fc"].sum(axis=0), (5, 19))
    np.testing.assert_allclose(x.grad[:, 0].numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    "dac", [xbar.Converter(bits=5), SERIAL, SERIAL.model_copy(update={"code": "sign-magnitude"})]
)
def test_gradients_go_straight_through_rounding(dac):
    p = program(dac=dac, adc=xbar.Converter(bits=9, range=1.0))
    x = torch.from_numpy(inputs("fc", 5)).requires_grad_()
    AnalogLayer.of(p, "fc")(x).sum().backward()
    expected = np.broadcast_to(p.matrices()["fc"].sum(axis=0), (5, 19))
    np.testing.assert_allclose(x.grad[:, 0].numpy(), expected, rtol=1e-9)


def test_what_an_adc_clips_has_no_gradient():
    p = program(adc=xbar.Converter(bits=4, range=1e-12))
    x = torch.from_numpy(inputs("fc", 5)).requires_grad_()
    AnalogLayer.of(p, "fc")(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 0.0)


def test_what_a_program_lacks_is_told():
    with pytest.raises(SpecError, match="layer must be one of fc, grouped, not 'conv'"):
        AnalogLayer.of(program(), "conv")
    with pytest.raises(SpecError, match="readout must be 'ideal', 'nodal' or 'nonlinear'"):
        AnalogLayer.of(program(), "fc", "spice")
