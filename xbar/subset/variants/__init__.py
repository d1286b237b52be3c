"""Subset problems under side conditions: fixed size, read noise, stuck resistors, many targets."""
