"""What wires do to a crossbar: the exact solution against the ideal product."""

import numpy as np

import xbar

rng = np.random.default_rng(0)
conductance = rng.uniform(0, 100e-6, (64, 64))  # siemens, 64 word lines and 64 bit lines
voltage = rng.uniform(0, 0.2, (5, 64))  # volts, five input vectors

for ohms in (0.0, 0.5, 1.0, 2.0):
    crossbar = xbar.Crossbar(conductance, word_wire=ohms, bit_wire=ohms)
    current = crossbar.read(voltage)
    loss = 1 - current.sum() / (voltage @ conductance).sum()
    print(f"{ohms:3.1f} ohm a segment: {100 * loss:5.2f} % of the current is lost")

# the farthest cell sees the least voltage
solution = crossbar.solve(voltage[:1])
drop = voltage[0][:, None] - (solution.word_voltage - solution.bit_voltage)[0]
print(f"largest IR drop {1e3 * drop.max():.1f} mV of {1e3 * voltage[0].max():.0f} mV")
assert 0.15 < loss < 0.35
