"""Packing of blocks onto the fewest tiles: two-dimensional bin packing."""
