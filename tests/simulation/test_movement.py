"""Moved bits against a count over every weight's devices; ways against shortest paths."""

import networkx as nx
import numpy as np
import pytest

import xbar
from xbar.simulation.cost import cost
from xbar.simulation.cost_inputs import with_constants
from xbar.simulation.movement import moved

RNG = np.random.default_rng(7)
WEIGHTS = {
    "first": RNG.standard_normal((11, 30)),
    "grouped": RNG.standard_normal((3, 4, 9)) * (RNG.random((3, 4, 9)) > 0.3),
    "last": RNG.standard_normal((5, 23)),
}
INTO, SUM = 4, 6 + 2  # 4-bit inputs one bit at a time: readings of 6 bits shifted by up to two


@pytest.fixture(scope="module")
def program():
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=2),
        tile=xbar.Tile(word_lines=8, bit_lines=8),
        dac=xbar.Converter(bits=4, bit_serial=1),
        adc=xbar.Converter(bits=6),
        cost=xbar.Cost(cluster=2, router_clusters=2, buffer=64),
    )
    return xbar.compile(WEIGHTS, hardware, seed=0)


def places(program, name):
    """(tile, group, output, input) of every weight that has cells."""
    groups, outputs, inputs = program.plan.shapes[name]
    for place in np.ndindex(groups, outputs, inputs):
        devices = program.devices_of(name, place[1], place[2], place[0])
        if devices:
            yield (devices[0].tile, *place)


def test_what_moves_is_a_count_over_all_weights_of_the_devices_they_have(program):
    products = {"first": 3, "grouped": 2, "last": 1}
    found = moved(program, products)
    order = [*WEIGHTS]
    cells = {name: [*places(program, name)] for name in order}
    clusters = {name: {tile // 2 for tile, *_ in each} for name, each in cells.items()}
    assert max(map(max, clusters.values())) > 4
    for name, after in zip(order, [*order[1:], None], strict=True):
        rows = {(tile, group, i) for tile, group, _, i in cells[name]}
        readings = {(tile, group, o) for tile, group, o, _ in cells[name]}
        here = {(tile // 2, group, i) for tile, group, i in rows}
        outputs = int(np.prod(program.plan.shapes[name][:2]))
        targets = len(clusters[after]) if after else 0
        n = products[name]
        assert found[name].registers == n * (len(rows) * INTO + len(readings) * SUM)
        assert found[name].buffer == n * (len(here) * INTO + outputs * INTO * targets)
        for cluster in clusters[name]:
            bits = sum(each[0] == cluster for each in here) * INTO
            bits += sum(tile // 2 == cluster for tile, *_ in readings) * SUM
            assert found[name].bus[cluster] == n * bits


def test_ways_are_shortest_paths_over_a_square_mesh_of_routers(program):
    clusters = -(-len(program.tiles) // 2)
    routers = -(-clusters // 2)
    wide = int(np.ceil(np.sqrt(routers)))
    mesh = nx.grid_2d_graph(-(-routers // wide), wide)

    def hops(start, end):
        if start == end:
            return 0
        ways = (divmod(cluster // 2, wide) for cluster in (start, end))
        return 1 + nx.shortest_path_length(mesh, *ways)

    found = moved(program, dict.fromkeys(WEIGHTS, 1))
    order = [*WEIGHTS]
    for name, after in zip(order, [*order[1:], None], strict=True):
        sums = {}
        for tile, group, o, _ in places(program, name):
            sums.setdefault(tile // 2, set()).add((tile, group, o))
        home = min(sums)
        bits = sum(len(each) * SUM * hops(cluster, home) for cluster, each in sums.items())
        outputs = int(np.prod(program.plan.shapes[name][:2]))
        targets = {tile // 2 for tile, *_ in places(program, after)} if after else set()
        bits += outputs * INTO * sum(hops(home, target) for target in targets)
        assert found[name].hops == bits


def test_energy_is_bits_times_their_constants_and_the_busiest_bus_bounds_the_interval(program):
    constants = xbar.Cost(
        cluster=1000, register_energy=1e-15, buffer_energy=2e-15, bus_energy=3e-15, clock=1e3
    )
    one = with_constants(program, constants)
    found, moves = cost(one), moved(one, dict.fromkeys(WEIGHTS, 1))
    for layer in found.layers:
        energy, move = layer.move_energy, moves[layer.name]
        assert energy["registers"] == pytest.approx(move.registers * 1e-15)
        assert energy["buffers"] == pytest.approx(move.buffer * 2e-15)
        assert energy["buses"] == pytest.approx(move.bus[0] * 3e-15)
        assert energy["routers"] == 0  # one cluster has none
    # at a clock of 1 kHz all bits of the one bus are what an input waits for
    on_bus = sum(move.bus[0] for move in moves.values())
    assert found.interval == pytest.approx(on_bus / 256 / 1e3)


def test_without_converters_nothing_digital_moves():
    ideal = xbar.compile(WEIGHTS, xbar.Hardware(tile=xbar.Tile(word_lines=8, bit_lines=8)), seed=0)
    for move in moved(ideal, dict.fromkeys(WEIGHTS, 1)).values():
        assert (move.registers, move.buffer, sum(move.bus.values()), move.hops) == (0, 0, 0, 0)
    found = cost(ideal)
    assert any("no DAC" in each for each in found.left_out)
    assert any("no ADC" in each for each in found.left_out)


def test_a_product_that_does_not_fit_the_buffer_is_told(program):
    notes = cost(program).notes
    assert any("first: inputs and outputs of one product are more than" in each for each in notes)
    assert any("layers are taken as a chain" in each for each in notes)


def test_power_of_cells_that_bend_is_told_to_be_that_of_ohmic_ones():
    cells = {"tile": xbar.Tile(word_lines=8, bit_lines=8)}
    selector = {"voltage": [0.1, 1.0], "current": [1e-9, 1e-4]}
    for more, word in ((selector, "what selector changes"), (None, "")):
        found = cost(xbar.compile(WEIGHTS, xbar.Hardware(**cells, selector=more), seed=0))
        assert any(word and word in each for each in found.left_out) == (more is not None)
