"""Reader of ``torch.export`` archives.

The archive is JSON and raw weights and is read as such: nothing is unpickled, evaluated or called,
and PyTorch is not needed. (``torch.export.load`` does all three.)

    models/model.json                       the graph, its signature, sizes
    data/weights/model_weights_config.json  location of each weight
    data/weights/weight_0 ...               raw numbers
    data/constants/...                      the same for constants

PyTorch 2.6 and 2.7 write the same graph in a different container: ``serialized_*``.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.errors import FileError, ModelError
from xbar.model.graph import Argument, Graph, Input, Node, Ref, Tag
from xbar.model.scan import Archive, scan_export
from xbar.model.sizes import evaluate, symbols_of
from xbar.model.tensors import strided

Array: TypeAlias = NDArray[Any]
JSON: TypeAlias = Any

SCHEMA = 8
"""Supported major version of the graph schema: PyTorch 2.5 and later."""
_DTYPES: Mapping[int, str] = MappingProxyType(
    {
        1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
        8: "float64", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
        28: "uint16", 34: "uint32", 35: "uint64",
    }
)  # fmt: skip
_FORMATS: Mapping[int, str] = MappingProxyType(
    {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
)
_OLD = "serialized_exported_program.json"
# exceptions raised on JSON of an unexpected structure
_MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


def is_export(names: tuple[str, ...]) -> bool:
    """Whether an archive with these members is a ``torch.export`` archive."""
    return _OLD in names or any(
        name == "archive_format" or (name.startswith("models/") and name.endswith(".json"))
        for name in names
    )


def read_archive(archive: Archive) -> Graph:
    """Read the graph of a ``torch.export`` archive.

    Raises:
        UntrustedFileError: the archive contains code.
        FileError: it is damaged.
        ModelError: the network does not have one input and one output, or its format is newer.
    """
    scan_export(archive)
    try:
        if _OLD in archive:
            program = archive.read_json(_OLD)
            tensors = _old_tensors(archive)
        else:
            name = _model_name(archive)
            program = archive.read_json(f"models/{name}.json")
            tensors = _tensors(archive, name)
        major = program["schema_version"]["major"]
        if major != SCHEMA:
            raise ModelError(
                f"{archive.where}: its format is version {major}, not {SCHEMA}; "
                "export the model again with a PyTorch between 2.6 and the newest tested"
            )
        return _Reader(program["graph_module"], tensors, archive.where).graph()
    except _MALFORMED as error:
        if isinstance(error, (FileError, ModelError)):
            raise
        raise FileError(
            f"{archive.where}: the archive's graph is damaged ({type(error).__name__}: {error})"
        ) from None


def _model_name(archive: Archive) -> str:
    names = [n[7:-5] for n in archive.names if n.startswith("models/") and n.endswith(".json")]
    if len(names) != 1:
        raise ModelError(f"{archive.where}: the archive must hold one model, not {len(names)}")
    return names[0]


def _tensors(archive: Archive, model: str) -> dict[str, Array]:
    """Weights and constants by dotted name; tied weights share one array."""
    tensors: dict[str, Array] = {}
    for folder, what in (("weights", "weights"), ("constants", "constants")):
        whole = f"data/{folder}/{model}.pt"
        if whole in archive:
            tensors.update(_pickled_tensors(archive, whole))
            continue
        config = archive.read_json(f"data/{folder}/{model}_{what}_config.json")["config"]
        same: dict[str, Array] = {}
        for name, entry in config.items():
            meta = entry["tensor_meta"]
            layout = [meta[part] for part in ("sizes", "strides", "storage_offset")]
            key = f"{entry['path_name']} {layout}"
            if key not in same:
                raw = archive.read(f"data/{folder}/{entry['path_name']}")
                same[key] = _strided(raw, meta, f"{archive.where}: {name}")
            tensors[name] = same[key]
    return tensors


def _strided(raw: bytes, meta: JSON, where: str) -> Array:
    """A tensor from its raw storage, bounds checked."""
    dtype = _DTYPES.get(meta["dtype"])
    shape = tuple(_whole(size) for size in meta["sizes"])
    strides = tuple(_whole(stride) for stride in meta["strides"])
    if dtype is None or meta["layout"] != 7 or len(shape) != len(strides):
        raise ModelError(f"{where}: only dense tensors of plain numbers can be read")
    return strided(raw, dtype, shape, strides, _whole(meta["storage_offset"]), where)


def _whole(size: JSON) -> int:
    value = size["as_int"]
    if type(value) is not int:
        raise TypeError(f"a size must be a whole number, not {value!r}")
    return value


def _old_tensors(archive: Archive) -> dict[str, Array]:
    return {
        **_pickled_tensors(archive, "serialized_state_dict.pt"),
        **_pickled_tensors(archive, "serialized_constants.pt"),
    }


def _pickled_tensors(archive: Archive, name: str) -> dict[str, Array]:
    """Tensors of a member written by ``torch.save``, read by the loader that runs no code."""
    data = archive.read(name)
    if not data:
        return {}
    from xbar.model.pytorch import load_tensors, require_torch

    require_torch("reading this archive, from an early torch.export,")
    return load_tensors(io.BytesIO(data), f"{archive.where}: {name}")


@dataclass(frozen=True)
class _Reader:
    """Converts the JSON of one graph module to a graph."""

    module: JSON
    tensors: Mapping[str, Array]
    where: str

    def graph(self) -> Graph:
        data, signature = self.module["graph"], self.module["signature"]
        inputs, nodes = self._inputs(signature["input_specs"])
        symbol = self._batch_symbol(inputs)
        nodes += [made for node in data["nodes"] for made in self._node(node)]
        constants = {
            str(n.args[0]): self.tensors[str(n.args[0])] for n in nodes if n.op == "constant"
        }
        return Graph(
            nodes=tuple(self._with_shape(node, symbol) for node in nodes),
            constants=constants,
            inputs=tuple(self._input(name) for name in inputs),
            output=self._output(signature["output_specs"]),
            batch=None if symbol or not inputs else self._fixed_batch(inputs[0]),
        )

    def _inputs(self, specs: JSON) -> tuple[list[str], list[Node]]:
        inputs: list[str] = []
        nodes: list[Node] = []
        first: dict[int, str] = {}
        for spec in specs:
            ((kind, entry),) = spec.items()
            if kind == "user_input":
                if "as_tensor" not in entry["arg"]:
                    raise ModelError(
                        f"{self.where}: the model must take a tensor, not {[*entry['arg']]}"
                    )
                inputs.append(entry["arg"]["as_tensor"]["name"])
                nodes.append(Node(inputs[-1], "input"))
            elif kind in ("parameter", "buffer", "tensor_constant"):
                constant = entry[f"{kind}_name"]
                constant = first.setdefault(id(self.tensors[constant]), constant)  # tied weights
                nodes.append(Node(entry["arg"]["name"], "constant", (constant,)))
            elif kind != "constant_input":
                raise ModelError(
                    f"{self.where}: the model takes a {kind}; export it with tensors only"
                )
        return inputs, nodes

    def _output(self, specs: JSON) -> Ref:
        kinds = [kind for spec in specs for ((kind, _),) in [spec.items()]]
        if set(kinds) - {"user_output"}:
            raise ModelError(
                f"{self.where}: the model changes its own state when it runs ({kinds[0]}); "
                "call model.eval() before exporting it"
            )
        argument = specs[0]["user_output"]["arg"] if specs else {}
        if len(specs) != 1 or "as_tensor" not in argument:
            raise ModelError(
                f"{self.where}: the model must return one tensor, not {len(specs)} values; "
                "wrap it in a module that returns the one"
            )
        return Ref(argument["as_tensor"]["name"])

    def _sizes(self, name: str) -> list[JSON] | None:
        meta = self.module["graph"]["tensor_values"].get(name)
        return None if meta is None else meta["sizes"]

    def _input(self, name: str) -> Input:
        sizes = self._sizes(name) or []
        shape = [size.get("as_int") for size in sizes]
        meta = self.module["graph"]["tensor_values"][name]
        dtype = _DTYPES.get(meta["dtype"], "unknown")
        if dtype in ("unknown", "bfloat16") or dtype.startswith("complex"):
            raise ModelError(f"{self.where}: inputs of type {dtype} are not supported; use float32")
        return Input(name, tuple([None, *shape[1:]] if shape else []), dtype)

    def _fixed_batch(self, name: str) -> int | None:
        sizes = self._sizes(name)
        batch = sizes[0].get("as_int") if sizes else None
        return batch if type(batch) is int and batch > 0 else None

    def _batch_symbol(self, inputs: list[str]) -> str | None:
        sizes = self._sizes(inputs[0]) if inputs else None
        if not sizes or "as_expr" not in sizes[0]:
            return None
        symbols = symbols_of(sizes[0]["as_expr"]["expr_str"])
        return next(iter(symbols)) if len(symbols) == 1 else None

    def _with_shape(self, node: Node, symbol: str | None) -> Node:
        sizes = self._sizes(node.name)
        if sizes is None:
            return node
        one = {symbol: 1} if symbol else {}
        shape = tuple(
            _whole(size) if "as_int" in size else evaluate(size["as_expr"]["expr_str"], one)
            for size in sizes
        )
        return Node(node.name, node.op, node.args, node.kwargs, shape)

    def _node(self, data: JSON) -> list[Node]:
        op = data["target"].removeprefix("torch.ops.").removeprefix("_")
        positional = [each for each in data["inputs"] if each.get("kind") != 2]
        named = [each for each in data["inputs"] if each.get("kind") == 2]
        args = tuple(_argument(each["arg"]) for each in positional)
        kwargs = {each["name"]: _argument(each["arg"]) for each in named}
        self._check_mode(op, args)
        outputs = data["outputs"]
        if len(outputs) == 1 and (name := _single(outputs[0])):
            return [Node(name, op, args, kwargs)]
        base = data.get("name") or f"results_of_{_first_name(outputs)}"
        taken = _single(outputs[0]) if outputs else None
        base = f"{base}_all" if base == taken else base
        return [Node(base, op, args, kwargs), *_results(base, outputs)]

    def _check_mode(self, op: str, args: tuple[Argument, ...]) -> None:
        flag = {"aten.dropout.default": 2, "aten.batch_norm.default": 5}.get(op)
        if flag is not None and len(args) > flag and args[flag] is True:
            raise ModelError(
                f"{self.where}: the model was exported for training ({op}); "
                "call model.eval() before exporting it"
            )


def _single(output: JSON) -> str | None:
    """Name of a result that is a single tensor or number."""
    ((kind, value),) = output.items()
    if kind == "as_tensor":
        return str(value["name"])
    return str(value["as_name"]) if kind.startswith("as_sym_") and "as_name" in value else None


def _first_name(outputs: JSON) -> str:
    return next((name for name in map(_single, outputs) if name), "nothing")


def _results(base: str, outputs: JSON) -> list[Node]:
    """Nodes that unpack the results of an operation with several."""
    if len(outputs) == 1 and "as_tensors" in outputs[0]:
        outputs = [{"as_tensor": each} for each in outputs[0]["as_tensors"]]
    nodes: list[Node] = []
    for i, output in enumerate(outputs):
        name = _single(output)
        if name:
            nodes.append(Node(name, "operator.getitem", (Ref(base), i)))
        elif "as_tensors" in output:
            inner = f"{base}_{i}"
            nodes.append(Node(inner, "operator.getitem", (Ref(base), i)))
            nodes += _results(inner, [output])
    return nodes


def _argument(data: JSON) -> Argument:
    ((kind, value),) = data.items()
    if kind not in _ARGUMENTS:
        raise ModelError(f"an operation takes {kind[:40]!r}, which xbar does not run")
    return _ARGUMENTS[kind](value)


def _plain(*kinds: type) -> Callable[[JSON], Argument]:
    def read(value: JSON) -> Argument:
        if type(value) not in kinds:
            raise TypeError(f"{value!r} must be one of {[kind.__name__ for kind in kinds]}")
        plain: Argument = value
        return plain

    return read


def _float(value: JSON) -> Argument:
    """A float; infinities are text in JSON."""
    if isinstance(value, str) and value not in ("Infinity", "-Infinity", "NaN"):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _symbolic(value: JSON) -> Argument:
    ((kind, inner),) = value.items()
    return Ref(str(inner)) if kind == "as_name" else _argument({kind: inner})


def _optional(value: JSON) -> Argument:
    return Ref(str(value["as_tensor"]["name"])) if "as_tensor" in value else None


def _many(read: Callable[[JSON], Argument]) -> Callable[[JSON], Argument]:
    return lambda values: tuple(read(value) for value in values)


def _tensor(value: JSON) -> Argument:
    return Ref(str(value["name"]))


def _layout(value: JSON) -> Argument:
    if value != 7:
        raise ModelError("the model makes sparse tensors, which xbar does not run")
    return Tag("layout", "strided")


_ARGUMENTS: Mapping[str, Callable[[JSON], Argument]] = MappingProxyType(
    {
        "as_none": lambda _: None,
        "as_tensor": _tensor,
        "as_tensors": _many(_tensor),
        "as_nested_tensors": _many(_many(_tensor)),
        "as_optional_tensor": _optional,
        "as_optional_tensors": _many(_optional),
        "as_int": _plain(int),
        "as_ints": _many(_plain(int)),
        "as_int_lists": _many(_many(_plain(int))),
        "as_float": _float,
        "as_floats": _many(_float),
        "as_float_lists": _many(_many(_float)),
        "as_bool": _plain(bool),
        "as_bools": _many(_plain(bool)),
        "as_string": _plain(str),
        "as_strings": _many(_plain(str)),
        "as_sym_int": _symbolic,
        "as_sym_float": _symbolic,
        "as_sym_bool": _symbolic,
        "as_sym_ints": _many(_symbolic),
        "as_sym_floats": _many(_symbolic),
        "as_sym_bools": _many(_symbolic),
        "as_scalar_type": lambda value: Tag("dtype", _DTYPES[value]),
        "as_memory_format": lambda value: Tag("memory_format", _FORMATS[value]),
        "as_layout": _layout,
        "as_device": lambda _: Tag("device", "cpu"),
    }
)
"""Reader of each kind of argument in the archive. Every device is the CPU."""
