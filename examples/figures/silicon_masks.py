"""Pictures of drawn cells in docs/figures/: python examples/figures/silicon_masks.py [folder].

The second one shows the latches of the PDK's own standard cells, so that PDK must be there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from xbar.silicon import BankGeometry, Layout

# eight resistors, each 10 % longer than the last, on the grid of the masks
BANK = BankGeometry((4000, 4400, 4840, 5325, 5855, 6440, 7085, 7795))


def main(folder: Path) -> None:
    """Write both pictures."""
    array = Layout(BANK, word_lines=64, bit_lines=64)
    array.picture(folder / "silicon_tile.svg", cells=(2, 2), force=True)
    latches = Layout(BANK, word_lines=64, bit_lines=64, memory=True)
    latches.picture(folder / "silicon_memory.svg", cells=(1, 1), force=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/figures"))
