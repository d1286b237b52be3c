"""Energy against the dissipation of every resistor and wire; counts against direct counting."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.hardware.cost import Cost
from xbar.simulation.cost import cost
from xbar.simulation.power import driver_current, input_admittance, read_power
from xbar.simulation.ranges import Ranges

RNG = np.random.default_rng(3)


def crossbar(ends=("left", "bottom"), wires=(7.0, 5.0, 20.0, 30.0)):
    drive, sense = ends
    g = RNG.uniform(1e-5, 1e-3, (5, 4)) * (RNG.random((5, 4)) > 0.2)
    word, bit, source, load = wires
    return xbar.Crossbar(g, word, bit, source, load, drive=drive, sense=sense)


def dissipated(array, volts):
    """Watts in every cell, wire segment, source and load, from one solution's node voltages."""
    solution = array.solve(volts[None])
    cell = solution.cell_current[0]
    total = (cell * (solution.word_voltage[0] - solution.bit_voltage[0])).sum()
    # what flows through a word-line segment is what the cells behind it take; likewise bit lines
    behind = np.cumsum(cell[:, ::-1], axis=1)[:, ::-1]
    above = np.cumsum(cell, axis=0)
    total += (behind**2 * array.word_wire).sum() + (above**2 * array.bit_wire).sum()
    total += (cell.sum(axis=1) ** 2 * array.source).sum()
    return total + (cell.sum(axis=0) ** 2 * array.load).sum()


def test_the_drivers_power_is_what_all_resistors_dissipate():
    array = crossbar()
    volts = RNG.uniform(-0.2, 0.2, (6, 5))
    expected = [dissipated(array, v) for v in volts]
    np.testing.assert_allclose(read_power(array, volts), expected, rtol=1e-10)
    few = read_power(array, volts[:2])
    np.testing.assert_allclose(few, expected[:2], rtol=1e-10)


def test_ngspice_finds_at_the_amplifiers_what_the_drivers_give(ngspice):
    from xbar.circuit.engines.ngspice import run
    from xbar.circuit.netlist import crossbar_netlist

    array = crossbar()
    volts = RNG.uniform(0.05, 0.2, 5)
    given = driver_current(array, volts[None]).sum()
    assert given == pytest.approx(run(crossbar_netlist(array, volts)).sum(), rel=1e-9)


def test_the_admittance_is_reciprocal():
    admittance = input_admittance(crossbar())
    np.testing.assert_allclose(admittance, admittance.T, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("ends", [("right", "top"), ("both", "bottom"), ("left", "both")])
def test_power_is_conserved_whichever_ends_are_driven(ends):
    array = crossbar(ends)
    volts = RNG.uniform(-0.2, 0.2, (3, 5))
    given, taken = driver_current(array, volts).sum(axis=1), array.read(volts).sum(axis=1)
    np.testing.assert_allclose(given, taken, rtol=1e-9)
    assert (read_power(array, volts) > 0).all()


def test_ideal_wires_dissipate_in_cells_alone():
    array = crossbar(wires=(0.0, 0.0, 0.0, 0.0))
    volts = RNG.uniform(-0.2, 0.2, (7, 5))
    np.testing.assert_allclose(
        read_power(array, volts), (volts**2 @ array.conductance).sum(axis=1), rtol=1e-12
    )


WEIGHTS = {"fc": RNG.standard_normal((7, 19)), "grouped": RNG.standard_normal((3, 2, 5))}
X = {"fc": RNG.standard_normal((9, 19)), "grouped": RNG.standard_normal((9, 3, 5))}


def program(**changes):
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=3, on_off_ratio=100, nominal=10e3),
        tile=xbar.Tile(
            word_lines=8, bit_lines=10, word_wire=3.0, bit_wire=2.0, source=5.0, load=9.0
        ),
    ).model_copy(update=changes)
    return xbar.compile(WEIGHTS, hardware, seed=0)


SERIAL = {
    "dac": xbar.Converter(bits=4, bit_serial=1, range=0.3),
    "adc": xbar.Converter(bits=6, shared=2),
}


