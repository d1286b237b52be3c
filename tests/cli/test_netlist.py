"""``xbar netlist`` of a tile that several blocks share: it is chosen whose lines are driven."""

import json
import re

import numpy as np
import pytest

import xbar
from xbar.circuit.engines.ngspice import run as run_ngspice
from xbar.compiler.block import Block, span
from xbar.compiler.mapping import get_mapping
from xbar.compiler.plan import Plan
from xbar.compiler.program import Program
from xbar.compiler.tile import ProgrammedBlock, ProgrammedTile, Reached, pack

HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=5),
    tile=xbar.Tile(word_lines=16, bit_lines=20, word_wire=1.0, bit_wire=1.0),
)


def all_on_one_tile(graph):
    """Every matrix of a graph on word lines and columns of its own, subsets at random."""
    weights = {layer.name: np.asarray(layer.matrix, dtype=np.float64) for layer in graph.layers}
    blocks, row, column = [], 0, 0
    for name, matrix in weights.items():
        for group, (outputs, inputs) in enumerate([matrix.shape[1:]] * len(matrix)):
            lines, columns = span(row, row + inputs), span(column, column + outputs)
            block = Block(name, group, span(0, inputs), span(0, outputs), lines, columns)
            blocks.append(ProgrammedBlock(block, np.full(outputs, 1e-6), block.of(matrix)))
            row, column = row + inputs, column + outputs
    mask = np.random.default_rng(0).random((16, 20, 5)) < 0.5
    chip, reached = xbar.Chip.sample(HARDWARE, 0), (Reached(0.0, 0.0, 1.0, 0),) * len(blocks)
    tile = ProgrammedTile(0, tuple(blocks), pack(mask), chip, get_mapping("pair"), reached)
    return Program(Plan(chip, graph, weights), (tile,))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Its folder, the network and one input; the first layer has two groups."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv1d(4, 4, 1, groups=2),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
        torch.nn.Linear(3, 2),
    ).eval()
    folder = tmp_path_factory.mktemp("shared")
    x = torch.rand(2, 4, 1)
    batch = {0: torch.export.Dim("batch")}
    torch.export.save(torch.export.export(module, (x,), dynamic_shapes=(batch,)), folder / "m.pt2")
    np.savez(folder / "test.npz", inputs=x[:1].numpy())
    all_on_one_tile(xbar.read_model(folder / "m.pt2")).save(folder / "out.xbar")
    return folder, module, x[:1]


def volts_of(netlist):
    found = re.findall(r"^Vw_(\d+) d_\d+ 0 dc (\S+)$", netlist, re.MULTILINE)
    assert [int(line) for line, _ in found] == list(range(16))
    return np.array([float(volts) for _, volts in found])


def fed(module, x):
    """What PyTorch feeds each block, with the word lines that it lies on."""
    hidden = module[1](module[0](x))
    third = module[3](hidden[..., 0])
    parts = [x.ravel()[:2], x.ravel()[2:], hidden.ravel(), third.ravel()]
    peaks = [x.max(), x.max(), hidden.max(), third.abs().max()]
    starts = np.cumsum([0, 2, 2, 4])
    for part, peak, start in zip(parts, peaks, starts, strict=True):
        yield slice(start, start + len(part)), 0.2 * (part / peak).detach().numpy()


@pytest.mark.parametrize("block", range(4))
def test_data_drive_the_lines_of_the_chosen_block_alone(call, shared, block):
    folder, module, x = shared
    choice = ("--block", block) if block < 2 else ("--layer", "3" if block == 2 else "4")
    code, out, _ = call(
        *("netlist", folder / "out.xbar", "--tile", 0, "--data", folder / "test.npz"),
        *(*choice, "--json"),
    )
    assert code == 0
    content = json.loads(out)
    assert content["block"] == block
    lines, volts = list(fed(module, x))[block]
    expected = np.zeros(16)
    expected[lines] = volts
    np.testing.assert_allclose(volts_of(content["netlist"]), expected, atol=1e-6)
    assert np.count_nonzero(expected) > 1


def test_without_data_the_chosen_block_has_1_volt_and_the_others_none(call, shared):
    code, out, _ = call("netlist", shared[0] / "out.xbar", "--tile", 0, "--layer", "3")
    assert code == 0
    np.testing.assert_array_equal(volts_of(out), [0.0] * 4 + [1.0] * 4 + [0.0] * 8)
    code, out, _ = call("netlist", shared[0] / "out.xbar", "--tile", 0)
    assert code == 0
    np.testing.assert_array_equal(volts_of(out), np.ones(16))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tile", 1), "tile must be from 0 to 0, not 1"),
        (("--tile", 0, "--layer", "9"), "holds no block of '9'"),
        (("--tile", 0, "--layer", "0"), "holds several blocks of '0'"),
        (("--tile", 0, "--block", 4), "--block must be from 0 to 3 here, not 4"),
        (("--tile", 0, "--block", 0, "--layer", "3"), "give one of them"),
    ],
)
def test_a_block_that_is_not_there_is_one_line(refused, shared, arguments, message):
    assert message in refused("netlist", shared[0] / "out.xbar", *arguments)


FLOATING = """
[tile]
word_lines = 24
bit_lines = 12
word_wire = 20
bit_wire = 30
idle = "float"
"""


@pytest.mark.parametrize("detail", ["cell", "bank"])
def test_a_deck_of_lines_that_float_has_the_simulators_products(
    call, refused, ngspice, tmp_path, detail
):
    (tmp_path / "chip.toml").write_text(FLOATING)
    design, rng = xbar.Hardware.load(tmp_path / "chip.toml"), np.random.default_rng(2)
    weights = {name: rng.standard_normal((3, 12)) for name in ("one", "two")}
    program = xbar.compile(weights, design, seed=1, options=xbar.Options(pack="any"))
    program.save(tmp_path / "out.xbar")
    command = ("netlist", tmp_path / "out.xbar", "--tile", 0, "--detail", detail)
    assert "choose one of tile 0's 2 by --layer or --block" in refused(*command)
    for layer in weights:
        code, out, _ = call(*command, "--layer", layer, "--json")
        assert code == 0
        (tile,) = program.tiles
        (number,) = (n for n, each in enumerate(tile.blocks) if each.block.layer == layer)
        volts = tile.voltage(np.ones((1, 12)), number)[0]
        deck = tile.netlist("ngspice", volts, detail, block=number)
        assert deck.text == json.loads(out)["netlist"]
        columns = tile.columns(run_ngspice(deck)[None])[0]
        placed = tile.blocks[number]
        signed = columns[0::2] - columns[1::2]
        found = signed[placed.block.columns] / placed.scale
        expected = program.run({layer: np.ones((1, 12))}, "nodal")[layer][0]
        assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()
