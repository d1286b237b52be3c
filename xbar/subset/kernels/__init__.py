"""Numba functions on arrays that the solvers are built from; imported only by a solver at work."""
