"""What makes a chip's products differ from the network's, part by part.

Each part can be switched off alone, so that an error can be explained:

    selection      the subsets miss their targets; off: every weight is its target
    wires          of the "nodal" and "nonlinear" read-outs; off: as the "ideal" one
    nonlinearity   of the "nonlinear" read-out; off: as the "nodal" one
    dac            inputs are rounded and clipped; off: any voltage, in one step
    adc            currents are rounded and clipped; off: any current
    noise          each resistor's from read to read; off: none
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from xbar.compiler.program import Program
from xbar.effects.readout import Physics as Physics

Effect: TypeAlias = Literal["selection", "wires", "nonlinearity", "dac", "adc", "noise"]
EFFECTS: tuple[Effect, ...] = get_args(Effect)

Precision: TypeAlias = Literal["float64", "float32"]


def effects_of(program: Program, physics: Physics) -> frozenset[Effect]:
    """The parts that a program's hardware has and a read-out sees."""
    hardware = program.chip.hardware
    tile = hardware.tile
    has: dict[Effect, bool] = {
        "selection": True,
        "wires": physics != "ideal"
        and any((tile.word_wire, tile.bit_wire, tile.source, tile.load)),
        "nonlinearity": physics == "nonlinear" and hardware.bank.nonlinearity is not None,
        "dac": hardware.dac is not None,
        "adc": hardware.adc is not None,
        "noise": hardware.variation.read_noise > 0,
    }
    return frozenset(effect for effect in EFFECTS if has[effect])
