"""The card that ``device=`` names."""

from __future__ import annotations

from functools import cache
from typing import Any

from xbar.device.card import Card
from xbar.errors import SpecError, ToolError, shown

DEVICES = ("cpu", "cuda", "auto")


def check(device: Any) -> str:
    """Check the name of a device; returns it.

    Raises:
        SpecError: it is none of cpu, cuda and auto.
    """
    if device not in DEVICES:
        raise SpecError(f"device must be one of {', '.join(DEVICES)}, not {shown(device)}")
    return str(device)


def find(device: str) -> Card | None:
    """The card that a device names; None for the CPU.

    Args:
        device: "cpu"; "cuda" for this machine's first NVIDIA card; "auto" for that card where one
            works, else the CPU. ``CUDA_VISIBLE_DEVICES`` says which one is the first.

    Raises:
        SpecError: there is no such device.
        ToolError: "cuda" where no card works; the message says what is missing.

    >>> find("cpu") is None
    True
    """
    if check(device) == "cpu":
        return None
    card, why = first_card()
    if card is None and device == "cuda":
        raise ToolError(f"device 'cuda' needs an NVIDIA card: {why}; device 'cpu' needs none")
    return card


@cache
def first_card() -> tuple[Card | None, str]:
    """This machine's first card, and otherwise why there is none."""
    from xbar.device.nvidia import NvidiaCard

    try:
        return NvidiaCard(), ""
    except ToolError as error:
        return None, str(error)
