"""Digital corrections that a program keeps: (reading - offset) / slope, output by output.

They are found from data once (``xbar.training.calibrate``) and applied at every read of the
program's layers, after the readings of a layer's tiles have been added up. The full scales of
converters that were found with them are kept likewise.

On disk they are the file ``corrections.npz`` and a record of the manifest:

    slope     (E,)  of all outputs of all layers, layer after layer, group after group
    offset    (E,)  likewise, in the units of the layer's outputs
    inputs    (L,)  input value at the DAC's full scale of each layer; 0 where there is none
    currents  (C,)  amperes at the ADC's full scale of each column, in block order; (0,) without

Shapes: G groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.effects.ranges import Key
from xbar.effects.readout import Readout
from xbar.errors import FileError
from xbar.hardware.spec import Moment
from xbar.tables import Card, Facts, Outline, count

What: TypeAlias = Literal["gain", "columns", "batchnorm"]
"""One factor a layer; factor and offset an output; mean and deviation an output."""
Origin: TypeAlias = What | Literal["trained"]
"""How corrections were found: by calibration, or trained with the network for its chip."""

NAME = "corrections.npz"
ARRAYS = ("slope", "offset", "inputs", "currents")
_WORDS = {
    "gain": "one factor a layer",
    "columns": "factor and offset of each output",
    "batchnorm": "mean and deviation of each output",
    "trained": "factor and offset of each output",
}

Shapes: TypeAlias = Mapping[str, tuple[int, int, int]]
"""Shape (G, outputs, inputs) of each layer's matrix, in order."""


@dataclass(frozen=True, eq=False, repr=False)
class Ranges(Outline):
    """Full scales found from data.

    Attributes:
        inputs: input value at the DAC's full scale, by layer; empty if each vector is scaled by its
            own largest value.
        currents: full scale (C,) of each column's ADC in amperes, by (tile, index of the block on
            it); empty if fixed by the design or derived from the cells.
        trimmed: whether offsets and gains of converters and amplifiers are corrected, see
            ``simulation/trim.py``.
    """

    inputs: Mapping[str, float]
    currents: Mapping[Key, Floats]
    trimmed: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Corrections(Card):
    """Corrections of all layers of a program.

    Attributes:
        what: what was found: "gain", "columns" or "batchnorm"; "trained" by ``finetune``.
        slope: reading over exact product, (G, outputs) by layer; positive.
        offset: reading of a product of 0, likewise, in the units of the layer's outputs.
        inputs: number of the network's inputs that they were found from.
        readout: the read-out that they were found with.
        moment: time and temperature of the chip then; None for as programmed.
        ranges: full scales of converters that were found then; None for automatic ones.
        method: how these were found; None without.
    """

    what: Origin
    slope: Mapping[str, Floats]
    offset: Mapping[str, Floats]
    inputs: int
    readout: Readout
    moment: Moment | None = None
    ranges: Ranges | None = None
    method: str | None = None

    def of(self, layer: str) -> tuple[Floats, Floats]:
        """Slope and offset (G, outputs) of a layer."""
        return self.slope[layer], self.offset[layer]

    def __str__(self) -> str:
        moment = "" if self.moment is None else f", chip {self.moment}"
        ranges = "" if self.method is None else f", ranges by {self.method}"
        found = f"from {count(self.inputs, 'input')}, {self.readout} read-out{moment}"
        return f"{_WORDS[self.what]} ({self.what}), found {found}{ranges}"

    def _facts(self) -> Facts:
        return [("corrected", str(self)), ("layers", f"{len(self.slope)}")]

    def to_json(self) -> dict[str, Any]:
        """All but the arrays, as a dictionary for ``json``."""
        return {
            "what": self.what,
            "inputs": self.inputs,
            "readout": self.readout,
            "moment": None if self.moment is None else self.moment.model_dump(mode="json"),
            "method": self.method,
            "trimmed": None if self.ranges is None else self.ranges.trimmed,
        }

    def to_arrays(self, layers: Shapes, columns: Mapping[Key, int]) -> dict[str, NDArray[Any]]:
        """The arrays of the file.

        Args:
            layers: shapes of the program's layers.
            columns: number of columns of each block, by key, in block order.
        """
        ranges = self.ranges or Ranges({}, {})
        flat = {
            name: np.concatenate([np.ravel(each[layer]) for layer in layers])
            for name, each in (("slope", self.slope), ("offset", self.offset))
        }
        currents = [ranges.currents[key] for key in columns if ranges.currents]
        return {
            **flat,
            "inputs": np.array([ranges.inputs.get(layer, 0.0) for layer in layers]),
            "currents": np.concatenate([np.zeros(0), *currents]),
        }

    @classmethod
    def read(
        cls,
        record: Any,
        arrays: Mapping[str, NDArray[Any]],
        layers: Shapes,
        columns: Mapping[Key, int],
    ) -> Corrections:
        """Corrections from a manifest's record and the file's arrays, checked.

        Raises:
            FileError: they contradict the program or themselves.
        """
        given = _record(record)
        sizes = {layer: shape[0] * shape[1] for layer, shape in layers.items()}
        total, wide = sum(sizes.values()), sum(columns.values())
        slope = _array(arrays, "slope", (total,), least=math.ulp(0.0))
        offset = _array(arrays, "offset", (total,))
        inputs = _array(arrays, "inputs", (len(layers),), least=0.0)
        currents = _array(arrays, "currents", (0,), (wide,), least=math.ulp(0.0))
        ranges, trimmed = None, given.pop("trimmed")
        if given["method"] is not None:
            full = {layer: float(x) for layer, x in zip(layers, inputs, strict=True) if x > 0}
            ends = np.cumsum([*columns.values()])[:-1]
            parts = np.split(currents, ends) if len(currents) else []
            ranges = Ranges(full, dict(zip(columns, parts, strict=bool(parts))), trimmed)
        elif inputs.any() or len(currents):
            raise FileError(f"{NAME} must have ranges only where a method found them")
        return cls(
            **given, slope=_layers(slope, layers), offset=_layers(offset, layers), ranges=ranges
        )


