"""Corrections of layers, found one after the other, each behind those before it.

The data pass the digital network and the chip. A layer's readings, of the inputs that arrive there
behind corrected layers, are compared with the digital network's products, output by output:

    gain        slope = Σ r² / Σ r e        over all outputs; offset 0
    columns     slope = var r / cov(r, e)   offset = mean r - slope mean e
    batchnorm   slope = dev r / dev e       offset likewise

with readings r and exact products e. The first two are least squares: (r - offset) / slope is as
near to e as a factor, or a line, brings it, so an output whose readings are mostly noise shrinks to
its mean. The first batch gives corrections to begin with, layer by layer; all data then pass behind
these, and give those that are kept. Where the chip sends a layer other vectors than the digital
network does, as to experts that it chose, these vectors' own exact products are compared.

Shapes: N vectors, G groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xbar.arrays import Bools, Floats
from xbar.compiler.corrections import What
from xbar.errors import warn
from xbar.simulation.compensation import Correction, varies
from xbar.simulation.data import Data
from xbar.simulation.readout import AnalogProducts, product
from xbar.tables import count, few

Multiply: TypeAlias = Callable[[str, Floats], Floats]

ROWS = 2048
"""Vectors of one product that are compared; of more, as many drawn at random."""
FEW = 16
"""Vectors of a layer below which its outputs' corrections are told to be uncertain."""
_LEAST = 1e-6
"""Least deviation of a corrected output, over that of the exact one."""


@dataclass(eq=False)
class Pairs:
    """Moments of readings and exact products, output by output, summed over vectors.

    Attributes:
        count: number of vectors.
        mean: (2, G, outputs) means of readings and exact products.
        spread: (3, G, outputs) sums of (r - mean)², (e - mean)² and their product.
    """

    count: int = 0
    mean: Floats = field(default_factory=lambda: np.zeros((2, 1, 1)))
    spread: Floats = field(default_factory=lambda: np.zeros((3, 1, 1)))

    def add(self, reading: Floats, exact: Floats) -> None:
        """Add readings and exact products (N, G, outputs)."""
        more = len(reading)
        if not more:
            return
        both = np.stack([reading, exact]).astype(np.float64)
        mean = both.mean(axis=1)
        r, e = both - mean[:, None]
        apart, total = mean - self.mean, self.count + more
        share = self.count * more / total  # Chan, Golub and LeVeque's sum of two parts
        own = np.stack([(r * r).sum(0), (e * e).sum(0), (r * e).sum(0)])
        between = np.stack([apart[0] ** 2, apart[1] ** 2, apart[0] * apart[1]])
        self.spread = self.spread + own + share * between
        self.mean = self.mean + apart * (more / total)
        self.count = total

    @property
    def varying(self) -> Bools:
        """(G, outputs) where both readings and exact products differ from vector to vector."""
        r, e = varies(np.sqrt(self.spread[:2] / self.count), self.mean)
        both: Bools = r & e
        return both

    def correction(self, what: What) -> Correction:
        """The correction of readings; of an output that does not vary, an offset alone."""
        if what == "gain":
            r, e = self.mean
            power = (self.spread[0] + self.count * r * r).sum()
            common = (self.spread[2] + self.count * r * e).sum()
            slope = power / common if common > 0 else 1.0
            return Correction(np.asarray(slope), np.zeros(()))
        moved, wanted, common = self.spread
        there = self.varying
        ratio = np.sqrt(np.divide(moved, wanted, out=np.ones_like(moved), where=there))
        slope = ratio
        if what == "columns":
            alike = np.divide(common, moved, out=np.ones_like(moved), where=there) * ratio
            slope = ratio / np.where(there, np.maximum(alike, _LEAST), 1.0)
        return Correction(slope, self.mean[0] - slope * self.mean[1])


@dataclass(eq=False)
class Finder:
    """Corrections of a program's layers, as they are found.

    Attributes:
        products: the chip's products, without corrections.
        what: "gain", "columns" or "batchnorm".
        found: correction by layer.
    """

    products: AnalogProducts
    what: What
    found: dict[str, Correction] = field(default_factory=dict)

    def run(self, data: Data) -> dict[str, Correction]:
        """The corrections that data give."""
        batches = [replace(data, batches=(each,)) for each in data.batches]
        self._pass(batches[0], None)
        pairs: dict[str, Pairs] = defaultdict(Pairs)
        for batch in batches:
            self._pass(batch, pairs)
        self.found = {layer: each.correction(self.what) for layer, each in pairs.items()}
        if self.what != "gain":
            self._tell(pairs)
        return self.found

    def _tell(self, pairs: Mapping[str, Pairs]) -> None:
        """Warn where the vectors of a layer tell little of its outputs."""
        alike = [layer for layer, each in pairs.items() if not each.varying.any()]
        if alike:
            warn(
                f"inputs must differ to tell a factor of each output: those that reach {few(alike)}"
                " are all alike, so only offsets are found; give other inputs, or find a gain"
            )
            return
        fewest = min(pairs, key=lambda layer: pairs[layer].count, default="")
        if fewest and pairs[fewest].count < FEW:
            warn(
                f"{fewest}: only {count(pairs[fewest].count, 'vector')} tell factor and offset of "
                f"each output, which takes {FEW} or more; give more inputs, or find a gain"
            )

    def _pass(self, data: Data, pairs: dict[str, Pairs] | None) -> None:
        """Data through the digital network, and through the chip; without pairs, to begin with."""
        program = self.products.program
        exact: dict[tuple[str, int], Floats] = {}

        def digital(layer: str, x: Floats) -> Floats:
            y = product(x, program.weights[layer])
            place = layer, calls[layer]
            calls[layer] += 1
            exact[place] = y[_some(len(y), calls[layer])].copy()
            return y

        def chip(layer: str, x: Floats) -> Floats:
            y = self.products(layer, x.astype(self.products.dtype, copy=False))
            place = layer, calls[layer]
            calls[layer] += 1
            some = _some(len(y), calls[layer])
            wanted = exact.get(place)
            if wanted is None or len(wanted) != len(y[some]):
                wanted = product(x[some], program.weights[layer])
            if pairs is not None:
                pairs[layer].add(y[some], wanted)
            if layer not in self.found:
                first = Pairs()
                first.add(y[some], wanted)
                self.found[layer] = first.correction(self.what)
            return np.asarray(self.found[layer].apply(y), dtype=x.dtype)

        for multiply in (digital, chip):
            calls: dict[str, int] = defaultdict(int)
            data.run(program, multiply)


def _some(size: int, seed: int) -> NDArray[Any] | slice:
    """Numbers of the vectors that are compared of so many, the same for both networks."""
    if size <= ROWS:
        return slice(None)
    return np.sort(np.random.default_rng(seed).choice(size, ROWS, replace=False))
