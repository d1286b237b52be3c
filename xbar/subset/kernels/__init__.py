"""Numba kernels of the solvers; imported on the first solve."""
