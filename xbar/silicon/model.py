"""What the branches of a bank are in numbers: fitted once to ngspice, used everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xbar.arrays import Floats
from xbar.hardware.switch import at_share
from xbar.tables import table
from xbar.units import format_quantity

if TYPE_CHECKING:
    from xbar.hardware.bank import Bank


@dataclass(frozen=True, eq=False)
class BranchModel:
    """The K branches of a bank as laws (``xbar.silicon.fit``), and what else moves them.

    Attributes:
        process: name of the process.
        length: (K,) metres of the resistors.
        resistance: (K,) ohms of the resistors.
        series: (K,) ohms of contacts and wires inside the branches.
        switch_resistance: (K,) ohms of the closed switches.
        switch_slope: (K,) 1/V; change of a switch's conductance with its threshold.
        switch_bend: (K,) 1/V².
        switch_cubic: (K,) 1/V³.
        switch_share_slope: (K,) relative change of a switch's resistance where its share doubles.
        sigma_resistor: (K,) relative standard deviation of the resistors.
        sigma_threshold: (K,) volts, standard deviation of the switches' thresholds.
        c2: (K,) 1/V, of I = G v (1 + c2 v + c3 (v² - test²) + kink (|v| - test)).
        c3: (K,) 1/V².
        kink: (K,) 1/V.
        c2_slope: (K,) 1/V, relative change of c2 with the switch's threshold.
        rise: (K,) 1/V, relative change of G with the voltage of the bit line.
        off: (K,) siemens of the open branches.
        offset: (K,) amperes of the closed branches at 0 V.
        tempco: (2, K) linear and quadratic coefficient of G, 1/K and 1/K².
        tempco_error: worst error of G by it at the temperatures of ``open``, relative.
        corners: relative change of G (K,), by corner.
        supplies: relative change of G (K,), by supply in volts.
        open: siemens of the open branches (K,), by temperature in celsius.
        fit_error: worst relative error of G by the law against ngspice, at random deviations.
        bend_error: (K,) worst error of the current up to ``within``, relative to the largest.
        temperature: celsius at which all but ``tempco`` and ``open`` hold.
        supply: volts at the gate of a closed switch.
        test: volts; G is the current's difference between +-test, by 2 test, or its slope at 0 V.
        within: volts up to which c2, c3 and kink were fitted.
        samples: switches of each width, and resistors of each length at most, from which the
            deviations were found.
        voltage: (V,) volts of the currents below.
        current: (K, V) amperes of the typical branches.
        notes: what was assumed, one sentence each.
    """

    process: str
    length: Floats
    resistance: Floats
    series: Floats
    switch_resistance: Floats
    switch_slope: Floats
    switch_bend: Floats
    switch_cubic: Floats
    switch_share_slope: Floats
    sigma_resistor: Floats
    sigma_threshold: Floats
    c2: Floats
    c3: Floats
    kink: Floats
    c2_slope: Floats
    rise: Floats
    off: Floats
    offset: Floats
    tempco: Floats
    tempco_error: float
    corners: Mapping[str, Floats]
    supplies: Mapping[float, Floats]
    open: Mapping[float, Floats]
    fit_error: float
    bend_error: Floats
    temperature: float
    supply: float
    test: float
    within: float
    samples: int
    voltage: Floats
    current: Floats
    notes: tuple[str, ...] = ()

    @property
    def conductance(self) -> Floats:
        """(K,) siemens of the typical closed branches."""
        return 1 / (self.resistance + self.series + self.switch_resistance)

    def bent(self, volts: Floats) -> Floats:
        """(K, V) amperes of the typical branches at volts (V,) between their lines."""
        c2, c3, kink = (each[:, None] for each in (self.c2, self.c3, self.kink))
        law = 1 + c2 * volts + c3 * (volts**2 - self.test**2) + kink * (np.abs(volts) - self.test)
        return self.conductance[:, None] * volts * law

    def deviated(self, resistor: Floats, threshold: Floats) -> Floats:
        """(..., K) siemens at deviations (..., K): relative of resistors, volts of thresholds."""
        law = self.switch_bend + self.switch_cubic * threshold
        closed = self.switch_resistance / (1 + threshold * (self.switch_slope + threshold * law))
        rest = self.resistance * (1 + resistor) + self.series
        share = self.switch_resistance * self.conductance
        return 1 / (rest + at_share(closed, rest, self.switch_share_slope, share))

    @property
    def sigma(self) -> Floats:
        """(K,) relative standard deviation of G, to first order in the deviations."""
        share = self.switch_resistance * self.conductance
        # a deviation of either moves the switch's share
        switch = self.switch_resistance * self.switch_slope * self.sigma_threshold
        switch = switch * (1 + self.switch_share_slope * (1 - share))
        resistor = self.resistance * self.sigma_resistor * (1 - self.switch_share_slope * share)
        return np.hypot(resistor, switch) * self.conductance

    @property
    def on_off_ratio(self) -> Floats:
        """(K,) ratio of each branch's conductances, closed and open; inf if it does not leak."""
        closed, none = self.conductance, np.full_like(self.off, np.inf)
        return np.divide(closed, self.off, out=none, where=self.off > 0)

    def bank(self) -> Bank:
        """The bank as a part of a design, from which chips are drawn."""
        from xbar.hardware.bank import Bank
        from xbar.hardware.nonlinearity import Nonlinearity
        from xbar.hardware.switch import Switch

        return Bank(
            resistors=len(self.length),
            nominal=_listed(self.resistance),
            spread="resistance",
            sigma=_listed(self.sigma_resistor),
            series=_listed(self.series),
            switch=Switch(
                resistance=_listed(self.switch_resistance),
                slope=_listed(self.switch_slope),
                bend=_listed(self.switch_bend),
                cubic=_listed(self.switch_cubic),
                share_slope=_listed(self.switch_share_slope),
                sigma=_listed(self.sigma_threshold),
            ),
            on_off_ratio=_listed(self.on_off_ratio),
            nonlinearity=Nonlinearity(
                c2=_listed(self.c2),
                c3=_listed(self.c3),
                kink=_listed(self.kink),
                test=self.test or None,
                rise=_listed(self.rise),
                c2_slope=_listed(self.c2_slope),
                within=self.within,
            ),
        )

    def table(self) -> str:
        """The branches as text: a row each, and what else is known of all of them."""
        head = ["length", "G", "resistor", "switch", "spread of G", "resistor", "threshold"]
        rows = []
        for k, length in enumerate(self.length):
            rows.append(
                [
                    f"{1e6 * length:.3f} µm",
                    format_quantity(self.conductance[k], "S", 4),
                    format_quantity(self.resistance[k], "ohm", 4),
                    format_quantity(self.switch_resistance[k], "ohm", 4),
                    f"{self.sigma[k]:.2%}",
                    f"{self.sigma_resistor[k]:.2%}",
                    format_quantity(self.sigma_threshold[k], "V"),
                ]
            )
        return table(f"branches of {self.process}", head, rows) + "\n" + "\n".join(self.facts())

    def facts(self) -> list[str]:
        """What is known of all branches, a sentence each."""
        return [
            f"at {self.temperature:g} C and {self.supply:g} V; G {self._where}",
            f"law off by {self.fit_error:.1e} of G at worst, at deviations of up to 3 sigma",
            self._bent_text,
            f"with c2 {_span(self.c2)} /V, c3 {_span(self.c3)} /V2, kink {_span(self.kink)} /V",
            f"which is off by {self.bend_error.max():.1e} of the current at {self.within:g} V",
            f"c2 by the threshold: {_span(self.c2_slope)} /V; G by the line: {_span(self.rise)} /V",
            *self._sampled(),
            *(f"corner {name}: G {_percent(each)}" for name, each in self.corners.items()),
            *(f"supply {volts:g} V: G {_percent(each)}" for volts, each in self.supplies.items()),
            f"temperature: G {_span(self.tempco[0])} /K and {_span(self.tempco[1])} /K2",
            f"which is off by {self.tempco_error:.1e} of G at {_celsius(self.open)} C",
            *(
                f"open at {celsius:g} C: {(each / self.conductance).max():.1e} of G at most"
                for celsius, each in self.open.items()
            ),
            *self.notes,
        ]

    @property
    def _where(self) -> str:
        return f"between +-{self.test:g} V" if self.test else "at 0 V"

    @property
    def _bent_text(self) -> str:
        if self.test:
            return f"I = G v (1 + c2 v + c3 (v^2 - t^2) + kink (|v| - t)), t = {self.test:g} V"
        return "I = G v (1 + c2 v + c3 v^2 + kink |v|)"

    def _sampled(self) -> list[str]:
        # of N normal numbers the standard deviation is known to 1/sqrt(2 N)
        error = 1 / np.sqrt(2 * self.samples)
        return [f"spreads from {self.samples} devices of each size, known to {error:.0%} or better"]

    def to_json(self) -> dict[str, Any]:
        """All values, arrays as lists."""
        content: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                content[name] = value.tolist()
            elif isinstance(value, Mapping):
                content[name] = {str(key): each.tolist() for key, each in value.items()}
            else:
                content[name] = value
        content["conductance"] = self.conductance.tolist()
        content["sigma"] = self.sigma.tolist()
        return content

    def __repr__(self) -> str:
        return f"BranchModel of {self.process}\n{self.table()}"


def _listed(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _celsius(values: Mapping[float, Floats]) -> str:
    return ", ".join(f"{each:g}" for each in values)


def _span(values: Floats) -> str:
    return f"{values.min():.2g} to {values.max():.2g}"


def _percent(values: Floats) -> str:
    return f"{100 * values.min():+.2f} to {100 * values.max():+.2f} %"
