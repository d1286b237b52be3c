"""Published chips as designs of xbar, and what was published of them.

ISAAC   A. Shafiee et al., ISCA 2016, Tables I and IV (corrected version of October 2016), a model:
        168 tiles of 12 x 8 arrays of 128 x 128 cells of 2 bits, 16-bit inputs one bit at a time in
        reads of 100 ns, an 8-bit ADC an array; 16-bit weights in 8 columns. xbar leaves links to
        other chips out, and so do these figures (10.4 W, 22.88 mm²).
HERMES  R. Khaddam-Aljameh et al., IEEE J. Solid-State Circuits 57 (4), 2022, measured silicon: one
        core of 256 x 256 cells of four phase-change devices in 14 nm, 8-bit inputs, an 8-bit ADC a
        column, 1.008 TOPS, 10.5 TOPS/W, 1.59 TOPS/mm².
IBM     M. Le Gallo et al., Nature Electronics 6, 2023, measured silicon: 64 such cores, 63.1 TOPS
        and 9.76 TOPS/W in one phase.
NeuRRAM W. Wan et al., Nature 608, 2022, measured silicon, as CiMLoop read its figures 11 and 12: 48
        cores of 256 x 256 devices in 130 nm; with inputs of 4 bits and outputs of 6, 62.4 fJ an
        operation and 0.744 TOPS; a core takes 1.16 mm².
NeuroSim  DNN+NeuroSim 1.4 run by us (``NEUROSIM``): 3 layers of VGG-8's shapes, 8-bit weights in 8
        binary cells, 8-bit inputs one bit at a time, arrays of 128 x 128 cells of 100 kohm to 1.7
        Mohm in 32 nm (LSTP), a 5-bit SAR ADC for 8 columns.
"""

from __future__ import annotations

from dataclasses import dataclass

from xbar import Bank, Converter, Cost, Hardware, Tile
from xbar.simulation.peak import Peak, cell_energy, peak


@dataclass(frozen=True)
class Row:
    """A figure of a chip.

    Attributes:
        chip: its name.
        figure: what it is, with its unit.
        published: the published value.
        found: xbar's.
        factor: by how much they may differ, either way.
        why: why they do.
    """

    chip: str
    figure: str
    published: float
    found: float
    factor: float
    why: str


# --- ISAAC ---------------------------------------------------------------------------------------

ISAAC = Hardware(
    bank=Bank(resistors=1),
    tile=Tile(word_lines=128, bit_lines=128),
    dac=Converter(bits=16, bit_serial=1, code="twos-complement"),
    adc=Converter(bits=8, shared=128),
    cost=Cost(overlap=True, adc_time=100e-9 / 128, bit_area=0.0),
)
ISAAC_ARRAYS = 168 * 12 * 8
ISAAC_ARRAY_WATTS = 2.4e-3 / 8
"""Of an array's cells; conductances and voltages are not published."""


def isaac() -> list[Row]:
    """ISAAC-CE, without its links to other chips."""
    cell = ISAAC_ARRAY_WATTS * 16 * 100e-9 / 128**2
    found = peak(ISAAC, 128, ISAAC_ARRAYS, cell, slices=8)
    watts, square = 65.8 - 10.4, 85.4 - 22.88
    tops = 0.47895 * 85.4
    adc, buffers = found.energy["adc"] / found.time, found.energy["buffers"] / found.time
    ours = "constants are ISAAC's own: this checks what is counted"
    survey = "the survey's ADC takes 1.2 times the power and 5 times the area of ISAAC's"
    chip = "ISAAC"
    return [
        Row(chip, "TOPS", tops, found.tops, 1.05, ours),
        Row(chip, "DACs, W", 168 * 12 * 4e-3, found.energy["dac"] / found.time, 1.05, ours),
        Row(chip, "adders, W", 168 * 12 * 0.2e-3, _watts(found, "adders"), 1.2, ours),
        Row(chip, "registers, W", 168 * 12 * 1.47e-3, _watts(found, "registers"), 1.1, ours),
        Row(chip, "buffers, W", 168 * 20.7e-3, buffers, 2, _BUFFERS),
        Row(chip, "buses, W", 168 * 7e-3, _watts(found, "buses"), 2, _BUFFERS),
        Row(chip, "ADCs, W", 168 * 12 * 16e-3, adc, 1.3, survey),
        Row(chip, "ADCs, mm²", 168 * 12 * 0.0096, found.area["adc"] * 1e6, 6, survey),
        Row(chip, "W", watts, found.power, 1.3, survey),
        Row(chip, "mm²", square, sum(found.area.values()) * 1e6, 3, survey),
        Row(chip, "TOPS/W", tops / watts, found.tops_per_watt, 1.3, survey),
        Row(chip, "TOPS/mm²", tops / square, found.tops_per_mm2, 3, survey),
    ]


