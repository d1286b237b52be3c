"""Generators of random cases of ONNX's operators, for the tests that have them judged."""

from onnx_cases.elementwise import ELEMENTWISE
from onnx_cases.layers import LAYERS
from onnx_cases.products import PRODUCTS
from onnx_cases.shapes import SHAPES

GENERATORS = {**ELEMENTWISE, **LAYERS, **SHAPES, **PRODUCTS}
"""Generator of random cases by operator: (random numbers, version of the set) -> case."""
