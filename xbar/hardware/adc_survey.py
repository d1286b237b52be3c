"""Energy and area of an ADC by its resolution, rate and process, from a survey of published ones.

T. Andrulis, R. Chen, H.-S. Lee, J. Emer and V. Sze, "Modeling analog-digital-converter energy and
area for compute-in-memory accelerator design", arXiv 2404.06553, 2024, fitted to B. Murmann's "ADC
performance survey 1997-2023". The constants are those of its program (model.yaml of Accelergy's ADC
plug-in, commit ff0fb48). The fit is to the best fifth of the survey in energy and the smallest
tenth in area: what an excellent ADC takes, not a typical one.

    SNDR   = 20 log10(2) bits + 10 log10(1.5)                                                   dB
    FOM    = min(213.78 - 2.8719 ln f, 128.31 + 3.2205 ceil(bits))                              dB
    energy = 10^((SNDR - FOM) / 10) / 2 x exp(24.579 + 1.8800 ln(nm) - 2.8291 ln(bits))         pJ
    area   = exp(1.3462 + 0.99328 ln(nm) + 0.18072 ln f + 0.29912 ln(energy))                  um²

with f the conversions per second of one ADC. The resolution stands for the effective one, as there.
"""

from __future__ import annotations

import math

from xbar.errors import SpecError

FEWEST_BITS, MOST_BITS = 4, 20
"""Resolutions of the survey's model."""
FASTEST = 1e10
"""Its largest rate, conversions a second."""

_FOM = (213.7806687348118, -2.8719030399529957)
_BEST_FOM = (128.3068287398817, 3.220511510977562)
_ENERGY = (26.0496215686518 - 1.4702022133784405, 1.8800369206815004, -2.8291256050594527)
_AREA = (1.3461916439910742, 0.9932794744745022, 0.18071538424508238, 0.29912426192653485)


def survey_energy(bits: int, rate: float, node: float) -> float:
    """Joules of one conversion.

    Args:
        bits: resolution; fewer than 4 are counted as 4, the fewest of the model.
        rate: conversions a second.
        node: feature size of the process in metres.

    Raises:
        SpecError: the resolution or the rate is beyond the model's.

    >>> f"{survey_energy(8, 1.2e9, 32e-9):.3g}"
    '1.85e-12'
    """
    return _picojoules(bits, rate, node) * 1e-12


def survey_area(bits: int, rate: float, node: float) -> float:
    """Square metres of an ADC; arguments and errors are those of ``survey_energy``.

    >>> f"{survey_area(8, 1.2e9, 32e-9):.3g}"
    '6.31e-09'
    """
    base, by_node, by_rate, by_energy = _AREA
    energy = math.log(_picojoules(bits, rate, node))
    size = by_node * math.log(node * 1e9) + by_rate * math.log(rate) + by_energy * energy
    return math.exp(base + size) * 1e-12


def _picojoules(bits: int, rate: float, node: float) -> float:
    if bits > MOST_BITS:
        raise SpecError(
            f"the survey's ADCs have at most {MOST_BITS} bits, not {bits}: state "
            "cost.adc_step_energy and cost.adc_area for such a one"
        )
    if not 0 < rate <= FASTEST:
        raise SpecError(
            f"the survey's ADCs make at most {FASTEST:g} conversions a second, not {rate:g}: check "
            "cost.adc_time, or state cost.adc_step_energy and cost.adc_area"
        )
    bits = max(bits, FEWEST_BITS)
    best = _BEST_FOM[0] + _BEST_FOM[1] * bits
    merit = min(_FOM[0] + _FOM[1] * math.log(rate), best)
    ratio = 20 * math.log10(2) * bits + 10 * math.log10(1.5)
    base, by_node, by_bits = _ENERGY
    process = base + by_node * math.log(node * 1e9) + by_bits * math.log(bits)
    return 10 ** ((ratio - merit) / 10) / 2 * math.exp(process)
