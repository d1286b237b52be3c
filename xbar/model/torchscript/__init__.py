"""TorchScript by symbolic interpretation: its source is neither run nor compiled.

``torch.jit.load`` is not used, because loading runs code: a class in the archive may have a
``__setstate__``, which the loader calls, and a method may call ``aten::from_file`` or
``aten::save``, which reach files. Here the archive is a pickle, read as data by a machine that
calls nothing (``objects``), and Python-like source, parsed and followed from the input to the
output (``follow``): what it does to tensors becomes a graph's nodes.
"""
