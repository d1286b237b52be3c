from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError

torch = pytest.importorskip("torch")
nn = torch.nn

from xbar.training.chip_weights import cells_of, layer_shapes
from xbar.training.layer import attach, detach
from xbar.training.layers import prunable


def design(noise=0.0, dac=6, adc=7):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=2, sigma=0.3, on_off_ratio=50),
        tile=xbar.Tile(word_lines=12, bit_lines=12),
        dac=dac and xbar.Converter(bits=dac),
        adc=adc and xbar.Converter(bits=adc),
        variation=xbar.Variation(read_noise=noise),
    )


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2, padding=1, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(36, 3),
    )


def data(count=40):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 2, 6, 6)).astype(np.float32), np.arange(count) % 3


def attached(ticket, chip):
    """The ticket's own model, multiplying as the chip does."""
    layers = prunable(ticket.model)
    shapes = layer_shapes(ticket.graph(), list(layers))
    own, scales = ticket.switches(), {}
    for name, cells in cells_of(chip, shapes).items():
        conductance = np.where(own[name], cells.on, cells.off)
        weight = layers[name].weight.detach().numpy()
        scales[name] = float(np.abs(weight).sum() / np.abs(conductance).sum())
    masks = {name: torch.from_numpy(mask) for name, mask in ticket.mask.items()}
    attach(layers, chip, shapes, scales, masks.__getitem__)
    return layers


DAC, ADC = xbar.Converter(bits=6), xbar.Converter(bits=7)
SERIAL = xbar.Converter(bits=6, bit_serial=2)
OWN = xbar.Converter(bits=7, ranging="converter")
SAR = xbar.Converter(bits=7, kind="sar", mismatch=0.05, offset=0.02, gain_error=0.02, shared=2)
BINARY = xbar.Converter(bits=6, kind="binary", mismatch=0.1)


@pytest.mark.parametrize(
    ("dac", "adc"),
    [(DAC, None), (None, ADC), (DAC, ADC), (SERIAL, None), (SERIAL, OWN), (BINARY, SAR)],
)
def test_training_converts_as_the_simulation_does(dac, adc):
    chip = xbar.Chip.sample(design().model_copy(update={"dac": dac, "adc": adc}), 0)
    ticket = xbar.pruning.edge_popup(network(), data(), weights=chip, epochs=0)
    program = xbar.compile(ticket, chip)
    inputs = data()[0].astype(np.float64)
    model = ticket.model.double()
    with torch.no_grad():
        for name, matrix in program.matrices().items():
            weight = prunable(model)[name].weight
            weight.copy_(torch.from_numpy(matrix.reshape(weight.shape)))
        ideal = model(torch.from_numpy(inputs)).numpy()
        layers = attached(ticket, chip)
        seen = model(torch.from_numpy(inputs)).numpy()
        detach(layers)
        again = model(torch.from_numpy(inputs)).numpy()
    np.testing.assert_array_equal(again, ideal)
    simulated = program.run(inputs)
    largest = np.abs(simulated).max()
    assert np.abs(simulated - ideal).max() > 1e-2 * largest
    np.testing.assert_allclose(seen, simulated, rtol=1e-6, atol=1e-6 * largest)


def test_read_noise_has_the_variance_of_the_simulation():
    chip = xbar.Chip.sample(design(noise=0.1, dac=None, adc=None), 0)
    ticket = xbar.pruning.edge_popup(
        nn.Sequential(nn.Linear(20, 8)), (np.ones((4, 20), np.float32), np.arange(4)),
        weights=chip, epochs=0,
    )  # fmt: skip
    inputs = np.random.default_rng(1).normal(size=(1, 20)).astype(np.float32)
    program = xbar.compile(ticket, chip)
    simulated = program.run(np.repeat(inputs, 4000, axis=0), seed=0).std(axis=0)
    attached(ticket, chip)
    ticket.model.train()
    with torch.no_grad():
        seen = ticket.model(torch.from_numpy(np.repeat(inputs, 4000, axis=0))).numpy().std(axis=0)
    np.testing.assert_allclose(seen, simulated, rtol=0.1)


def test_noise_of_converters_is_drawn_in_training_and_not_in_evaluation():
    noisy = xbar.Converter(bits=7, noise=0.05)
    chip = xbar.Chip.sample(design().model_copy(update={"dac": None, "adc": noisy}), 0)
    ticket = xbar.pruning.edge_popup(network(), data(), weights=chip, epochs=0)
    attached(ticket, chip)
    x = torch.from_numpy(data()[0])
    with torch.no_grad():
        ticket.model.train()
        assert not torch.equal(ticket.model(x), ticket.model(x))
        ticket.model.eval()
        assert torch.equal(ticket.model(x), ticket.model(x))


def test_a_mask_is_learned_through_the_converters(blobs):
    chip = xbar.Chip.sample(design(noise=0.05, dac=4, adc=4), 0)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    ticket = xbar.pruning.edge_popup(model, blobs, weights=chip, epochs=6, analog=True)
    result = xbar.simulate(xbar.compile(ticket, chip), *blobs)
    assert result.accuracy > 0.9
    assert ticket.history[-1].loss < ticket.history[0].loss
    assert type(ticket.model[0]).forward is nn.Linear.forward
    assert "forward" not in vars(ticket.model[0])


def test_converters_are_a_chips_and_of_plain_layers_only(blobs):
    model = nn.Sequential(nn.Linear(8, 3))
    with pytest.raises(SpecError, match="analog needs weights=chip"):
        xbar.pruning.edge_popup(model, blobs, analog=True)
    chip = xbar.Chip.sample(design(), 0)
    line = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(6, 3))
    inputs = (blobs[0].reshape(-1, 2, 4), blobs[1])
    with pytest.raises(SpecError, match="0: analog training takes linear layers and Conv2d"):
        xbar.pruning.edge_popup(line, inputs, weights=chip, analog=True)
