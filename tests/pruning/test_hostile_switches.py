"""The switches of a ticket are data of its own network and chip, or are refused in one line."""

import numpy as np
import pytest

import xbar
from xbar.errors import FileError, SpecError, XbarWarning
from xbar.pruning.store import load_switches, save_ticket, switches_path
from xbar.pruning.ticket import Ticket

torch = pytest.importorskip("torch")

CHIP = xbar.Chip.sample(
    xbar.Hardware(
        bank=xbar.Bank(resistors=1, on_off_ratio=100.0), tile=xbar.Tile(word_lines=8, bit_lines=16)
    ),
    seed=3,
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A ticket on disk, and its network."""
    torch.manual_seed(0)
    mask = {"0": np.random.default_rng(0).random((4, 6)) < 0.5}
    model = torch.nn.Sequential(torch.nn.Linear(6, 4))
    path = tmp_path_factory.mktemp("ticket") / "t.pt2"
    save_ticket(Ticket(model, mask, (6,), "test", chip=CHIP), path)
    return switches_path(path), xbar.read_model(path)


def test_switches_and_units_come_back(stored):
    file, graph = stored
    ticket = load_switches(file, graph, CHIP)
    assert ticket.switches()["0"].shape == (1, 4, 6)
    assert ticket.units()["0"].shape == (1, 4)


def changed(stored, tmp_path, **arrays):
    content = {**dict(np.load(stored[0])), **arrays}
    path = tmp_path / "t.switches.npz"
    np.savez(path, **{name: array for name, array in content.items() if array is not None})
    return path


@pytest.mark.parametrize(
    "arrays",
    [
        {"more": np.ones(3)},
        {"chip": None},
        {"units/0": None},
        {"switches/0": None},
        {"switches/1": np.ones((1, 4, 6), dtype=bool), "units/1": np.ones((1, 4))},
        {"switches/0": np.ones((1, 4, 6))},
        {"switches/0": np.ones((1, 4, 7), dtype=bool)},
        {"units/0": np.full((1, 4), "x")},
        {"units/0": np.full((1, 4), 1j)},
        {"units/0": np.ones((1, 4), dtype=np.float32)},
        {"units/0": np.full((1, 4), np.nan)},
        {"units/0": -np.ones((1, 4))},
        {"chip": np.zeros(32, dtype=np.uint8)},
        {"chip": np.array("x")},
        {"network": np.zeros(32, dtype=np.uint8)},
        {"network": np.zeros((0, 9))},
    ],
)
def test_other_content_is_refused(stored, tmp_path, arrays):
    with pytest.raises((FileError, SpecError)) as refused:
        load_switches(changed(stored, tmp_path, **arrays), stored[1], CHIP)
    assert "\n" not in str(refused.value)


def test_one_changed_byte_gives_the_same_switches_or_one_line(stored, tmp_path):
    whole, graph = stored[0].read_bytes(), stored[1]
    expected, path, refusals = dict(np.load(stored[0])), tmp_path / "t.npz", 0
    for position in range(0, len(whole), 7):
        data = bytearray(whole)
        data[position] ^= 1 << position % 8
        path.write_bytes(data)
        try:
            ticket = load_switches(path, graph, CHIP)
        except (FileError, SpecError, XbarWarning) as error:  # told, at least
            refusals += 1
            assert "\n" not in str(error)
        else:
            np.testing.assert_array_equal(ticket.switches()["0"], expected["switches/0"])
            np.testing.assert_array_equal(ticket.units()["0"], expected["units/0"])
    assert refusals > len(whole) // 7 // 2


def test_switches_of_an_older_version_are_read_with_a_warning(stored, tmp_path):
    path = changed(stored, tmp_path, network=None)
    with pytest.warns(XbarWarning, match="which network its switches belong to"):
        ticket = load_switches(path, stored[1], CHIP)
    assert ticket.switches()["0"].any()


def test_switches_beside_another_network_of_the_same_shape_are_refused(stored, tmp_path):
    other = torch.nn.Sequential(torch.nn.Linear(6, 4))
    graph = xbar.model.from_module(other, (6,))
    with pytest.raises(SpecError, match="those of another network"):
        load_switches(stored[0], graph, CHIP)
