"""Powers of signal and error of each layer, recorded while a network runs on a chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Floats
from xbar.compiler.program import Program
from xbar.simulation.compensation import Compensated
from xbar.simulation.readout import AnalogProducts, Around, Real, product
from xbar.simulation.result import LayerResult
from xbar.simulation.trim import Trim


@dataclass(eq=False)
class Tally:
    """Powers of signal and error of each layer, summed while the network runs."""

    weights: Mapping[str, Floats]
    signal: dict[str, float] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)
    clipped: dict[str, list[float]] = field(default_factory=dict)
    dac_clipped: dict[str, list[float]] = field(default_factory=dict)
    swing_clipped: dict[str, list[float]] = field(default_factory=dict)
    trims: list[Trim] = field(default_factory=list)

    def around(self, products: AnalogProducts | Compensated) -> Tallied:
        """The same products, with their powers recorded."""
        return Tallied(self, products)

    def clips(self, products: AnalogProducts) -> None:
        """Add the clipped shares of one pass, and what it has told of its converters."""
        self.trims += products.trims.values()
        for name in self.weights:
            self.clipped.setdefault(name, []).append(products.clips[name].share)
            self.dac_clipped.setdefault(name, []).append(products.dac_clips[name].share)
            self.swing_clipped.setdefault(name, []).append(products.swing_clips[name].share)

    def trim(self) -> dict[str, float] | None:
        """Rms offsets and gains of converters, before and after trimming; None without."""
        return Trim.together(self.trims).rms() if self.trims else None

    def layer(self, program: Program, name: str) -> LayerResult:
        """Result of one layer."""
        signal, error = self.signal[name], self.error[name]
        snr = 10 * float(np.log10(signal / error)) if signal > 0 and error > 0 else float("inf")
        return LayerResult(
            name,
            len(program.tiles_of(name)),
            int(program.weights[name].size),
            snr,
            (snr - 1.76) / 6.02,
            float(np.mean(self.clipped[name])),
            float(np.mean(self.dac_clipped[name])),
            float(np.mean(self.swing_clipped[name])),
        )


@dataclass(frozen=True, eq=False)
class Tallied(Around):
    """Products with their powers recorded: the ``multiply`` of ``Graph.run``."""

    tally: Tally
    products: AnalogProducts | Compensated

    def __call__(self, layer: str, x: NDArray[Real]) -> NDArray[Real]:
        """Outputs (N, G, outputs) of a layer for inputs (N, G, inputs)."""
        y, tally = self.products(layer, x), self.tally
        exact = product(x, tally.weights[layer].astype(x.dtype, copy=False))
        tally.signal[layer] = tally.signal.get(layer, 0.0) + _power(exact)
        exact -= y
        tally.error[layer] = tally.error.get(layer, 0.0) + _power(exact)
        return y


def _power(values: NDArray[Any]) -> float:
    flat = values.ravel()
    return float(flat @ flat)
