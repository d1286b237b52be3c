"""Memory check of the circuit solvers."""

from __future__ import annotations

import os

from xbar.errors import SolverError


def check_memory(needed: float, shape: tuple[int, ...]) -> None:
    """Check up front that a solution fits into memory.

    Args:
        needed: required memory in bytes.
        shape: shape of the crossbar, for the message.

    Raises:
        SolverError: the machine has less.
    """
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > held:
        raise SolverError(
            f"a crossbar of {shape[0]} x {shape[1]} needs about {needed / 1e9:.1f} GB of memory "
            f"to solve, and this machine has {held / 1e9:.1f} GB; split it into tiles"
        )
