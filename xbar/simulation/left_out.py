"""What the cost of a program assumes, and what it leaves out, as sentences."""

from __future__ import annotations

from xbar.compiler.program import Program
from xbar.hardware.adc_survey import FEWEST_BITS
from xbar.hardware.spec import Hardware
from xbar.simulation.cost_parts import Words, adc_bits, clusters
from xbar.tables import count, few


def assumed(program: Program) -> tuple[str, ...]:
    """Assumptions that this program's figures rest on."""
    hardware, words = program.chip.hardware, Words.of(program.chip.hardware)
    told = [*survey_notes(hardware)]
    if not hardware.cost.bit_area:
        told.append("switch states: kept by the devices, without memory")
    if hardware.later is not None and hardware.later.temperature is not None:
        told.append("leakage of memory and logic: that at 300 K")
    if clusters(hardware, len(program.tiles)) > 1:
        told.append("data movement: layers are taken as a chain, in their order")
    room = hardware.cost.buffer
    full = [
        name
        for name, (groups, outputs, inputs) in program.plan.shapes.items()
        if groups * (inputs * words.input + outputs * words.output) > room
    ]
    if full:
        told.append(
            f"{count(len(full), 'layer')}, of which {full[0]}: inputs and outputs of one product "
            f"are more than cost.buffer of {room} bits"
        )
    return tuple(told)


def survey_notes(hardware: Hardware) -> tuple[str, ...]:
    """What the survey of ADCs can't tell for a design."""
    constants = hardware.cost
    stated = constants.adc_step_energy is not None and constants.adc_area is not None
    if hardware.adc is None or stated:
        return ()
    told = []
    if min(adc_bits(hardware)) < FEWEST_BITS:
        told.append(
            f"ADC: fewer than {FEWEST_BITS} bits are counted as {FEWEST_BITS}, the survey's least"
        )
    if hardware.adc.kind not in ("ideal", "sar"):
        told.append(
            f"ADC: counted as one of the survey's best, whose circuits are of any kind, not as "
            f"kind {hardware.adc.kind!r}"
        )
    return tuple(told)


def left_out(program: Program) -> tuple[str, ...]:
    """What is in none of the figures."""
    told = [*design_left_out(program.chip.hardware)]
    if program.corrections is not None:
        told.append("digital corrections: a multiplication and an addition an output")
    graph = program.graph
    if graph is None:
        return (*told, "what happens to the outputs of these matrices")
    digital = [name for name, _ in graph.digital]
    work = "the network's digital work: activations, pooling, norms, additions of biases"
    if digital:
        work += f", and {count(len(digital), 'product')} kept digital ({few(digital)})"
    return (*told, work)


def design_left_out(hardware: Hardware) -> tuple[str, ...]:
    """What is not counted of any chip of a design."""
    told = [
        "links to other chips and to memory outside",
        "clock, control and supplies",
        "bias of drivers and sense amplifiers, and the charging of lines",
    ]
    bends = {"selector": hardware.selector, "bank.nonlinearity": hardware.bank.nonlinearity}
    if any(part is not None for part in bends.values()):
        parts = " and ".join(name for name, part in bends.items() if part is not None)
        told.append(f"what {parts} changes of the arrays' power: it is that of ohmic cells")
    if hardware.dac is None:
        told.append("drivers, registers, buffers and buses of inputs: the design has no DAC")
    if hardware.adc is None:
        told.append("conversion and what follows it: the design has no ADC")
    return tuple(told)
