from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.pruning.initial import scaled
from xbar.pruning.wires import Wires
from xbar.training.chip_weights import cells_of, layer_shapes, read_tiles
from xbar.training.layers import prunable

torch = pytest.importorskip("torch")
nn = torch.nn


def design(layout="cell", ratio=50.0, wire=30.0):
    return xbar.Hardware(
        bank=xbar.Bank(resistors=2, nominal=10e3, sigma=0.3, on_off_ratio=ratio, layout=layout),
        tile=xbar.Tile(
            word_lines=24, bit_lines=24, word_wire=wire, bit_wire=wire, source=20.0, load=10.0
        ),
    )


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 3))


@pytest.mark.parametrize("layout", ["cell", "columns", "rows"])
@pytest.mark.parametrize("ratio", [50.0, float("inf")])
def test_what_training_sees_is_what_the_compiled_chip_realises(blobs, layout, ratio):
    chip = xbar.Chip.sample(design(layout, ratio), 1)
    ticket = xbar.pruning.edge_popup(network(), blobs, weights=chip, epochs=1, readout="nodal")
    layers = prunable(ticket.model)
    shapes = layer_shapes(ticket.graph(), list(layers))
    cells = cells_of(chip, shapes)
    own = ticket.switches()
    scales = {}
    for name, each in cells.items():
        ideal = np.where(own[name], each.on, each.off)
        weight = layers[name].weight.detach().numpy()
        scales[name] = np.abs(weight).sum() / np.abs(ideal).sum()
        np.testing.assert_allclose(weight, scales[name] * ideal[0], rtol=1e-5, atol=1e-7)
    seen = Wires(chip, shapes, scales, layers).states(ticket.mask)
    program = xbar.compile(ticket, chip)
    realised = program.matrices("nodal")
    ideal = scaled(cells, scales, layers)
    for name, states in seen.items():
        weight = states.under(ticket.mask[name])
        size = np.abs(weight).max()
        assert np.abs(weight - realised[name]).max() < 1e-5 * size
        assert np.abs(weight - ideal[name].under(ticket.mask[name])).max() > 0.05 * size


@pytest.mark.parametrize("ratio", [50.0, float("inf")])
def test_a_weights_other_state_is_foreseen(blobs, ratio):
    """One weight of the mask changed: the compiled chip's weight against what was foreseen."""
    chip = xbar.Chip.sample(design(ratio=ratio, wire=10.0), 1)
    ticket = xbar.pruning.edge_popup(network(), blobs, weights=chip, epochs=0)
    layers = prunable(ticket.model)
    shapes = layer_shapes(ticket.graph(), list(layers))
    scales = dict.fromkeys(shapes, 1e4)
    switches = ticket.switches()
    foreseen = Wires(chip, shapes, scales, layers).states(ticket.mask)["0"]
    ideal = scaled(cells_of(chip, shapes), scales, layers)["0"]
    missed, ignored = 0.0, 0.0
    for place in ((3, 2), (19, 7), (0, 0), (10, 4)):
        changed = ticket.mask["0"].copy()
        changed[place] ^= True
        reading = read_tiles(chip, shapes, {**switches, "0": changed[None]})
        exact = scaled(cells_of(chip, shapes, reading), scales, layers)["0"].under(changed)[place]
        missed += abs(foreseen.under(changed)[place] - exact)
        ignored += abs(ideal.under(changed)[place] - exact)
    # what is not foreseen is a cell's own pull on its lines, one among the cells that share them
    assert missed < ignored / 3


def test_a_mask_learned_with_the_wires_reads_better_through_them(digits):
    """Wires that spoil a mask for ideal wires leave one that was learned with them working."""
    chip = xbar.Chip.sample(
        xbar.Hardware(
            bank=xbar.Bank(resistors=1, nominal=10e3, sigma=0.3, on_off_ratio=100),
            tile=xbar.Tile(word_lines=64, bit_lines=128, word_wire=3.0, bit_wire=3.0),
        ),
        0,
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    data = (digits.train, digits.train_labels)
    sharp = xbar.pruning.Recipe(rate=1.0, sharpen=True)
    found = {}
    for readout in ("ideal", "nodal"):
        ticket = xbar.pruning.edge_popup(
            model, data, weights=chip, epochs=20, seed=1, readout=readout, recipe=sharp
        )
        program = xbar.compile(ticket, chip)
        result = xbar.simulate(program, digits.test, digits.test_labels, readout="nodal")
        found[readout] = result.accuracy
    assert found["nodal"] > 0.9
    assert found["nodal"] > found["ideal"] + 0.02


def test_a_mask_moved_to_another_chip_is_worth_nothing(digits):
    hardware = design(wire=0.0)
    chip, other = (xbar.Chip.sample(hardware, seed) for seed in (0, 1))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    ticket = xbar.pruning.edge_popup(
        model, (digits.train, digits.train_labels), weights=chip, epochs=12
    )
    own, moved, back = (
        xbar.training.loop.accuracy(each.model, digits.test, digits.test_labels)
        for each in (
            ticket,
            xbar.pruning.move(ticket, other),
            xbar.pruning.move(xbar.pruning.move(ticket, other), chip),
        )
    )
    assert own > 0.9
    assert moved < 0.2
    assert back == own


def test_a_ticket_of_no_chip_can_not_be_moved(blobs):
    ticket = xbar.pruning.edge_popup(network(), blobs, epochs=0)
    with pytest.raises(SpecError, match="only a ticket of a chip can be moved to another"):
        xbar.pruning.move(ticket, xbar.Chip.sample(design(), 0))


def test_without_a_chip_there_are_no_wires_to_learn_with(blobs):
    with pytest.raises(SpecError, match="readout must be 'ideal' without a chip"):
        xbar.pruning.edge_popup(network(), blobs, readout="nodal")