def test_read_energy_is_the_dissipation_of_every_read():
    p = program(**SERIAL)
    found = {layer.name: layer for layer in cost(p, X).layers}
    for name, x in X.items():
        flat = x.reshape(len(x), len(p.weights[name]), -1)
        codes = np.rint(flat / np.abs(flat).max(axis=(1, 2), keepdims=True) * 7).astype(int)
        total = 0.0
        for tile, number, part in p.blocks_of(name):
            for step in range(3):
                bits = (np.abs(codes) >> step & 1) * np.sign(codes)
                volts = 0.3 * bits[:, part.block.group][:, part.block.inputs]
                lines = tile.voltage(volts, number)
                total += np.mean([dissipated(tile.crossbar(), v) for v in lines])
        assert found[name].read_energy == pytest.approx(total * 100e-9, rel=1e-9)
        assert found[name].solved == len(list(p.blocks_of(name)))


def test_counts_are_those_of_a_direct_count():
    p = program(**SERIAL)
    found = cost(p, X)
    assert found.tiles == len(p.tiles)
    assert found.devices == found.configuration_bits == len(p.tiles) * 8 * 10 * 3
    fc, grouped = found.layers
    assert fc.devices == 2 * 3 * 7 * 19
    assert grouped.devices == 2 * 3 * 3 * 2 * 5
    assert fc.closed + grouped.closed == sum(tile.mask.sum() for tile in p.tiles)
    # 19 inputs need 3 rows of tiles and 7 outputs 2 columns; 3 bits of magnitude
    assert (fc.tiles, fc.reads) == (6, 6 * 3)
    assert fc.dac_conversions == 2 * 19 * 3
    assert fc.adc_conversions == 3 * 7 * 3
    assert fc.additions == 3 * 7 * 3 - 7
    assert grouped.reads == len(list(p.blocks_of("grouped"))) * 3
    assert grouped.adc_conversions == 3 * 2 * 3
    assert grouped.additions == 3 * 2 * (3 - 1)


def test_energy_and_area_are_the_stated_formulas():
    constants = Cost(
        read_time="20 ns", hold_energy=0, hold_area=0, adc_step_energy="5f", adc_time="2 ns",
        adc_area=1e-9, adc_area_bits=7, dac_energy="0.1p", dac_area=1e-13, add_energy="1f",
        add_area=3e-12, device_area=1e-14,
        bit_area=2e-14,
    )  # fmt: skip
    p = program(**SERIAL, cost=constants)
    found = cost(p, X)
    fc = found.layers[0]
    assert fc.dac_energy == pytest.approx(fc.dac_conversions * 0.1e-12)
    assert fc.adc_energy == pytest.approx(fc.adc_conversions * 5e-15 * 64)
    assert fc.add_energy == pytest.approx(fc.additions * 1e-15)
    parts = ("read_energy", "dac_energy", "adc_energy", "add_energy")
    spent = sum(getattr(x, part) for x in found.layers for part in parts)
    spent += sum(sum(x.move_energy.values()) for x in found.layers)
    assert found.energy == pytest.approx(spent + found.leakage * found.interval)
    tiles = len(p.tiles)
    assert found.area["devices"] == pytest.approx(tiles * 240 * 1e-14)
    assert found.area["bits"] == pytest.approx(tiles * 240 * 2e-14)
    assert found.area["dac"] == pytest.approx(tiles * 8 * 1e-13)
    assert found.area["adc"] == pytest.approx(tiles * 3 * 1e-9 / 2)  # 5 columns, 2 an ADC
    assert found.area["adders"] == pytest.approx(tiles * 3 * 3e-12)
    assert sum(layer.area for layer in found.layers) == pytest.approx(found.total_area)


def test_a_shared_adc_reads_its_columns_in_turn():
    slow = Cost(read_time="100 ns", adc_time="10 ns")

    def latency(shared):
        converters = {**SERIAL, "adc": xbar.Converter(bits=6, shared=shared)}
        return cost(program(**converters, cost=slow), X).layers[0].latency

    # 3 steps; the widest block has 4 columns
    assert latency(1) == pytest.approx(3 * (100e-9 + 10e-9))
    assert latency(2) == pytest.approx(3 * (100e-9 + 20e-9))
    assert latency(64) == pytest.approx(3 * (100e-9 + 40e-9))


