"""Work on a card in batches: memory is asked for, and halved where it was not enough."""

from __future__ import annotations

from collections.abc import Callable

from xbar.device.card import Card, DeviceMemoryError

_SHARE = 0.5  # of the free memory that a batch takes


def in_batches(
    card: Card, count: int, each: int, work: Callable[[slice], None], most: int | None = None
) -> None:
    """Do ``count`` like pieces of work in slices that fit into half of the card's free memory.

    A slice whose work runs out of memory is tried again in halves, and later slices are no larger.

    Args:
        card: the card.
        count: number of pieces.
        each: bytes of the card's memory for a piece.
        work: function that does a slice of them; it may be called again for the same pieces.
        most: largest slice; None for no limit.

    Raises:
        DeviceMemoryError: the memory does not hold a single piece.
    """
    size = max(int(card.free() * _SHARE) // max(each, 1), 1)
    size = size if most is None else min(size, most)
    start = 0
    while start < count:
        stop = min(start + size, count)
        try:
            work(slice(start, stop))
        except DeviceMemoryError:
            if stop - start == 1:
                raise
            size = (stop - start) // 2
        else:
            start = stop
