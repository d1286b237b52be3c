from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import ModelError, SpecError
from xbar.training.chip_weights import cells_of, powers_of

torch = pytest.importorskip("torch")
nn = torch.nn


def hardware(**bank):
    return xbar.Hardware(
        bank=xbar.Bank(**{"resistors": 2, "sigma": 0.3, "on_off_ratio": 100, **bank}),
        tile=xbar.Tile(word_lines=12, bit_lines=20),
    )


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    )


def data(count=60):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 2, 4, 4)).astype(np.float32), np.arange(count) % 3


def find(chip, **options):
    return xbar.pruning.edge_popup(
        network(), data(), weights=chip, **{"keep": 0.4, "epochs": 2, **options}
    )


def test_a_weight_has_the_cells_that_the_compiler_gives_it():
    chip = xbar.Chip.sample(hardware(), 0)
    shapes = {"a": (1, 13, 30), "b": (2, 3, 5)}
    cells = cells_of(chip, shapes)
    ones = {name: np.ones(shape) for name, shape in shapes.items()}
    program = xbar.compile(ones, chip, options=xbar.Options(pack="none"))
    for tile in program.tiles:
        on = chip.on(tile.index).sum(axis=-1)
        for part in tile.blocks:
            block = part.block
            pair = (
                on[block.word_lines[:, None], 2 * block.columns]
                - (on[block.word_lines[:, None], 2 * block.columns + 1])
            )
            np.testing.assert_allclose(block.of(cells[block.layer].on), pair, rtol=1e-12)
            np.testing.assert_allclose(block.of(cells[block.layer].off), pair / 100, rtol=1e-12)


def test_drifted_resistors_have_the_read_noise_that_their_law_gives_each():
    """Of PCM min(0.0088 / x^0.65, 0.2) sqrt(ln((t + 250 ns) / 500 ns)), x at programming."""
    design = hardware(nominal=["40k", "400k"]).model_copy(
        update={"device": xbar.DeviceLaw(law="pcm")}
    )
    chip = xbar.Chip.sample(design, 0)
    later = chip.at(time="1 d")
    found = powers_of(later, {"a": (1, 10, 12)})["a"][1, 0]  # one tile
    x = np.minimum(chip.on(0) / 25e-6, 1.0)  # the end of its data
    q = np.minimum(0.0088 / x**0.65, 0.2)
    noise = later.on(0) * q * np.sqrt(np.log((86_400 + 250e-9) / 500e-9))
    each = (noise / later.hardware.variation.read_noise) ** 2
    pairs = each.sum(axis=-1).reshape(12, 10, 2).sum(axis=-1)
    np.testing.assert_allclose(found, pairs.T, rtol=1e-6)


def test_stuck_resistors_count_as_they_are_stuck():
    on = np.array([[[[1.0, 2.0], [4.0, 8.0]]]])
    stuck = np.array([[[[-1, 0], [1, 0]]]])
    design = xbar.Hardware(bank=xbar.Bank(resistors=2), tile=xbar.Tile(word_lines=1, bit_lines=2))
    chip = xbar.Chip(design, None, xbar.hardware.measurement.Measurement(on, on / 10, stuck))
    cells = cells_of(chip, {"a": (1, 1, 1)})["a"]
    assert cells.on.item() == pytest.approx((0.1 + 2.0) - (4.0 + 8.0))
    assert cells.off.item() == pytest.approx((0.1 + 0.2) - (4.0 + 0.8))


