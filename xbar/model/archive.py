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

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from xbar.errors import FileError, ModelError, XbarError
from xbar.model.arguments import DTYPES, JSON, read_argument
from xbar.model.experts import write_out_experts
from xbar.model.graph import Graph, Lines, Node, Ref
from xbar.model.inline import inline
from xbar.model.lines import NAME, lines_of
from xbar.model.ports import Ports
from xbar.model.saved import read_saved_file, tensor_of
from xbar.model.scan import Archive, scan_export
from xbar.model.source import Source
from xbar.model.stored import StoredArrays, joined, picked
from xbar.model.tensors import strided

Array: TypeAlias = NDArray[Any]

SCHEMA = 8
"""Supported major version of the graph schema: PyTorch 2.5 and later."""
_OLD = "serialized_exported_program.json"
# exceptions raised on JSON of an unexpected structure
_MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


def is_export(names: tuple[str, ...]) -> bool:
    """Whether an archive with these members is a ``torch.export`` archive."""
    return _OLD in names or any(
        name == "archive_format" or (name.startswith("models/") and name.endswith(".json"))
        for name in names
    )


def read_archive(
    archive: Archive, source: Source | None = None, given: StoredArrays | None = None
) -> Graph:
    """Read the graph of a ``torch.export`` archive.

    Args:
        archive: the archive.
        source: the caller's options; None for none.
        given: arrays by name that stand for the archive's own weights, which are not read.

    Raises:
        UntrustedFileError: the archive contains code.
        FileError: it is damaged.
        ModelError: its format is newer, or of several inputs and outputs none is chosen.
    """
    scan_export(archive)
    try:
        if _OLD in archive:
            program = archive.read_json(_OLD)
            tensors: Mapping[str, Array] = _old_tensors(archive)
        else:
            name = _model_name(archive)
            program = archive.read_json(f"models/{name}.json")
            tensors = _tensors(archive, name, given or {})
        major = program["schema_version"]["major"]
        if major != SCHEMA:
            raise ModelError(
                f"{archive.where}: its format is version {major}, not {SCHEMA}; "
                "export the model again with a PyTorch between 2.6 and the newest tested"
            )
        ports = Ports(program["graph_module"], source or Source(archive.where))
        if given is not None:
            tensors = joined(given, tensors)
        graph = _Reader(program["graph_module"], tensors, ports).graph()
        return replace(graph, lines=_lines(archive))
    except ModelError as error:
        if archive.where in str(error):
            raise
        raise ModelError(f"{archive.where}: {error}") from None
    except _MALFORMED as error:
        if isinstance(error, XbarError):
            raise
        raise FileError(
            f"{archive.where}: the archive's graph is damaged ({type(error).__name__}: {error})"
        ) from None


def _lines(archive: Archive) -> dict[str, Lines]:
    """The order of its lines, where xbar wrote one."""
    name = f"extra/{NAME}"
    if name not in archive:
        return {}
    return lines_of(archive.read_json(name), f"{archive.where}: {name}")


def _model_name(archive: Archive) -> str:
    names = [n[7:-5] for n in archive.names if n.startswith("models/") and n.endswith(".json")]
    if len(names) != 1:
        raise ModelError(f"{archive.where}: the archive must hold one model, not {len(names)}")
    return names[0]


