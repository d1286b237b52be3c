"""Graphics cards: found, given kernels that are compiled from text, and given memory in batches.

Nothing here knows what is computed. A kernel is CUDA C++ text beside the Python kernel whose
results it reproduces, and is also plain C++ (``cuda/portable.h``), so that it is tested without a
card. The names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.device.batches import in_batches as in_batches
    from xbar.device.card import Buffer as Buffer
    from xbar.device.card import Card as Card
    from xbar.device.card import DeviceMemoryError as DeviceMemoryError
    from xbar.device.card import Memory as Memory
    from xbar.device.choice import find as find
    from xbar.device.source import Source as Source

_HOME = {
    "Buffer": "xbar.device.card",
    "Card": "xbar.device.card",
    "Memory": "xbar.device.card",
    "DeviceMemoryError": "xbar.device.card",
    "Source": "xbar.device.source",
    "find": "xbar.device.choice",
    "in_batches": "xbar.device.batches",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.device", _HOME)
