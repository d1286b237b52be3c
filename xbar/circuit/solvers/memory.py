"""Memory check of the circuit solvers."""

from __future__ import annotations

import os

from xbar.errors import SolverError


def check_memory(needed: float, what: str | tuple[int, ...]) -> None:
    """Check up front that a solution fits into memory.

    Args:
        needed: required memory in bytes.
        what: shape of the crossbar, or what it is else, for the message.

    Raises:
        SolverError: the machine has less.
    """
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > held:
        array = what if isinstance(what, str) else f"a crossbar of {what[0]} x {what[1]}"
        raise SolverError(
            f"{array} needs about {needed / 1e9:.1f} GB of memory to solve, and this machine has "
            f"{held / 1e9:.1f} GB; split it into smaller ones"
        )
