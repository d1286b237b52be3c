"""Torch modules trained as the hardware multiplies: layers, chip weights, the loop."""
