"""What the builders of the cases share: seeds, references, and how a case is kept."""

import contextlib
import io
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

warnings.simplefilter("ignore")
logging.disable(40)
torch.manual_seed(7)
OUT = Path(sys.argv[1])
OUT.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(7)
N = helper.make_node


def f32(*shape):
    return rng.standard_normal(shape).astype("f")


def keep(name, x, y, **more):
    np.savez(OUT / f"{name}.npz", x=x, y=y, **more)


def session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    )  # what the file says, nothing fused
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnx_case(name, nodes, constants, x, opset=13, outputs=("y",), take=0, inputs=None, batch="N"):
    """An ONNX network from nodes, with onnxruntime's answer; any batch unless batch says one."""
    kind = {"f": TensorProto.FLOAT, "i": TensorProto.INT64}
    ins = [helper.make_tensor_value_info("x", kind[x.dtype.kind], [batch, *x.shape[1:]])]
    ins += [
        helper.make_tensor_value_info(k, kind[v.dtype.kind], v.shape)
        for k, v in (inputs or {}).items()
    ]
    outs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
    graph = helper.make_graph(
        nodes,
        name,
        ins,
        outs,
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9),
        str(OUT / f"{name}.onnx"),
    )
    y = session(OUT / f"{name}.onnx").run(None, {"x": x, **(inputs or {})})[take]
    keep(name, x, y, **{f"bind_{k}": v for k, v in (inputs or {}).items()})


def exported(path, module, x, opset=13):
    """PyTorch's older exporter, batch axis open."""
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(
            module.eval(),
            (torch.as_tensor(x[:2]),),
            str(path),
            dynamo=False,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "b"}},
            opset_version=opset,
        )


def exported_case(name, module, x, opset=13):
    exported(OUT / f"{name}.onnx", module, x, opset)
    reference(name, x)


def reference(name, x):
    keep(name, x, session(OUT / f"{name}.onnx").run(None, {"x": x})[0])


def safetensors(file, tensors, metadata=None):
    """float32 tensors in the safetensors format: length, table in JSON, bytes.

    metadata names what was stored once.
    """
    table, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, t in tensors.items():
        raw = t.detach().numpy().astype("<f4").tobytes()
        table[name] = {
            "dtype": "F32",
            "shape": list(t.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    head = json.dumps(table).encode()
    head += b" " * (-len(head) % 8)
    (OUT / file).write_bytes(len(head).to_bytes(8, "little") + head + data)


def pt2_case(name, module, x, train=False):
    """A torch.export archive; the reference is the module in eval mode (unused if random)."""
    x = torch.as_tensor(x)
    module.train(train)
    program = torch.export.export(module, (x[:2],), dynamic_shapes=({0: torch.export.Dim("b")},))
    torch.export.save(program, str(OUT / f"{name}.pt2"))
    with torch.no_grad():
        keep(name, x.numpy(), module.eval()(x).numpy())
