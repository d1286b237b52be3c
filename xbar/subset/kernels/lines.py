"""Expected error of each line of targets on each line of banks, for line assignment.

Shapes: R lines of C targets, W lines of C banks.
"""

from __future__ import annotations

from xbar.jit import Floats, jit


@jit
def costs(target: Floats, bank: Floats, table: Floats, per_unit: float, out: Floats) -> None:
    """Expected squared error, summed over a line.

    Args:
        target: (R, C) targets.
        bank: (W, C, 6) mean, standard deviation s, lowest and highest sum, a factor for the
            table's error, and its upper limit.
        table: (P,) mean square errors over s², at equal distances of the target from the mean.
        per_unit: table entries per distance s.
        out: (R, W) output.
    """
    last = len(table) - 1
    for r in range(target.shape[0]):
        for w in range(bank.shape[0]):
            total = 0.0
            for c in range(target.shape[1]):
                one = bank[w, c]
                goal = target[r, c]
                within = min(max(goal, one[2]), one[3])
                missed = goal - within
                if one[1] > 0.0:
                    place = int(min(abs(within - one[0]) / one[1] * per_unit, float(last)))
                    total += one[1] * one[1] * min(one[4] * table[place], one[5])
                total += missed * missed
            out[r, w] = total
