"""ONNX models as graphs: operators of the common set are converted to ATen operations.

``file`` parses the model and its weights, ``convert`` walks the nodes, ``fold`` evaluates static
values (mostly shapes), and the other modules convert the operators by kind. The resulting ATen
operations are saved, allow-listed and run like those of every other source.
"""
