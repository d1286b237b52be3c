"""Where the voltage goes in a 256 x 256 tile: a map of the IR drop, as an array and a picture."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import xbar

rng = np.random.default_rng(0)
conductance = 10.0 ** rng.uniform(-6, -4, (256, 256))  # 1 uS to 100 uS
crossbar = xbar.Crossbar(conductance, word_wire=1.0, bit_wire=1.0)
volts = 0.2

solution = crossbar.solve(np.full((1, 256), volts))
drop = volts - (solution.word_voltage - solution.bit_voltage)[0]  # (256, 256) volts

folder = Path("build")
folder.mkdir(exist_ok=True)
np.save(folder / "ir_drop.npy", drop)
figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
picture = axes.imshow(1e3 * drop, cmap="viridis")
axes.set(xlabel="bit line", ylabel="word line", title="IR drop of each cell")
figure.colorbar(picture, label="mV of 200")
figure.savefig(folder / "ir_drop.png", dpi=150)

i, j = divmod(int(drop.argmax()), 256)
print(f"largest drop {1e3 * drop.max():.1f} mV at word line {i}, bit line {j}")
print(f"mean drop    {1e3 * drop.mean():.1f} mV of {1e3 * volts:.0f} mV")

# the cell next to driver and sense amplifier sees almost all, the far corner the least
assert drop[-1, 0] < 0.1 * volts
assert i < 64 < j