def _tensors(archive: Archive, model: str, without: Container[str]) -> dict[str, Array]:
    """Weights and constants by dotted name, without some; tied weights share one array."""
    tensors: dict[str, Array] = {}
    for folder, what in (("weights", "weights"), ("constants", "constants")):
        whole = f"data/{folder}/{model}.pt"
        if whole in archive:
            tensors.update(_pickled_tensors(archive, whole))
            continue
        config = archive.read_json(f"data/{folder}/{model}_{what}_config.json")["config"]
        same: dict[str, Array] = {}
        for name, entry in config.items():
            if name in without:
                continue
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
    dtype = DTYPES.get(meta["dtype"])
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
    """Tensors of a member written by ``torch.save``; its pickle is parsed as data."""
    data = archive.read(name)
    if not data:
        return {}
    where = f"{archive.where}: {name}"
    saved = read_saved_file(data, where)
    if not isinstance(saved.tree, dict):
        raise FileError(f"{where} must hold tensors by name")
    tensors = {str(key): tensor_of(part) for key, part in saved.tree.items()}
    other = next((key for key, tensor in tensors.items() if tensor is None), None)
    if other is not None or saved.foreign is not None:
        raise FileError(f"{where} must hold tensors by name, and nothing else")
    return {key: saved.array(tensor, key) for key, tensor in tensors.items() if tensor is not None}


@dataclass(frozen=True)
class _Reader:
    """Converts the JSON of one graph module to a graph."""

    module: JSON
    tensors: Mapping[str, Array]
    ports: Ports

    def graph(self) -> Graph:
        data, signature = self.module["graph"], self.module["signature"]
        found, described = inline(data)
        data["tensor_values"] = {**data["tensor_values"], **described}
        output, notes = self.ports.output()
        nodes = self._inputs(signature["input_specs"])
        made = [each for node in found for each in self._node(node)]
        nodes += write_out_experts(made, self.ports.shape)
        named = dict.fromkeys(str(n.args[0]) for n in nodes if n.op == "constant")
        constants = picked(self.tensors, named)
        nodes, taken, batch = self.ports.place(nodes, output)
        moved, told = self.ports.batch_first(output, batch)
        return Graph(
            nodes=(*(self._with_shape(node) for node in nodes), *moved),
            constants=joined(constants, self.ports.constants),
            inputs=(taken,),
            output=Ref(moved[-1].name) if moved else output,
            batch=batch,
            notes=(*notes, *self.ports.notes, *told),
        )

    def _inputs(self, specs: JSON) -> list[Node]:
        nodes: list[Node] = []
        first: dict[object, str] = {}
        where = self.ports.source.where
        for spec in specs:
            ((kind, entry),) = spec.items()
            if kind == "user_input":
                if "as_tensor" not in entry["arg"]:
                    raise ModelError(
                        f"{where}: the model must take a tensor, not {[*entry['arg']]}"
                    )
                nodes.append(Node(entry["arg"]["as_tensor"]["name"], "input"))
            elif kind in ("parameter", "buffer", "tensor_constant"):
                constant = entry[f"{kind}_name"]
                constant = first.setdefault(self._place(constant), constant)  # tied weights
                nodes.append(Node(entry["arg"]["name"], "constant", (constant,)))
            elif kind != "constant_input":
                raise ModelError(f"{where}: the model takes a {kind}; export it with tensors only")
        return nodes

    def _place(self, name: str) -> object:
        """What tells a tensor from others: where it is, in a file or in memory."""
        if isinstance(self.tensors, StoredArrays) and (found := self.tensors.reference(name)):
            return found
        return id(self.tensors[name])

    def _with_shape(self, node: Node) -> Node:
        shape = self.ports.shape(node.name)
        return node if shape is None else replace(node, shape=shape)

    def _node(self, data: JSON) -> list[Node]:
        op = data["target"].removeprefix("torch.ops.").removeprefix("_")
        positional = [each for each in data["inputs"] if each.get("kind") != 2]
        named = [each for each in data["inputs"] if each.get("kind") == 2]
        args = tuple(read_argument(each["arg"]) for each in positional)
        kwargs = {each["name"]: read_argument(each["arg"]) for each in named}
        outputs = data["outputs"]
        if len(outputs) == 1 and (name := _single(outputs[0])):
            return [Node(name, op, args, kwargs)]
        base = data.get("name") or f"results_of_{_first_name(outputs)}"
        taken = _single(outputs[0]) if outputs else None
        base = f"{base}_all" if base == taken else base
        return [Node(base, op, args, kwargs), *_results(base, outputs)]


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
