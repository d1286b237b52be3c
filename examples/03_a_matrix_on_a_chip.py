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
program = xbar.compile({"fc": matrix}, hardware, seed=0)
print(f"{len(program.tiles)} tiles, {program.resistors_per_weight} resistors a weight")

exact = inputs @ matrix.T
for readout in ("ideal", "nodal"):
    outputs = program.run(inputs, readout=readout)
    error = np.abs(outputs - exact).max() / np.abs(exact).max()
    print(f"{readout} wires: worst output error {error:.1e} of the largest output")
    if readout == "ideal":
        assert error < 1e-3

# where is the weight from input 7 to output 3?
for tile in program.tiles:
    for word_line, bit_line in np.ndindex(32, 32):
        if (tile.source_of(word_line, bit_line) or ())[:4] == ("fc", 0, 3, 7):
            switched = np.flatnonzero(tile.mask[word_line, bit_line])
            print(f"tile {tile.index}, word line {word_line}, bit line {bit_line}: {switched}")