def test_without_converters_only_reads_cost():
    found = cost(program(), X)
    for layer in found.layers:
        assert layer.read_energy > 0
        assert layer.energy == layer.read_energy
        assert layer.dac_conversions == layer.adc_conversions == layer.additions == 0
        assert layer.latency == 100e-9
    assert found.area["dac"] == found.area["adc"] == found.area["adders"] == 0


def test_uniform_voltages_are_a_function_of_the_seed():
    p = program(**SERIAL)
    first = cost(p, seed=1)
    assert first.activity == "uniform"
    assert first == cost(p, seed=1)
    assert first.energy != cost(p, seed=2).energy
    wide = program()
    # E[v²] = V²/3 for independent voltages, whatever the wires: the diagonal of the admittance
    expected = 0.0
    for tile, _, part in wide.blocks_of("fc"):
        own = np.diag(input_admittance(tile.crossbar()))[part.block.word_lines]
        expected += 0.2**2 / 3 * own.sum() * 100e-9
    assert cost(wide).layers[0].read_energy == pytest.approx(expected, rel=0.1)


def test_unsolved_tiles_are_scaled_by_what_wires_took(monkeypatch):
    p = program()
    exact = cost(p, X).layers[0]
    monkeypatch.setattr("xbar.simulation.cost.TILES", 2)
    some = cost(p, X).layers[0]
    assert (exact.solved, some.solved) == (6, 2)
    assert some.read_energy == pytest.approx(exact.read_energy, rel=0.03)
    assert some.read_energy != exact.read_energy


def test_ranges_from_data_lower_the_voltages():
    p = program(dac=xbar.Converter(bits=8))
    wide = cost(p, X, ranges=Ranges({"fc": 20.0, "grouped": 20.0}, {}))
    own = cost(p, X)
    assert wide.layers[0].read_energy < 0.1 * own.layers[0].read_energy


def test_convolutions_are_read_once_a_position(trained):
    from xbar.simulation.dataset import read_dataset

    graph, data = xbar.read_model(trained.path), read_dataset(trained.data)
    hardware = xbar.Hardware(tile=xbar.Tile(word_lines=32, bit_lines=32), **SERIAL)
    p = xbar.compile(graph, hardware, seed=0)
    result = xbar.simulate(p, data.inputs[:20], cost=True)
    conv, hidden, _ = result.cost.layers
    assert (conv.products, hidden.products) == (16, 1)
    assert conv.adc_conversions == 16 * 6 * 3
    assert conv.latency == pytest.approx(16 * 3 * (100e-9 + 2 / 1.2e9))
    assert result.cost.interval == pytest.approx(conv.latency)
    arrays = conv.latency + 2 * 3 * (100e-9 + 2 / 1.2e9)
    assert sum(layer.latency for layer in result.cost.layers) == pytest.approx(arrays)
    # one cluster: the bus brings 9, 96 and 24 inputs of 4 bits and takes readings of 6 + 2 bits
    bits = 9 * 4 + 6 * 8 + 96 * 4 + 24 * 8 * 3 + 24 * 4 + 10 * 8
    assert result.cost.latency - arrays == pytest.approx(bits / 256 / 1.2e9)
    assert result.to_json()["cost"]["energy"] == result.cost.energy


def test_every_constant_may_stand_in_the_file(tmp_path):
    (tmp_path / "chip.toml").write_text('[cost]\nread_time = "10 ns"\nadc_area_bits = 10\n')
    hardware = xbar.Hardware.load(tmp_path / "chip.toml")
    assert hardware.cost == Cost(read_time=10e-9, adc_area_bits=10)
    (tmp_path / "chip.toml").write_text('[cost]\nread_tme = "10 ns"\n')
    with pytest.raises(SpecError, match=r"cost\.read_tme is not a known key; known are adc_area"):
        xbar.Hardware.load(tmp_path / "chip.toml")


def test_a_negative_constant_is_refused():
    with pytest.raises(SpecError, match="adc_time must be greater than or equal to 0"):
        Cost(adc_time=-1.0)
