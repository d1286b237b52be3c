"""Blocks onto tiles: the fewest tiles that hold rectangles without overlap."""
