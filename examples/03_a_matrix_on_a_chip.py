"""A signed matrix on a chip: what is realised, with ideal wires and with real ones."""

import numpy as np

import xbar

rng = np.random.default_rng(0)
matrix = rng.standard_normal((10, 48))  # 10 outputs, 48 inputs
inputs = rng.standard_normal((100, 48))

hardware = xbar.Hardware(
    bank=xbar.Bank(resistors=8, nominal=1e6, sigma=0.3, on_off_ratio=1e4),
    tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=1.0, bit_wire=1.0),
)
program = xbar.compile(matrix, hardware, seed=0)
print(program)

exact = inputs @ matrix.T
for readout in ("ideal", "nodal"):
    outputs = program.run(inputs, readout=readout)
    error = np.abs(outputs - exact).max() / np.abs(exact).max()
    print(f"{readout} wires: worst output error {error:.1e} of the largest output")
    if readout == "ideal":
        assert error < 1e-3

# where is the weight from input 7 to output 3? In a cell that counts for it and one against it
for device in program.devices_of("matrix", output=3, input=7):
    tile = program.tiles[device.tile]
    switched = np.flatnonzero(tile.mask[device.word_line, device.bit_line])
    where = f"tile {device.tile}, word line {device.word_line}, bit line {device.bit_line}"
    print(f"{where}, sign {device.sign:+d}: {switched} switched in")
