"""One weight from eight imprecise resistors: measure them, then choose which to switch in."""

import numpy as np

import xbar

# eight resistors of nominally 100 kohm that came out up to twice as large or small
bank = xbar.Bank(resistors=8, nominal=100e3, spread="lognormal", sigma=0.3)
chip = xbar.Chip.sample(xbar.Hardware(bank=bank), seed=1)
measured = chip.on(0)[0, 0]  # siemens, the cell at word line 0, bit line 0 of tile 0

target = 33e-6
solution = xbar.solve_subset(measured, target)
print("measured   ", np.round(measured * 1e6, 2), "uS")
print("switched in", np.flatnonzero(solution.mask))
print(f"achieved    {solution.achieved * 1e6:.4f} uS for {target * 1e6:g} uS, {solution.status}")

# one resistor alone comes no closer than this
alone = np.abs(measured - target).min()
print(f"error       {abs(solution.residual):.2e} S; the best single resistor: {alone:.2e} S")
assert abs(solution.residual) < alone / 20
