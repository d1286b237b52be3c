"""Compiled loops over the tiles of a batch."""
