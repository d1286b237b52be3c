"""``xbar silicon processes``: the processes that xbar has data of, and where their models are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from xbar.cli.output import Json, show

if TYPE_CHECKING:
    from xbar.silicon.process import Process

Pdk: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="folder of the PDK; default: PDK_ROOT, then the installed package"),
]


def run(pdk: Pdk = None, as_json: Json = False) -> None:
    """List the processes and where their models were found."""
    from xbar.silicon.process import Process
    from xbar.tables import table

    rows = [_row(Process.named(name), pdk) for name in Process.names()]
    shown = [[r["name"], r["title"], ", ".join(r["switches"])] for r in rows]
    # below the table, whose columns would break a path
    models = "\n".join(f"{row['name']}: {_where(row)}" for row in rows)
    text = table("processes", ["process", "is", "switches"], shown)
    show(as_json, {"processes": rows}, f"{text}\n{models}")


def _row(process: Process, pdk: Path | None) -> dict[str, Any]:
    from xbar.errors import ToolError

    row: dict[str, Any] = {
        "name": process.name,
        "title": process.title,
        "switches": list(process.switches),
        "corners": list(process.corners),
        "source": process.source,
        "date": process.date,
    }
    try:
        models = process.located(pdk).models
    except ToolError as error:
        return {**row, "models": None, "missing": str(error)}
    assert models is not None
    return {**row, "models": str(models.folder), "found by": models.origin}


def _where(row: dict[str, Any]) -> str:
    if row["models"] is None:
        return str(row["missing"])
    return f"models in {row['models']} ({row['found by']})"