_BUFFERS = "at the peak each array takes inputs of its own; ISAAC provides for two thirds of that"

# --- measured silicon ----------------------------------------------------------------------------


def _core(
    node: float, seconds: float, read: float, inputs: int, outputs: int, bank: Bank
) -> Hardware:
    """A core of 256 x 256 cells, an ADC a column, which converts during the next read.

    It has no buffer and bus of its own.
    """
    return Hardware(
        bank=bank,
        tile=Tile(word_lines=256, bit_lines=256),
        dac=Converter(bits=inputs),
        adc=Converter(bits=outputs),
        cost=Cost(
            node=node, overlap=True, read_time=read, adc_time=seconds, bit_area=0.0, cluster=64,
            buffer=0, buffer_energy=0.0, bus_area=0.0, bus_energy=0.0,
        ),
    )  # fmt: skip


HERMES_SECONDS = 2 * 256**2 / 1.008e12
HERMES = _core(14e-9, HERMES_SECONDS, HERMES_SECONDS, 8, 8, Bank(resistors=4, nominal=1 / 12.5e-6))
NEURRAM_SECONDS = 48 * 256**2 / 0.7438677864e12
NEURRAM = _core(130e-9, NEURRAM_SECONDS, 3 * 10e-9, 4, 6, Bank(resistors=1, nominal=1 / 20e-6))
"""Its cells conduct for a pulse of 10 ns a bit of the input's size."""
_BEST = "the survey's ADCs are the best of their kind, and a core's controller is left out"


def hermes() -> list[Row]:
    """One core; half of its devices at half of 25 uS, inputs uniform."""
    found = peak(HERMES, 256, 1, cell_energy(HERMES))
    square = 1.008 / 1.59
    return [
        Row("HERMES", "TOPS", 1.008, found.tops, 1.01, "its time is published"),
        Row("HERMES", "TOPS/W", 10.5, found.tops_per_watt, 4, _BEST),
        Row("HERMES", "TOPS/mm²", 1.59, found.tops_per_mm2, 4, _BEST),
        Row("HERMES", "mm²", square, sum(found.area.values()) * 1e6, 4, _BEST),
    ]


def ibm() -> list[Row]:
    """64 cores."""
    found = peak(HERMES, 256, 64, cell_energy(HERMES))
    return [
        Row("IBM 64 cores", "TOPS", 63.1, found.tops, 1.05, "the core's time is published"),
        Row("IBM 64 cores", "TOPS/W", 9.76, found.tops_per_watt, 4, _BEST),
    ]


def neurram() -> list[Row]:
    """48 cores; a weight is two devices on neighbouring lines."""
    found = peak(NEURRAM, 128, 48, cell_energy(NEURRAM))
    square = 48 * 1270e-6 * 256 / 0.28
    per_operation = sum(found.energy.values()) / found.operations
    converting = (found.energy["adc"] + found.energy["adders"]) / found.operations
    dac = "its inputs are pulses of three levels, xbar's DAC has a level for each value"
    return [
        Row("NeuRRAM", "TOPS", 0.7438677864, found.tops, 1.01, "its time is published"),
        Row("NeuRRAM", "fJ/operation", 62.37, per_operation * 1e15, 2.5, dac),
        Row("NeuRRAM", "ADCs, fJ/operation", 29.11, converting * 1e15, 2, "the survey's ADC"),
        Row("NeuRRAM", "TOPS/W", 15.954, found.tops_per_watt, 2.5, dac),
        Row("NeuRRAM", "mm²", square, sum(found.area.values()) * 1e6, 2, "the survey's ADC"),
    ]


