"""Compilation of kernels by NVRTC, NVIDIA's compiler as a library: no toolkit, card or driver."""

from __future__ import annotations

from functools import cache
from typing import Any

from xbar.device import store
from xbar.device.source import Source
from xbar.errors import EngineError, ToolError

MISSING = "NVIDIA's compiler is not installed: pip install 'xbar[gpu]'"
_SHOWN = 400  # characters of a compiler's report in a message


@cache
def version() -> tuple[int, int]:
    """NVRTC's version.

    Raises:
        ToolError: it is not installed.
    """
    try:
        from cuda.bindings import nvrtc

        status, major, minor = nvrtc.nvrtcVersion()
    except (ImportError, OSError, RuntimeError) as error:
        raise ToolError(MISSING) from error
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise ToolError(MISSING)
    return int(major), int(minor)


def binary(source: Source, capability: tuple[int, int]) -> bytes:
    """A text's binary for cards of a capability, from the disk or compiled.

    Raises:
        ToolError: NVRTC is not installed.
        EngineError: it refuses the text.
    """
    name = source.digest(*_options(source, capability), *map(str, version()))
    known = store.load(name)
    if known is None:
        known, _ = compiled(source, capability)
        store.keep(name, known)
    return known


def compiled(source: Source, capability: tuple[int, int]) -> tuple[bytes, str]:
    """A text's binary for cards of a capability, and what the compiler and assembler reported.

    Raises:
        ToolError: NVRTC is not installed.
        EngineError: it refuses the text.
    """
    version()
    from cuda.bindings import nvrtc

    included = source.included
    program = _checked(
        nvrtc.nvrtcCreateProgram(
            source.text.encode(),
            source.path.name.encode(),
            len(included),
            [text.encode() for text in included.values()],
            [name.encode() for name in included],
        )
    )
    try:
        options = [option.encode() for option in _options(source, capability)]
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        log = _text(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
        report = log.decode(errors="replace").rstrip("\0 ")
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise EngineError(
                f"NVRTC {'.'.join(map(str, version()))} can't compile {source.path.name} for "
                f"capability {capability[0]}.{capability[1]}: {report[:_SHOWN]}"
            )
        return _text(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN), report
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _options(source: Source, capability: tuple[int, int]) -> list[str]:
    fuse = [] if source.fuse else ["-fmad=false"]
    architecture = f"--gpu-architecture=sm_{capability[0]}{capability[1]}"
    return [architecture, "-std=c++17", "--ptxas-options=-v", *fuse, *source.definitions]


def _text(program: Any, size_of: Any, get: Any) -> bytes:
    """What NVRTC writes to a caller's memory."""
    content = bytes(int(_checked(size_of(program))))
    _checked(get(program, content))
    return content


def _checked(answer: tuple[Any, ...]) -> Any:
    """The value of an answer of NVRTC's."""
    status, *value = answer
    if int(status) != 0:
        raise EngineError(f"NVRTC failed: {status.name}")
    return value[0] if value else None
