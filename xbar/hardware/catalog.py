"""Published technologies as designs, with source, date and assumptions.

Sources publish the deviation of a device from its target conductance. A bank has K devices that are
all programmed to full scale, so its ``sigma`` is the standard deviation there relative to full
scale. A design needs more data than a source gives; each entry lists its assumptions. An entry
marked ``recalled`` was not compared with its source: verify it before quoting.

A new technology is one more entry of :data:`TECHNOLOGIES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.spec import Hardware
from xbar.hardware.temperature import Temperature
from xbar.hardware.tile import Tile
from xbar.hardware.variation import Variation

Error = Callable[[float], float]
"""Function from a conductance to the standard deviation of its programming, both in siemens."""

MICRO = 1e-6


@dataclass(frozen=True)
class Technology:
    """One technology.

    Attributes:
        name: name for ``Hardware.from_catalog``.
        title: one-line description.
        source: authors and publication.
        date: date of the publication.
        published: published data, one sentence each.
        assumed: assumptions of the design, one sentence each.
        hardware: the design.
        error: standard deviation of a device programmed to some conductance; None if devices are
            not programmed or only full scale is published.
        recalled: whether the figures are from memory, not compared with the source.
    """

    name: str
    title: str
    source: str
    date: str
    published: tuple[str, ...]
    assumed: tuple[str, ...]
    hardware: Hardware
    error: Error | None = None
    recalled: bool = False


@dataclass(frozen=True)
class Wires:
    """Resistance of a wire segment between neighbouring cells, by technology node, in ohms.

    Attributes:
        node: half pitches F in nanometres with these figures.
        crosspoint: ohms for a cell without transistor, two half pitches wide (2F).
        transistor: ohms for a cell with one transistor, four half pitches wide (4F).
    """

    node: str
    crosspoint: float
    transistor: float


WIRES_SOURCE = (
    "NeuroSim's wire parameters (Chen, Peng, Yu, IEEE TCAD 2018): "
    "resistivity x length / (width^2 x aspect ratio) at 300 K, +0.451 % per kelvin"
)
WIRES: Mapping[str, Wires] = MappingProxyType(
    {
        wires.node: wires
        for wires in (
            Wires("130-90nm", 0.12, 0.23),
            Wires("65nm", 0.24, 0.47),
            Wires("45nm", 0.67, 1.3),
            Wires("32nm", 1.06, 2.1),
            Wires("22nm", 1.5, 3.0),
            Wires("14-10nm", 2.5, 4.9),
            Wires("7nm", 5.0, 10.1),
        )
    }
)
"""Wire resistances by node."""

_MOVES = "what its devices do later follows its law: Chip.at(time=...)"
_OWN_SWITCH = "each device has a switch of its own (1T1R), and an open one conducts nothing"
_LOWEST = "an open resistor is a device at the lowest conductance of the published range"
_CHOICES = "8 devices a cell and ideal 64 x 64 tiles are a choice; wires: see --wires"


def find_technology(name: str) -> Technology:
    """The technology with a given name.

    Raises:
        SpecError: the name is unknown.
    """
    if name not in TECHNOLOGIES:
        raise SpecError(f"the catalog has no technology {name!r}; it has {', '.join(TECHNOLOGIES)}")
    return TECHNOLOGIES[name]


def with_wires(hardware: Hardware, wires: str) -> Hardware:
    """Set the wire resistances of a design to those of a node, and how they change with heat.

    Args:
        hardware: the design.
        wires: node of :data:`WIRES` and cell type, such as "22nm-1t1r" or "65nm-crosspoint".

    Raises:
        SpecError: the node or cell type is unknown.

    >>> with_wires(Hardware(), "22nm-1t1r").tile.word_wire
    3.0
    """
    node, _, cell = wires.rpartition("-")
    if node not in WIRES or cell not in ("1t1r", "crosspoint"):
        raise SpecError(
            f"wires must be a node ({', '.join(WIRES)}) and -1t1r or -crosspoint, such as "
            f"22nm-1t1r, not {wires!r}"
        )
    ohms = WIRES[node].transistor if cell == "1t1r" else WIRES[node].crosspoint
    tile = hardware.tile.model_copy(update={"word_wire": ohms, "bit_wire": ohms})
    heat = (hardware.temperature or Temperature()).model_copy(update={"wires": "neurosim"})
    return hardware.model_copy(update={"tile": tile, "temperature": heat})


def _in_microsiemens(deviation: Callable[[float], float]) -> Error:
    """Convert a formula in microsiemens to siemens."""
    return lambda conductance: MICRO * deviation(conductance / MICRO)


def _polynomial(coefficients: tuple[float, ...], full_scale: float = 1.0) -> Error:
    """Σ c_i x^i microsiemens, x the conductance over ``full_scale`` microsiemens."""
    return _in_microsiemens(
        lambda g: sum(c * (g / full_scale) ** i for i, c in enumerate(coefficients))
    )


def _saturating(height: float, reach: float, nanoamperes: float) -> Error:
    """A (1 - exp(-I/B)) for a current in nA, with ``nanoamperes`` per microsiemens."""
    return _in_microsiemens(
        lambda g: height * (1.0 - math.exp(-g * nanoamperes / reach)) / nanoamperes
    )


def _programmed(
    error: Error,
    full_scale: float,
    on_off_ratio: float = math.inf,
    read_noise: float = 0.0,
    law: str = "",
) -> Hardware:
    """Design with all devices programmed to ``full_scale`` microsiemens; ``law`` by its name."""
    conductance = full_scale * MICRO
    return Hardware(
        bank=Bank(
            nominal=1.0 / conductance,
            spread="normal",
            sigma=error(conductance) / conductance,
            on_off_ratio=on_off_ratio,
        ),
        tile=Tile(),
        variation=Variation(read_noise=read_noise),
        device=DeviceLaw(law=law) if law else None,
    )


def _flicker(time: float, read_time: float) -> float:
    """Growth of read noise with time since programming: sqrt(ln((t + t_r) / (2 t_r)))."""
    return math.sqrt(math.log((time + read_time) / (2.0 * read_time)))


def _wan(name: str, when: str, coefficients: tuple[float, ...], law: str = "") -> Technology:
    error = _polynomial(coefficients, 40.0)
    terms = " ".join(f"{c:+g} x^{i}" for i, c in enumerate(coefficients))
    return Technology(
        name=name,
        title=f"filamentary RRAM of the NeuRRAM chip, {when} after programming",
        source="Wan et al., Nature (s41586-022-04992-8); ReRamWan2022NoiseModel of aihwkit",
        date="2022",
        published=(f"error in uS, x = g / 40 uS: {terms}",),
        assumed=(
            _OWN_SWITCH,
            "all devices are programmed to 40 uS",
            "its read noise is not published and not modelled",
            _CHOICES,
        ),
        hardware=_programmed(error, 40.0, law=law),
        error=error,
    )


def _sonos(name: str, when: str, height: float, reach: float, law: str = "") -> Technology:
    error = _saturating(height, reach, 100.0)
    return Technology(
        name=name,
        title=f"40 nm SONOS charge-trap memory below threshold, {when} programming",
        source="Agrawal et al., IEDM 21.7; fitted in CrossSim (devices/custom/SONOS.py)",
        date="2022",
        published=(
            f"error in nA of a current I up to 1600 nA: {height:g} (1 - exp(-I / {reach:g}))",
            "read noise in nA: 12.58 (1 - exp(-I / 215.4))",
            "on/off ratio 1e7, 1600 nA as 16 uS",
        ),
        assumed=(
            "all devices are programmed to 1600 nA",
            _MOVES if law else "the mean drift since programming is not modelled",
            _CHOICES,
        ),
        hardware=_programmed(
            error,
            16.0,
            on_off_ratio=1e7,
            read_noise=_saturating(12.58, 215.4, 100.0)(16e-6) / 16e-6,
            law=law,
        ),
        error=error,
    )


def _cmo(name: str, tolerance: str, constant: float, slope: float) -> Technology:
    error = _polynomial((constant, slope))
    return Technology(
        name=name,
        title=f"conductive metal oxide / HfOx ReRAM, programmed to within {tolerance}",
        source="Falcone et al., IBM Research; fitted in IBM aihwkit (ReRamCMONoiseModel)",
        date="2024",
        published=(
            f"error in uS: {constant:g} + {slope:g} g, g from 8 to 90 uS",
            "read noise in uS, t s after programming: .02773 log10(g) sqrt(ln((t + 1us) / 2us))",
            "relaxation in uS: mean -.0890 ln t, standard deviation .0420 ln t + .4118",
        ),
        assumed=(
            "all devices are programmed to 90 uS and read after 1 s",
            _LOWEST,
            _MOVES,
            _CHOICES,
        ),
        hardware=_programmed(
            error,
            90.0,
            on_off_ratio=90.0 / 8.0,
            read_noise=0.02773 * math.log10(90.0) * _flicker(1.0, 1e-6) / 90.0,
            law=name,
        ),
        error=error,
    )


def _pcm() -> Technology:
    error = _polynomial((0.26348, 1.9650, -1.1731), 25.0)
    return Technology(
        name="pcm",
        title="phase-change memory, 20 s after programming",
        source="Nandakumar et al., ICECS; fitted in IBM aihwkit (PCMLikeNoiseModel)",
        date="2019",
        published=(
            "error in uS, x = g / 25 uS: .26348 + 1.9650 x - 1.1731 x^2",
            "read noise, relative: min(.0088 / x^.65, .2) sqrt(ln((t + 250ns) / 500ns))",
            "drift g (t / 20 s)^-nu, nu mean clip(-.0155 ln x + .0244, .049, .1)",
        ),
        assumed=(
            _OWN_SWITCH,
            "all devices are programmed to 25 uS and read after 20 s",
            _MOVES,
            _CHOICES,
        ),
        hardware=_programmed(error, 25.0, read_noise=0.0088 * _flicker(20.0, 250e-9), law="pcm"),
        error=error,
    )


def _milo() -> Technology:
    error = _polynomial((4.782321, -0.009107))
    return Technology(
        name="rram-milo-2021",
        title="filamentary HfO2 RRAM with the IGVVA-100 algorithm",
        source="Milo et al., IRPS; fitted in CrossSim (devices/custom/RRAM_Milo.py)",
        date="2021",
        published=("error in uS: 4.782321 - .009107 g, g from 50 to 225 uS",),
        assumed=(
            "all devices are programmed to 225 uS",
            _LOWEST,
            "its read noise is not published there and not modelled",
            _CHOICES,
        ),
        hardware=_programmed(error, 225.0, on_off_ratio=225.0 / 50.0, law="rram-milo-2021"),
        error=error,
    )


def _untuned() -> tuple[Technology, ...]:
    nominal = "100 kohm is a choice: the source's conductances are normalised"
    gaussian = "a normal spread between devices, and perfect switches"
    return (
        Technology(
            name="reram-untuned",
            title="ReRAM devices as they are made, not tuned",
            source="Gong et al., Nature Communications (s41467-018-04485-1); ReRamES of aihwkit",
            date="2018",
            published=("highest and lowest state differ by 30 % from device to device",),
            assumed=(nominal, gaussian, _CHOICES),
            hardware=Hardware(bank=Bank(spread="normal", sigma=0.3)),
        ),
        Technology(
            name="reram-hfo2-untuned",
            title="baseline HfO2 ReRAM array in 14 nm, not tuned",
            source="Gong, Rasch et al., IEDM; aihwkit (ReRamArrayHfO2PresetDevice)",
            date="2022",
            published=(
                "the highest state differs by 43 % from device to device, the lowest by 60 %",
                "9.8 % of the devices are corrupt",
            ),
            assumed=(nominal, gaussian, "a corrupt device never conducts", _CHOICES),
            hardware=Hardware(bank=Bank(spread="normal", sigma=0.43, stuck_open=0.098)),
        ),
        Technology(
            name="poly-resistor",
            title="polysilicon resistors of 1 square micrometre, switched by transistors",
            source="rule of thumb for mismatch: A_R / sqrt(W L), A_R of 1 to 5 % um",
            date="recalled 2026",
            published=(
                "mismatch A_R / sqrt(W L); absolute value +-15 to 20 %, which all share",
                "temperature coefficient -100 to -300 ppm/C (p+), -1000 to -3000 (high ohmic)",
            ),
            assumed=(
                "A_R is 3 % um, the middle of the range, and W L is 1 um^2",
                "100 kohm is a choice",
                "perfect switches",
                "p+: -200 ppm/C, the middle of the range, the same for all",
                _CHOICES,
            ),
            hardware=Hardware(
                bank=Bank(spread="normal", sigma=0.03), temperature=Temperature(resistors=-2e-4)
            ),
            recalled=True,
        ),
    )


TECHNOLOGIES: Mapping[str, Technology] = MappingProxyType(
    {
        entry.name: Technology(
            **{**vars(entry), "hardware": entry.hardware.model_copy(update={"name": entry.name})}
        )
        for entry in (
            _pcm(),
            _wan(
                "rram-wan-2022",
                "1 s",
                (0.348, 16.030, -43.853, 45.393, -16.815),
                law="rram-wan-2022",
            ),
            _wan("rram-wan-2022-1day", "1 day", (0.701, 22.086, -50.773, 47.095, -16.458)),
            _milo(),
            _sonos("sonos-40nm", "just after", 19.887, 176.31, law="sonos-40nm"),
            _sonos("sonos-40nm-5days", "5 days after", 34.579, 207.34),
            _cmo("cmo-hfox-2%", "2 %", 0.0112185, 0.0112903),
            _cmo("cmo-hfox-0.2%", "0.2 %", 0.00081107, 0.00106879),
            *_untuned(),
        )
    }
)
"""Technologies by name."""
