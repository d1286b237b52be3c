"""Compensation: digital corrections of a layer's outputs, from known inputs.

    gain        y / a          one factor a layer
    columns     (y - b) / a    a factor and an offset an output, as of a column's converter
    batchnorm   (y - b) / a    such that each output has the mean and deviation of the digital one

The known inputs of the first two are those that the layer has in the digital network for some of
the data, so their exact products are known too. The reading of them is regressed on the exact
products, which have no noise, and so the factors are not biased by that of the reading.

"batchnorm" needs no known inputs of layers: the data pass the chip, each layer with those before it
corrected, and each output's mean and deviation become those that it has in the digital network for
the same data, without labels. That is what finding a batch norm's statistics again does: the norm
is folded into the layer before it here, whose outputs then have the norm's own shift as mean and
its own scale as deviation. Layers without a norm are corrected likewise.

Shapes: N vectors, G groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Bools, Floats
from xbar.compiler.program import Program
from xbar.effects.converters import ClipCount
from xbar.simulation.data import Data
from xbar.simulation.readout import AnalogProducts, Around, Real, product

Compensation: TypeAlias = Literal["none", "gain", "columns", "batchnorm"]

INPUTS = 64
"""Default number of the data's inputs whose layers' inputs are known."""
VECTORS = 1024
"""Largest number of known vectors of a layer."""
_ALIKE = 1e-9
"""Relative deviation up to which numbers are taken as equal: that is what rounding leaves."""


def varies(deviation: Floats, mean: Floats) -> Bools:
    """Where numbers of a standard deviation and a mean differ by more than rounding."""
    found: Bools = deviation > _ALIKE * np.abs(mean)
    return found


@dataclass(frozen=True, eq=False)
class Spread:
    """How the outputs of a layer are spread over vectors.

    Attributes:
        mean: (G, outputs).
        deviation: (G, outputs) standard deviation.
    """

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, y: NDArray[Any]) -> Spread:
        """That of outputs (N, G, outputs)."""
        wide = np.asarray(y, dtype=np.float64)
        return cls(wide.mean(axis=0), wide.std(axis=0))


@dataclass(frozen=True, eq=False)
class Known:
    """Known inputs of layers, and the data that they come from.

    Attributes:
        inputs: (N, G, inputs) by layer.
        outputs: mean and standard deviation of each output, by layer, of the first batch.
        data: inputs of the network.
    """

    inputs: Mapping[str, Floats]
    outputs: Mapping[str, Spread]
    data: Data

    @classmethod
    def of(cls, program: Program, data: Data) -> Known:
        """The inputs that layers have in the digital network for these data."""
        seen: dict[str, Floats] = {}
        outputs: dict[str, Spread] = {}

        def multiply(layer: str, x: Floats) -> Floats:
            kept = seen.get(layer)
            room = VECTORS - (0 if kept is None else len(kept))
            some = x[:: max(1, -(-len(x) // max(room, 1)))][:room]
            if room > 0:
                seen[layer] = some.copy() if kept is None else np.concatenate([kept, some])
            y = product(x, program.weights[layer])
            if layer not in outputs:
                outputs[layer] = Spread.of(y)
            return y

        data.run(program, multiply)
        return cls(seen, outputs, data)


@dataclass(frozen=True, eq=False)
class Correction:
    """Correction of one layer's outputs.

    Attributes:
        slope: reading over exact product: one number, or (G, outputs).
        offset: reading of a product of 0, likewise.
    """

    slope: Floats
    offset: Floats

    @classmethod
    def fit(cls, reading: Floats, exact: Floats, method: Compensation) -> Correction:
        """The correction of readings (N, G, outputs) of exact products (N, G, outputs)."""
        if method == "gain":
            slope = _ratio((reading * exact).sum(), (exact * exact).sum())
            return cls(slope, np.zeros(()))
        middle, mean = exact.mean(axis=0), reading.mean(axis=0)
        spread = exact - middle
        known = varies(exact.std(axis=0), middle)
        power = np.where(known, (spread * spread).sum(axis=0), 0.0)
        slope = _ratio((spread * (reading - mean)).sum(axis=0), power)
        return cls(slope, mean - slope * middle)

    @classmethod
    def match(cls, reading: Spread, exact: Spread) -> Correction:
        """The correction that gives readings the mean and deviation of exact outputs."""
        known = varies(exact.deviation, exact.mean)
        slope = _ratio(reading.deviation, np.where(known, exact.deviation, 0.0))
        return cls(slope, reading.mean - slope * exact.mean)

    def apply(self, y: NDArray[Real]) -> NDArray[Real]:
        """Outputs (N, G, outputs), corrected."""
        corrected = (y - self.offset) / self.slope
        return corrected.astype(y.dtype, copy=False)


def _ratio(top: Any, bottom: Any) -> Floats:
    """Top / bottom, and 1 where it is not a positive number: such a column can't be corrected."""
    top, bottom = np.asarray(top), np.asarray(bottom)
    ratio = np.divide(top, bottom, out=np.ones(top.shape), where=bottom > 0)
    return np.where(ratio > 0, ratio, 1.0)


@dataclass(frozen=True, eq=False)
class Compensated(Around):
    """Products with corrected outputs: the ``multiply`` of ``Graph.run``.

    Attributes:
        products: products to correct.
        known: known inputs of layers.
        method: "gain", "columns" or "batchnorm".
    """

    products: AnalogProducts
    known: Known
    method: Compensation
    _found: dict[str, Correction] = field(default_factory=dict)

    def __call__(self, layer: str, x: NDArray[Real]) -> NDArray[Real]:
        """Outputs (N, G, outputs) of a layer for inputs (N, G, inputs)."""
        return self.correction(layer).apply(self.products(layer, x))

    def correction(self, layer: str) -> Correction:
        """A layer's correction, from a reading of its known inputs at the first call."""
        if self.method == "batchnorm" and not self._found:
            self._pass()
        if layer not in self._found:
            x = self.known.inputs[layer]
            exact = product(x, self.products.program.weights[layer])
            reading = self.products(layer, x.astype(self.products.dtype, copy=False))
            for counts in self._counts:
                counts.pop(layer, None)  # the data's own conversions are told
            self._found[layer] = Correction.fit(np.asarray(reading, float), exact, self.method)
        return self._found[layer]

    def _pass(self) -> None:
        """Find the corrections of all layers, one after the other, from a pass of the data."""

        def multiply(layer: str, x: Floats) -> Floats:
            y = self.products(layer, x.astype(self.products.dtype, copy=False))
            if layer not in self._found:
                self._found[layer] = Correction.match(Spread.of(y), self.known.outputs[layer])
            return np.asarray(self._found[layer].apply(y), dtype=x.dtype)

        self.known.data.run(self.products.program, multiply)
        for counts in self._counts:
            counts.clear()  # the data's own conversions are told

    @property
    def _counts(self) -> tuple[dict[str, ClipCount], ...]:
        products = self.products
        return products.clips, products.dac_clips, products.swing_clips