@pytest.mark.parametrize("bank", [{}, {"stuck_open": 0.1, "stuck_closed": 0.1}])
def test_the_programmed_chip_is_the_ticket_itself(bank):
    chip = xbar.Chip.sample(hardware(**bank), 3)
    ticket = find(chip)
    program = xbar.compile(ticket, chip)
    inputs = data(40)[0]
    with torch.no_grad():
        own = ticket.model(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(program.run(inputs), own, rtol=1e-4, atol=1e-5)
    for name, kept in ticket.switches().items():
        seen = np.zeros(kept.shape)
        for tile in program.tiles:
            for part in tile.blocks:
                if part.block.layer == name:
                    both = tile.mapping.choice(tile.mask, part.block)
                    alive = tile.mapping.choice(chip.stuck(tile.index) == 0, part.block)
                    wanted = (part.block.of(kept) > 0)[..., None] & alive
                    np.testing.assert_array_equal(both, wanted)
                    part.block.put(seen, np.ones(part.block.shape))
        assert seen.all()


def test_a_pruned_cell_leaves_its_leakage_in_the_model():
    chip = xbar.Chip.sample(hardware(), 0)
    ticket = find(chip)
    perfect = find(xbar.Chip.sample(hardware(on_off_ratio=float("inf")), 0))
    weight, mask = ticket.model[4].weight.detach().numpy(), ticket.mask["4"]
    assert (weight[~mask] != 0).all()
    assert np.abs(weight[~mask]).mean() == pytest.approx(np.abs(weight[mask]).mean() / 100, rel=0.5)
    assert (perfect.model[4].weight.detach().numpy()[~perfect.mask["4"]] == 0).all()


def test_trials_of_a_ticket_of_a_chip_are_reads_of_that_chip(tmp_path):
    inputs, labels = data()
    program = xbar.compile(find(xbar.Chip.sample(hardware(), 0)), xbar.Chip.sample(hardware(), 0))
    program.save(tmp_path / "a.xbar")
    loaded = xbar.Program.load(tmp_path / "a.xbar")
    assert loaded.decided
    first, *others = xbar.simulate(loaded, inputs, labels, trials=3, seed=5).accuracies
    assert others == [first, first]
    right = (program.run(inputs).argmax(axis=1) == labels).mean()
    assert first == pytest.approx(right)


def test_weights_on_a_chip_have_the_size_of_random_ones():
    chip = xbar.Chip.sample(hardware(on_off_ratio=float("inf")), 0)
    model = nn.Sequential(nn.Linear(100, 200))
    inputs = (np.zeros((4, 100), np.float32), np.arange(4))
    ticket = xbar.pruning.edge_popup(model, inputs, keep=0.5, weights=chip, epochs=0)
    weight = ticket.model[0].weight.detach().numpy()[ticket.mask["0"]]
    assert np.sqrt(np.mean(weight**2)) == pytest.approx(np.sqrt(2 / 50), rel=0.03)


def test_a_chip_with_too_few_tiles_is_refused(tmp_path):
    design = hardware()
    chip = xbar.Chip.sample(design, 0)
    np.savez(tmp_path / "chip.npz", on=np.stack([chip.on(t) for t in range(2)]))
    measured = xbar.Chip.from_measurement(tmp_path / "chip.npz", design)
    with pytest.raises(SpecError, match="at least 4 tiles for this network, but 2 were measured"):
        find(measured)


def test_a_layer_that_is_no_module_is_refused():
    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.matrix = nn.Linear(8, 3), nn.Parameter(torch.ones(3, 3))

        def forward(self, x):
            return self.first(x) @ self.matrix

    chip = xbar.Chip.sample(hardware(), 0)
    inputs = (np.zeros((4, 8), np.float32), np.arange(4) % 3)
    with pytest.raises(ModelError, match="every layer must be linear or a convolution to take"):
        xbar.pruning.edge_popup(Product(), inputs, weights=chip)


def test_a_ticket_goes_to_its_own_chip_only():
    chip, other = (xbar.Chip.sample(hardware(), seed) for seed in (0, 1))
    ticket = find(chip)
    with pytest.raises(SpecError, match=r"tile 0 has other conductances.*pruning\.move"):
        xbar.compile(ticket, other)
    with pytest.raises(SpecError, match="must be the one that the ticket was found on"):
        xbar.compile(ticket, hardware(), seed=1)
    taller = hardware().model_copy(update={"tile": xbar.Tile(word_lines=13, bit_lines=20)})
    with pytest.raises(SpecError, match="its tiles have other cells"):
        xbar.compile(ticket, taller, seed=0)
    moved = xbar.compile(xbar.pruning.move(ticket, other), other)
    assert moved.chip is other
    own = xbar.compile(ticket, chip)
    assert any(
        not np.array_equal(moved.matrices()[name], own.matrices()[name])
        for name in moved.matrices()
    )


def test_the_same_resistors_are_the_same_chip_whatever_their_wires():
    ticket = find(xbar.Chip.sample(hardware(), 3))
    wired = xbar.Tile(word_lines=12, bit_lines=20, word_wire=1.0, bit_wire=1.0)
    program = xbar.compile(ticket, hardware().model_copy(update={"tile": wired}), seed=3)
    assert program.chip.hardware.tile.word_wire == 1.0
    for name, matrix in xbar.compile(ticket, ticket.chip).matrices().items():
        np.testing.assert_array_equal(program.matrices()[name], matrix)
