"""Options by which verbs read a network's file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

ModelPath: TypeAlias = Annotated[
    Path,
    typer.Argument(
        help="model file, such as a torch.export archive, or a folder with a config.json"
    ),
]
Arch: TypeAlias = Annotated[
    str | None, typer.Option(help="module:callable that builds the network for a state dict")
]
Activation: TypeAlias = Annotated[
    str | None,
    typer.Option(help="activation between linear layers of a state dict without --arch: relu, ..."),
]
InputShape: TypeAlias = Annotated[
    str | None,
    typer.Option(help="shape of one input, such as 1,28,28; of a folder's network its tokens"),
]
Take: TypeAlias = Annotated[
    str | None,
    typer.Option(help="output to return, by name or number, where the network has several"),
]
Bind: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="input that is given once, as a number or an .npy file; repeatable",
    ),
]
InputDtype: TypeAlias = Annotated[
    str | None,
    typer.Option(help="type of the inputs where the file leaves it open: float32, int64, ..."),
]
Only: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="map only these layers to tiles, such as 'features.*'; repeatable"),
]
Skip: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="keep these layers digital; repeatable")
]
TrustPickle: TypeAlias = Annotated[
    bool, typer.Option("--trust-pickle", help="allow a pickled module to run its code")
]


def read_bind(texts: Sequence[str]) -> dict[str, Any]:
    """Parse inputs that are given once, such as "h=0.5" or "h=state.npy"."""
    from xbar.errors import SpecError
    from xbar.npz import read_npy

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name in found:
            raise SpecError(f"--bind must be NAME=VALUE, each name once, not {text[:80]!r}")
        if value.endswith(".npy"):
            found[name] = read_npy(Path(value))
            continue
        try:
            found[name] = int(value) if value.lstrip("+-").isdecimal() else float(value)
        except ValueError:
            raise SpecError(
                f"--bind {name} must be a number or an .npy file, not {value[:60]!r}"
            ) from None
    return found


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """Parse a shape such as "1,28,28"."""
    from xbar.errors import SpecError

    if text is None:
        return None
    try:
        shape = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError as error:
        raise SpecError(f"--input-shape must be numbers such as 1,28,28, not {text!r}") from error
    if min(shape) < 1:
        raise SpecError(f"--input-shape must be positive numbers, not {text!r}")
    return shape
