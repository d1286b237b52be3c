"""Published laws of devices, as data with source and date.

A new law is one more entry of :data:`LAWS`. Each is held against its source's numbers in
``tests/conformance/test_device_laws.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from xbar.errors import SpecError

DAY = 86_400.0

_PCM = {
    "source": "Nandakumar et al., ICECS; fitted in IBM aihwkit (PCMLikeNoiseModel)",
    "date": "2019",
    "within": (0.0, 25e-6),
    "error": {"polynomial": (0.26348, 1.9650, -1.1731), "per": 25e-6, "scale": 1e-6},
    "drift": {
        "first": 20.0,
        "mean": {"logarithm": (-0.0155, 0.0244), "per": 25e-6, "low": 0.049, "high": 0.1},
        "sigma": {"logarithm": (-0.0125, -0.0059), "per": 25e-6, "low": 0.008, "high": 0.045},
    },
    "noise": {
        "relative": {"power": (0.0088, -0.65), "per": 25e-6, "high": 0.2},
        "reading": 250e-9,
    },
}


def _wan(coefficients: tuple[float, ...]) -> dict[str, Any]:
    return {"polynomial": coefficients, "per": 40e-6, "scale": 1e-6}


_WAN = {
    "source": "Wan et al., Nature (s41586-022-04992-8); ReRamWan2022NoiseModel of aihwkit",
    "date": "2022",
    "within": (0.0, 40e-6),
    "error": _wan((0.348, 16.030, -43.853, 45.393, -16.815)),
    "retention": {
        "times": (1.0, DAY, 2 * DAY),
        "error": (
            _wan((0.348, 16.030, -43.853, 45.393, -16.815)),
            _wan((0.701, 22.086, -50.773, 47.095, -16.458)),
            _wan((0.782, 20.274, -43.507, 37.062, -11.934)),
        ),
    },
}

_MILO = {
    "source": "Milo et al., IRPS; fitted in CrossSim (devices/custom/RRAM_Milo.py)",
    "date": "2021",
    "within": (50e-6, 225e-6),
    "error": {"polynomial": (4.782321, -0.009107), "per": 1e-6, "scale": 1e-6},
}

_JOSHI = {
    "source": "Joshi et al., Nature Communications 11, 2473; fitted in CrossSim (PCM_Joshi.py)",
    "date": "2020",
    "within": (0.25e-6, 25e-6),
    "error": {"polynomial": (0.28638599, 0.07585724, -0.00178767), "per": 1e-6, "scale": 1e-6},
}

_NANOAMPERE = 0.01e-6
"""Siemens of a current of 1 nA, where 1600 nA are taken as 16 uS."""

_SONOS_ERROR = (
    (19.88665, 176.3115),
    (25.59102, 186.85544),
    (28.72753, 193.56834),
    (31.04318, 198.90332),
    (33.76214, 204.77023),
    (34.57909, 207.34309),
)
_SONOS_SHIFT = (
    (0.0,),
    (
        1.72684e-01, 5.72552e-02, -6.85715e-04, 3.50271e-06, -9.37682e-09, 1.40575e-11,
        -1.19803e-14, 5.41293e-18, -8.85448e-22, -1.66869e-25, 5.95180e-29,
    ),
    (
        2.50712e-01, 6.62195e-02, -6.83218e-04, 2.99442e-06, -6.78255e-09, 7.70482e-12,
        -3.04983e-15, -2.15919e-18, 2.94617e-21, -1.23359e-24, 1.85329e-28,
    ),
    (
        -1.75300e-02, 9.76883e-02, -9.63791e-04, 4.55551e-06, -1.22391e-08, 1.93786e-11,
        -1.85899e-14, 1.07659e-17, -3.58211e-21, 5.96785e-25, -3.30410e-29,
    ),
    (
        4.03338e-02, 1.03111e-01, -1.04740e-03, 4.83961e-06, -1.28132e-08, 1.99484e-11,
        -1.85139e-14, 1.00008e-17, -2.84944e-21, 3.01008e-25, 1.18747e-29,
    ),
    (
        3.19927e-01, 1.06596e-01, -1.04054e-03, 4.50290e-06, -1.10352e-08, 1.56477e-11,
        -1.27592e-14, 5.45513e-18, -7.26841e-22, -2.43893e-25, 7.14608e-29,
    ),
)  # fmt: skip


def _nanoamperes(**form: tuple[float, ...]) -> dict[str, Any]:
    return {**form, "per": _NANOAMPERE, "scale": _NANOAMPERE}


_SONOS = {
    "source": "Agrawal et al., IEDM 21.7; fitted in CrossSim (devices/custom/SONOS.py)",
    "date": "2022",
    "within": (0.0, 18e-6),
    "error": _nanoamperes(saturating=_SONOS_ERROR[0]),
    "retention": {
        "times": tuple(day * DAY for day in range(6)),
        "error": tuple(_nanoamperes(saturating=each) for each in _SONOS_ERROR),
        "shift": tuple(_nanoamperes(polynomial=each) for each in _SONOS_SHIFT),
    },
    "noise": {"absolute": _nanoamperes(saturating=(12.58037, 215.36557))},
}


def _cmo(constant: float, slope: float) -> dict[str, Any]:
    return {
        "source": "Falcone et al., IBM Research; fitted in IBM aihwkit (ReRamCMONoiseModel)",
        "date": "2024",
        "within": (8e-6, 90e-6),
        "error": {"polynomial": (constant, slope), "per": 1e-6, "scale": 1e-6},
        "relaxation": {
            "first": 1.0,
            "shift": -0.08900206e-6,
            "error": (0.41183342e-6, 0.04201137e-6),
        },
        # .0277316483 log10(g)
        "noise": {
            "absolute": {
                "logarithm": (0.01204370183077169, 0.0),
                "per": 1e-6,
                "low": 0,
                "scale": 1e-6,
            },
            "reading": 1e-6,
        },
    }


LAWS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "pcm": _PCM,
        "pcm-joshi-2020": _JOSHI,
        "rram-wan-2022": _WAN,
        "rram-milo-2021": _MILO,
        "sonos-40nm": _SONOS,
        "cmo-hfox-2%": _cmo(0.0112185391, 0.01129027418),
        "cmo-hfox-0.2%": _cmo(0.00081107, 0.00106879),
    }
)
"""Laws by name."""


def find_law(name: str) -> dict[str, Any]:
    """The values of a published law.

    Raises:
        SpecError: there is none of that name.
    """
    if name not in LAWS:
        raise SpecError(f"law must be one of {', '.join(LAWS)}, not {name!r}")
    return dict(LAWS[name])
