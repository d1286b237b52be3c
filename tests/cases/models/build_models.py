"""Builds each small network of models.json: python build_models.py FOLDER.

A case NAME has its file as models.json says, and NAME.npz with an input x and the reference output
y (and labels, or bind_*: inputs that are given once). Importing the two modules builds the cases.
"""

from importlib import import_module

for part in ("build_onnx", "build_torch"):
    import_module(part)
