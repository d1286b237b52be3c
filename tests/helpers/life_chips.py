"""Designs as TOML whose devices change with time and heat."""

_SMALL = """
[bank]
resistors = 5
nominal = "50k"
[tile]
word_lines = 32
bit_lines = 32
"""

PCM = f"""{_SMALL}
[device]
law = "pcm"
activation = "0.5 eV"
[temperature]
resistors = "-0.05 %"
"""

DRIFT = f"""{_SMALL}
[device]
activation = "0.5 eV"
[device.drift]
first = "20 s"
mean = {{ polynomial = [0.06] }}
sigma = {{ polynomial = [0.02] }}
"""
