"""Variants of the subset problem: fixed size, read noise, stuck resistors, many targets."""
