"""What was assumed while a deck was read."""

from __future__ import annotations

from xbar.errors import printable

_MOST = 20  # remarks kept


class Remarks:
    """Distinct remarks in the order in which they came up; after some, only their number."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}
        self._more = 0

    def add(self, text: str) -> None:
        """Add a remark, unless it was made already."""
        if text in self._found:
            return
        if len(self._found) < _MOST:
            self._found[printable(text)] = None
        else:
            self._more += 1

    @property
    def all(self) -> tuple[str, ...]:
        """The remarks."""
        more = (f"and {self._more} more remarks of this kind",) if self._more else ()
        return (*self._found, *more)
