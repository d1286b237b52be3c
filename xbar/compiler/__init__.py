"""Compiler from matrices and a chip to switch masks: passes and the resulting program."""
