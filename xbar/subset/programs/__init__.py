"""Constrained subset problems as integer programs for CP-SAT and MILP solvers."""