# --- NeuroSim ------------------------------------------------------------------------------------

NEUROSIM = """
    git clone https://github.com/neurosim/DNN_NeuroSim_V1.4, in Inference_pytorch/NeuroSIM:
    Param.cpp: memcelltype = 2 (RRAM), SARADC = true, technode = 32; make
    main NET.csv 8 8 128 128 weight0.csv input0.csv ..., with normal weights of deviation 0.25 and
    inputs max(0, normal of deviation 0.3), in its files' form
    NET.csv: 16,16,128,3,3,256,0,1 / 8,8,256,3,3,512,0,1 / 1,1,1024,1,1,512,0,1
"""
NEUROSIM_ARRAYS = 1984
"""Of its floor plan: 4 x 144 + 2 x 576 + 256, layers duplicated."""
_CLOCK, _READ = 11.386e-9, 6e-9
"""Seconds: its clock, and what its ADC takes."""
_VOLTS, _ONES, _CLOSED = 0.51, 0.173, 0.496
"""Its read voltage; shares of ones among the inputs' and weights' bits that we gave it."""
_FIRST = {"adc": 4.05132e6, "adders": 923311.0, "others": 2.67475e6}
"""Picojoules of its first layer, of 144 arrays x 256 products."""


def neurosim() -> list[Row]:
    """An array of NeuroSim's, per product of its first layer."""
    each = {name: value * 1e-12 / (144 * 256) for name, value in _FIRST.items()}
    design = Hardware(
        bank=Bank(resistors=1, nominal=100e3, on_off_ratio=17),
        tile=Tile(word_lines=128, bit_lines=128),
        dac=Converter(bits=9, bit_serial=1, range=_VOLTS),
        adc=Converter(bits=5, shared=8),
        cost=Cost(read_time=_READ, adc_time=_CLOCK, bit_area=0.0, cluster=16),
    )
    siemens = _CLOSED / 100e3 + (1 - _CLOSED) / 1.7e6
    found = peak(design, 128, 1, 8 * siemens * _VOLTS**2 * _ONES * _READ, slices=8)
    cells = NEUROSIM_ARRAYS * found.area["devices"] * 1e6
    adcs = NEUROSIM_ARRAYS * found.area["adc"] * 1e6
    read = found.energy["adc"] + found.energy["arrays"]
    others = sum(found.energy.values()) - read - found.energy["adders"]
    rows = [
        ("cells, mm²", 1.59773, cells, 1.05, "48 F² each: this checks the count"),
        ("ADCs, mm²", 8.3422, adcs, 16, "263 um² each, the survey's best of 5 bits 3,400"),
        ("ADCs and cells, pJ", each["adc"] * 1e12, read * 1e12, 12, "0.1 pJ, the survey's 0.9"),
        ("adders, pJ", each["adders"] * 1e12, found.energy["adders"] * 1e12, 1.5, _ADDED),
        ("others, pJ", each["others"] * 1e12, others * 1e12, 20, _OTHERS),
        ("all, pJ", sum(each.values()) * 1e12, sum(found.energy.values()) * 1e12, 15, _OTHERS),
        ("a product, ns", 121360 / 64, found.time * 1e9, 3, "it adds buffers and wires"),
    ]
    return [Row("NeuroSim", *row) for row in rows]


_ADDED = "it adds up rows of arrays, too"
_OTHERS = "xbar has ISAAC's DACs and buffers; NeuroSim reads an input once for all windows"


def _watts(found: Peak, name: str) -> float:
    return found.energy[name] / found.time


def compare() -> list[Row]:
    """All figures."""
    return [*isaac(), *hermes(), *ibm(), *neurram(), *neurosim()]
