"""Subset solvers, one per module; `xbar.subset.registry` lists them."""
