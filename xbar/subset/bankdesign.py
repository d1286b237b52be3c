"""Choosing the nominal values of a bank."""
