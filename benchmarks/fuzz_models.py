"""Small files of networks for ``fuzz_readers.py``, in every format, and how they are read."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_mutations import Files

import xbar


def layers() -> Any:
    import torch

    torch.manual_seed(0)
    first, last = torch.nn.Linear(6, 4), torch.nn.Linear(4, 3)
    return torch.nn.Sequential(first, torch.nn.ReLU(), last).eval()


def exported() -> list[Files]:
    from xbar.model.export import export_module

    return [{"m.pt2": export_module(layers(), (6,))}]


def scripts() -> list[Files]:
    import torch

    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(layers(), torch.zeros(1, 6)), stream)
    return [{"m.pt": stream.getvalue()}]


def states() -> list[Files]:
    import torch

    stream = io.BytesIO()
    torch.save({"state_dict": layers().state_dict(), "epoch": 3}, stream)
    return [{"m.pth": stream.getvalue()}]


def safetensors() -> list[Files]:
    head, body = {}, b""
    for name, tensor in layers().state_dict().items():
        content = tensor.numpy().tobytes()
        place = [len(body), len(body) + len(content)]
        head[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": place}
        body += content
    text = json.dumps(head).encode()
    return [{"m.safetensors": struct.pack("<Q", len(text)) + text + body}]


def onnx() -> list[Files]:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weight = rng.standard_normal((2, 1, 3, 3)).astype(np.float32)
    matrix = rng.standard_normal((3, 32)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "m"], ["y"], transB=1),
    ]
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(matrix, "m")]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 4, 4]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return [{"m.onnx": onnx.ModelProto.SerializeToString(model)}]


def network(shape: tuple[int, ...] | None = None) -> Callable[[Path, str], object]:
    def read(folder: Path, name: str) -> object:
        return xbar.read_model(folder / name, shape, activation=_activation(name)).layers

    return read


def located(folder: Path, name: str) -> object:
    from xbar.model.safetensors import locate_safetensors

    return [each.read() for each in locate_safetensors(folder / name).tensors.values()]


def _activation(name: str) -> str | None:
    return "relu" if name.endswith((".pth", ".safetensors")) else None
