"""Claim: the same inputs and seed give the same bytes, whatever the number of threads."""

import os
import subprocess
import sys

import pytest

import xbar

torch = pytest.importorskip("torch")

READ = """
import hashlib, sys
import numpy as np
import torch
import xbar
from threadpoolctl import threadpool_limits
from xbar.simulation.readout import AnalogProducts

threads = int(sys.argv[2])  # the environment alone gives no more than there are processors
threadpool_limits(threads)
torch.set_num_threads(threads)
program = xbar.Program.load(sys.argv[1])
x = np.random.default_rng(1).standard_normal((255, 300))
found = {"digital": program.graph.run(x.astype(np.float32)).tobytes()}
for precision in ("float64", "float32"):
    found[f"noise, ADC, {precision}"] = program.reader(seed=2, precision=precision)(x).tobytes()
    products = AnalogProducts(program, "ideal", 0, effects=["selection"], precision=precision)
    found[f"whole layers, {precision}"] = program.graph.run(x, products).tobytes()
simulated = xbar.simulate(program, x, calibrate="max", trials=2, seed=3)
found["simulate"] = repr(simulated).encode()
for name, each in found.items():
    print(name, hashlib.sha256(each).hexdigest())
assert torch.get_num_threads() == threads
"""


def read(program, threads):
    """Checksums of what a process of so many threads reads, a line each."""
    given = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    command = [sys.executable, "-W", "ignore", "-c", READ, str(program), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | given)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_program_reads_the_same_bytes_with_one_two_and_three_threads(tmp_path):
    torch.manual_seed(0)
    # sums of 300 and of 603 numbers, and 153,765 sigmoids
    layers = torch.nn.Linear(300, 603), torch.nn.Sigmoid(), torch.nn.Linear(603, 84)
    design = xbar.Hardware(
        bank=xbar.Bank(resistors=3),
        adc=xbar.Converter(bits=12),
        variation=xbar.Variation(read_noise=0.02),
    )
    folder = tmp_path / "program.xbar"
    network = torch.nn.Sequential(*layers).eval()
    xbar.compile(network, design, seed=0, input_shape=(300,), output=folder)
    first = read(folder, 1)
    assert read(folder, 2) == first
    assert read(folder, 3) == first