def _layers(values: Floats, layers: Shapes) -> dict[str, Floats]:
    """(G, outputs) by layer, of all outputs (E,)."""
    ends = np.cumsum([shape[0] * shape[1] for shape in layers.values()])[:-1]
    parts = zip(layers.items(), np.split(values, ends), strict=True)
    return {layer: part.reshape(shape[:2]) for (layer, shape), part in parts}


def _array(
    arrays: Mapping[str, NDArray[Any]], name: str, *shapes: tuple[int], least: float = -math.inf
) -> Floats:
    values = arrays[name]
    if values.dtype != np.float64 or values.shape not in shapes:
        raise FileError(f"{NAME}: {name} must be float64 {shapes[-1]}, not {values.shape}")
    if not np.isfinite(values).all() or values.min(initial=math.inf) < least:
        what = "finite" if least == -math.inf else "finite and positive"
        raise FileError(f"{NAME}: {name} must be {what} numbers")
    return values


def _record(record: Any) -> dict[str, Any]:
    """A manifest's record with its moment as one, all of them checked."""
    keys = ("what", "inputs", "readout", "moment", "method", "trimmed")
    if not isinstance(record, dict) or record.keys() != set(keys):
        raise FileError(f"corrections must be a record of {', '.join(keys)}")
    if record["what"] not in (*_WORDS,) or record["readout"] not in get_args(Readout):
        raise FileError("corrections: what and readout must be those of a calibration")
    if type(record["inputs"]) is not int or record["inputs"] < 1:
        raise FileError("corrections: inputs must be a whole number from 1")
    method, trimmed, moment = record["method"], record["trimmed"], record["moment"]
    if (type(method), type(trimmed)) not in ((str, bool), (type(None), type(None))):
        raise FileError("corrections: method and trimmed must belong together")
    return {**record, "moment": None if moment is None else Moment(**moment)}
