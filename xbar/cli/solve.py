"""``xbar solve``: the best subset of one bank for one target."""

from __future__ import annotations

from typing import Annotated

import typer

from xbar.cli.output import Json, show

_FAR = 100
"""A target of more than this many banks is taken for a mistaken unit."""


def run(
    bank: Annotated[
        str,
        typer.Option(help="resistances in ohms such as 10k,20k,39k; or conductances such as 50uS"),
    ],
    target: Annotated[str, typer.Option(help="target conductance in siemens, such as 70u")],
    method: Annotated[str, typer.Option(help="solver")] = "auto",
    tolerance: Annotated[
        str | None, typer.Option(help="siemens; exit code 1 if the residual is larger")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="seconds; then return the best subset so far")
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose resistors whose conductances sum closest to a target."""
    import xbar
    from xbar.errors import warn
    from xbar.units import format_quantity

    names = [part.strip() for part in bank.split(",")]
    conductance = [_conductance(name) for name in names]
    wanted = _siemens(target, "--target")
    limit = 0.0 if tolerance is None else _siemens(tolerance, "--tolerance")
    solution = xbar.solve_subset(conductance, wanted, method, limit, time_limit)
    content = {
        "mask": solution.mask.tolist(),
        "target": wanted,
        "achieved": float(solution.achieved),
        "residual": float(solution.residual),
        "status": solution.status,
        "bound": float(solution.bound),
        "reachable": bool(solution.reachable),
        "method": solution.method,
        "reason": solution.reason,
    }
    chosen = [name for name, closed in zip(names, solution.mask, strict=True) if closed]
    text = (
        f"switch in  {', '.join(chosen) or 'none'}\n"
        f"achieved   {format_quantity(float(solution.achieved), 'S', 6)}\n"
        f"residual   {format_quantity(float(solution.residual), 'S')}\n"
        f"status     {solution.status}\n"
        f"method     {solution.method} ({solution.reason})"
    )
    if not solution.reachable:
        text += "\nthe target is outside the bank's range; this is the nearest limit"
        if wanted > _FAR * sum(conductance):
            far = format_quantity(wanted, "S")
            warn(f"--target {target} is read as {far}, far beyond the whole bank: siemens?")
    show(as_json, content, text)
    if tolerance is not None and abs(float(solution.residual)) > limit:
        raise typer.Exit(1)


def _conductance(text: str) -> float:
    from xbar.errors import SpecError, shown, warn
    from xbar.units import format_quantity, measured_quantity

    value, unit = measured_quantity(text, "ohm")
    if unit not in ("", "ohm", "S"):
        raise SpecError(f"--bank must list resistances, or conductances in S, not {shown(text)}")
    if value <= 0:
        what = "conductances above 0 S" if unit == "S" else "resistances above 0 ohm"
        raise SpecError(f"--bank must list {what}, not {shown(text)}")
    if unit == "" and value < 1:
        warn(
            f"--bank {text} is read as {format_quantity(value, 'ohm')}: a conductance in siemens? "
            f"Then write {text}S"
        )
    return value if unit == "S" else 1.0 / value


def _siemens(text: str, option: str) -> float:
    from xbar.errors import SpecError
    from xbar.units import parse_quantity

    try:
        return parse_quantity(text, "S")
    except SpecError as error:
        raise SpecError(f"{option} {error}") from None
