"""ONNX models as graphs: each operator of the common set becomes operations of ATen.

``file`` parses the model and its weights, ``convert`` walks the nodes, ``fold`` computes what is
known beforehand (shapes, mostly), and the other files hold the operators by kind. What ATen
operations they become is then saved, allow-listed and run as with every other source.
"""
