"""Does ``DeviceLaw.fit`` find what tables were made with, within its 95 % intervals?

    python benchmarks/fit.py [--runs 200] [--seed 0] [--only made,...]

Each table is drawn with numpy from a law that is written below, by formulas that are not xbar's. Of
each parameter the share of runs is printed whose interval holds the true value, with the least
share that 95 % intervals have in 99.9 % of such experiments (binomial), and the median width of the
intervals; and CPU seconds a fit. Then the time of drawing a tile from a table of quantiles, over
that of a lognormal spread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xbar.hardware.device_law import DeviceLaw
from xbar.hardware.law_parts import Parameter

Table = tuple[dict[str, Any], dict[str, float]]
"""Columns, and the true parameters by name."""


def long_table(values: Any, **axes: Any) -> dict[str, Any]:
    """Columns from readings (D, ...) and what each axis but the first stands for."""
    values = np.asarray(values)
    number = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    columns = {"device": np.broadcast_to(number, values.shape).ravel()}
    for name, (axis, each) in axes.items():
        shape = [1] * values.ndim
        shape[axis] = -1
        columns[name] = np.broadcast_to(np.reshape(each, shape), values.shape).ravel()
    return {**columns, "conductance": values.ravel()}


def made(rng: np.random.Generator) -> Table:
    """300 devices made alike, lognormal, some stuck, drifting, each read three times."""
    count, times = 300, np.array([1.0, 10.0, 100.0, 1e3, 1e4])
    g = 1e-5 * np.exp(0.3 * rng.normal(size=count))
    kind = rng.choice(3, size=count, p=(0.96, 0.03, 0.01))
    g = np.where(kind == 1, 0.0, np.where(kind == 2, 5e-3, g))
    exponent = 0.05 + 0.01 * rng.normal(size=count)
    moved = g[:, None] * times ** -exponent[:, None]
    reads = moved[..., None] * (1.0 + 0.01 * rng.normal(size=(count, 5, 3)))
    table = long_table(reads, time=(1, times), read=(2, np.arange(3)))
    return table, {
        "nominal": 1e-5, "spread.sigma": 0.3, "stuck_open": 0.03, "stuck_closed": 0.01,
        "noise.relative": 0.01, "drift.mean": 0.05, "drift.sigma": 0.01,
    }  # fmt: skip


def normal(rng: np.random.Generator) -> Table:
    """200 resistors of a normal spread, each with its own temperature coefficient."""
    count, kelvin = 200, np.array([233.15, 273.15, 300.15, 333.15, 398.15])
    g = 2e-5 * (1.0 + 0.15 * rng.normal(size=count))
    slope = -8e-4 + 1e-4 * rng.normal(size=count)
    d = kelvin - 300.15
    ohms = (1.0 + slope[:, None] * d + 1.5e-6 * d * d) / g[:, None]
    reads = (1.0 + 0.002 * rng.normal(size=(count, 5, 2))) / ohms[..., None]
    table = long_table(reads, **{"temperature [K]": (1, kelvin)}, read=(2, np.arange(2)))
    return table, {
        "nominal": 2e-5, "spread.sigma": 0.15, "noise.relative": 0.002,
        "temperature.resistors": -8e-4, "temperature.resistors_sigma": 1e-4,
        "temperature.bend": 1.5e-6,
    }  # fmt: skip


def mixture(rng: np.random.Generator) -> Table:
    """500 devices of two kinds."""
    first = rng.uniform(size=500) < 0.3
    g = np.where(first, 5e-6 + 0.8e-6 * rng.normal(size=500), 12e-6 + 1.5e-6 * rng.normal(size=500))
    return {"device": np.arange(500), "conductance": g}, {
        "spread.share": 0.3, "spread.centre1": 5e-6, "spread.centre2": 12e-6,
        "spread.sigma1": 0.16, "spread.sigma2": 0.125,
    }  # fmt: skip


def programmed(rng: np.random.Generator) -> Table:
    """60 devices at each of eight targets: error, bias, drift and 1/f noise by conductance."""
    count, times = 60, np.array([20.0, 1e3, 1e5, 1e7])
    level = np.repeat(np.linspace(3e-6, 24e-6, 8), count)
    x = level / 24e-6
    sigma = 1e-6 * (0.3 + 1.2 * x)
    g = level + sigma * rng.normal(size=level.size)
    mean = 0.06 - 0.012 * np.log(g / 1e-5)
    exponent = mean + 0.008 * rng.normal(size=level.size)
    moved = g[:, None] * (times / 20.0) ** -exponent[:, None]
    growth = np.sqrt(np.log((times + 250e-9) / 500e-9))
    relative = 0.003 * (g / 1e-5) ** -0.5
    reads = moved[..., None] * (
        1.0 + (relative[:, None] * growth)[..., None] * rng.normal(size=(level.size, 4, 3))
    )
    table = long_table(reads, target=(0, level), time=(1, times), read=(2, np.arange(3)))
    truth = {"drift.sigma": 0.008, "drift.mean.slope": -0.012, "noise.power": -0.5,
             "noise.reading": 250e-9, "bias": 0.0}  # fmt: skip
    for power, value in enumerate((0.3e-6, 1.2e-6)):
        truth[f"error.c{power}"] = value
    for each in np.unique(level)[[0, 3, 7]]:
        truth[f"error at {each * 1e6:g} µS"] = 1e-6 * (0.3 + 1.2 * each / 24e-6)
    return table, truth


TABLES: dict[str, Callable[[np.random.Generator], Table]] = {
    "made": made,
    "normal": normal,
    "mixture": mixture,
    "programmed": programmed,
}


@dataclass
class Count:
    """Of one parameter, in each run: whether its interval held, None if not found; its width."""

    held: list[bool | None] = field(default_factory=list)
    width: list[float] = field(default_factory=list)

    def add(self, found: Parameter | None, value: float) -> None:
        """Count a run."""
        if found is None:
            self.held.append(None)
            return
        low = -np.inf if found.low is None else found.low
        high = np.inf if found.high is None else found.high
        self.held.append(bool(low <= value <= high))
        self.width.append(high - low)


def coverage(kind: str, runs: int, seed: int) -> tuple[dict[str, Count], float]:
    """Of each parameter, what its intervals are; CPU seconds a fit."""
    counts: dict[str, Count] = {}
    spent = 0.0
    for run in range(runs):
        table, truth = TABLES[kind](np.random.default_rng((seed, run)))
        start = time.process_time()
        law = DeviceLaw.fit(table)
        spent += time.process_time() - start
        assert law.fitted is not None
        found = {one.name: one for one in law.fitted.parameters}
        for name, value in truth.items():
            counts.setdefault(name, Count()).add(found.get(name), value)
    return counts, spent / runs


def drawing() -> None:
    """Print the CPU time of fabricated banks of a table over that of lognormal ones."""
    from xbar.hardware.bank import Bank
    from xbar.hardware.fabricate import conductance
    from xbar.hardware.quantiles import table_of

    rng = np.random.default_rng(0)
    rows = table_of(np.exp(0.3 * rng.normal(size=100_000)))
    u = rng.uniform(size=(128, 128, 8))
    spent = {}
    for bank in (Bank(), Bank(spread="table", quantiles=rows)):
        conductance(bank, u.copy())  # compiles
        start = time.process_time()
        for _ in range(50):
            conductance(bank, u.copy())
        spent[bank.spread] = (time.process_time() - start) / 50
    ratio = spent["table"] / spent["lognormal"]
    print(f"\ntile of 128 x 128 x 8: a table of {len(rows)} rows is drawn in")
    print(f"{1e3 * spent['table']:.2f} ms of CPU, {ratio:.2f} times a lognormal spread's")


def main() -> int:
    """Print the table; 1 if an interval holds too rarely."""
    from scipy.stats import binom

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(TABLES))
    options = parser.parse_args()
    least = int(binom.ppf(0.001, options.runs, 0.95))
    print(
        f"{options.runs} runs, seed {options.seed}; 95 % intervals hold in at least {least} of them"
    )
    failed = 0
    for kind in options.only.split(","):
        counts, seconds = coverage(kind, options.runs, options.seed)
        print(f"\n{kind}: {TABLES[kind].__doc__}  {seconds:.2f} s of CPU a fit")
        for name, count in counts.items():
            each = count.held
            number, missing = sum(bool(one) for one in each), each.count(None)
            short = number < least
            failed += short
            note = f"  not found in {missing}" if missing else ""
            print(f"  {name:30} {number:5} {100 * number / len(each):6.1f} %   width "
                  f"{np.median(count.width):.3g}{note}"
                  + ("  TOO FEW" if short else ""))  # fmt: skip
    drawing()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
