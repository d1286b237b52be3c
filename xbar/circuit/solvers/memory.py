"""What a solver may need of this machine's memory."""

from __future__ import annotations

import os

from xbar.errors import SolverError


def check_memory(needed: float, shape: tuple[int, ...]) -> None:
    """Refuse what can't fit, before any work is done.

    Args:
        needed: bytes.
        shape: of the crossbar, for the message.

    Raises:
        SolverError: it is more than this machine has.
    """
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > held:
        raise SolverError(
            f"a crossbar of {shape[0]} x {shape[1]} needs about {needed / 1e9:.1f} GB of memory "
            f"to solve, and this machine has {held / 1e9:.1f} GB; split it into tiles"
        )
