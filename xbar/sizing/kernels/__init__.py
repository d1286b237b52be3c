"""Compiled inner loops of the sizing functions."""
