"""The neural network: read from a file, kept as plain data, run by PyTorch.

``read`` opens model files without running anything that they carry; ``graph`` holds what was read;
``lower`` finds the layers that go to crossbars; ``interpret`` runs the rest.
"""
