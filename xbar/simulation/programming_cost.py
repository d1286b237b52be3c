"""Energy and time to program a chip: what is measured, what is written, and how often.

    measure   subsets are chosen among measured resistors: each is read ``measurements`` times at
              the largest read voltage, all columns of a tile at a time, one resistor of a word line
              and bit line after another, each with an ADC conversion where there is an ADC
    write     every switch state once, a word line of a tile at a time (``write_time``); or tuned
              devices by pulses, each with a read that verifies it, the columns of a word line at a
              time, one device of a cell after another
    again     every ``reprogram`` of the design, for the chip's life: power and share of the time

``tiles_at_once`` tiles are measured and written at a time. Nominal codes need no measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

from xbar.compiler.program import Program
from xbar.errors import SpecError
from xbar.hardware.spec import Hardware
from xbar.simulation.cost_parts import dac_energy
from xbar.units import format_time


@dataclass(frozen=True)
class ProgrammingCost:
    """Cost of programming a chip once, and over its life.

    Attributes:
        measured: number of resistors that are measured.
        measuring_energy: joules for that.
        measuring_time: seconds for that.
        written: number of switch states written, or of tuned devices.
        writing_energy: joules for that.
        writing_time: seconds for that.
        every: seconds between programmings; None if the design states none.
    """

    measured: int
    measuring_energy: float
    measuring_time: float
    written: int
    writing_energy: float
    writing_time: float
    every: float | None = None

    @property
    def energy(self) -> float:
        """Joules of one programming."""
        return self.measuring_energy + self.writing_energy

    @property
    def time(self) -> float:
        """Seconds of one programming."""
        return self.measuring_time + self.writing_time

    @property
    def power(self) -> float:
        """Watts that programming again takes on average."""
        return self.energy / self.every if self.every else 0.0

    @property
    def busy(self) -> float:
        """Share of the time that programming again takes."""
        return self.time / self.every if self.every else 0.0


def programming_cost(program: Program) -> ProgrammingCost:
    """Cost of programming a program's chip.

    Raises:
        SpecError: the chip is to be programmed again before it is programmed, or the survey has no
            such ADC.
    """
    hardware, tiles = program.chip.hardware, len(program.tiles)
    constants, k = hardware.cost, hardware.bank.resistors
    lines, bit_lines = hardware.cells
    devices = tiles * lines * bit_lines * k
    rounds = -(-tiles // constants.tiles_at_once)
    read_time = _read_time(hardware, program.mapping.columns(bit_lines))
    reads = lines * k * program.mapping.bit_lines_per_column * read_time
    method = program.options.programming
    measured = devices * constants.measurements if method == "subset" else 0
    nominal = float(hardware.bank.nominal_conductance.mean())
    measuring = measured * (_power(hardware, nominal) + _converted(hardware))
    if method in ("subset", "nominal"):
        written, writing = devices, devices * constants.write_energy
        writing_time = rounds * lines * constants.write_time
    else:
        written, siemens = _tuned(program)
        pulse = constants.pulse_voltage**2 * constants.pulse_time * siemens
        verify = _power(hardware, siemens) + written * _converted(hardware)
        writing = constants.pulses * (pulse + verify)
        each = constants.pulse_time + read_time
        lines_written = lines * k * program.mapping.bit_lines_per_column
        writing_time = rounds * lines_written * constants.pulses * each
    found = ProgrammingCost(
        measured=measured,
        measuring_energy=measuring,
        measuring_time=rounds * reads * constants.measurements if measured else 0.0,
        written=written,
        writing_energy=writing,
        writing_time=writing_time,
        every=constants.reprogram,
    )
    if found.every is not None and found.time > found.every:
        raise SpecError(
            f"cost.reprogram must be at least {format_time(found.time)}, what programming takes, "
            f"not {format_time(found.every)}; raise cost.tiles_at_once"
        )
    return found


def _tuned(program: Program) -> tuple[int, float]:
    """Number of tuned devices, and siemens of all cells."""
    siemens, written = 0.0, 0
    for tile in program.tiles:
        siemens += float(tile.fresh().array().conductance.sum())
        written += sum(each.switches for each in tile.reached)
    return written, siemens


def _read_time(hardware: Hardware, columns: int) -> float:
    """Seconds to read one resistor in each column of a tile."""
    shared = 0 if hardware.adc is None else min(columns, hardware.adc.shared)
    return hardware.cost.read_time + shared * hardware.cost.adc_time


def _power(hardware: Hardware, siemens: float) -> float:
    """Joules of a read of some conductance at the largest voltage."""
    return hardware.read_voltage**2 * siemens * hardware.cost.read_time


def _converted(hardware: Hardware) -> float:
    """Joules of the converters for one resistor."""
    energy = 0.0 if hardware.dac is None else dac_energy(hardware)
    if hardware.adc is not None:
        energy += hardware.cost.adc_energy(hardware.adc.bits) + hardware.cost.hold_energy
    return energy
