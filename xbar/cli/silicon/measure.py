"""``xbar silicon measure``: a chip as a tester finds it, for want of silicon in ngspice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xbar.cli.output import Force, Json, refuse_unused, show
from xbar.cli.silicon.processes import Pdk


def run(
    hardware: Annotated[Path, typer.Argument(help="design that says its process")],
    output: Annotated[Path, typer.Option("--output", "-o", help="measured branches, .csv or .npz")],
    mismatch: Annotated[
        int | None, typer.Option(help="seed of the process's own mismatch; default: none")
    ] = None,
    noise: Annotated[
        float, typer.Option(help="error of the measurement, a fraction of each value")
    ] = 0.0,
    noise_seed: Annotated[int | None, typer.Option(help="seed of that error [default: 0]")] = None,
    corner: Annotated[str | None, typer.Option(help="corner of the process [default: tt]")] = None,
    temperature: Annotated[float, typer.Option(help="degrees Celsius")] = 27.0,
    pdk: Pdk = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Measure one tile's branches in ngspice, as a tester would."""
    import numpy as np

    from xbar.files import refuse_existing
    from xbar.hardware.spec import Hardware
    from xbar.silicon.branch import Conditions
    from xbar.silicon.tester import check_noise, measure_design
    from xbar.units import format_quantity

    refuse_existing(output, force=force)
    check_noise(noise)
    if not noise:
        refuse_unused("--noise", {"--noise-seed": noise_seed is not None})
    design = Hardware.load(hardware)
    found = measure_design(design, mismatch, Conditions(corner, temperature), pdk)
    if noise:
        found = found.with_noise(noise, noise_seed or 0)
    found.save(output, force=force)
    spread = found.on.std(axis=(0, 1)) / found.on.mean(axis=(0, 1))
    lines, columns, resistors = found.on.shape
    extremes = float(found.on.min()), float(found.on.max())
    low, high = (format_quantity(value, "S", 4) for value in extremes)
    content = {
        "output": str(output),
        "branches": int(found.on.size),
        "on": list(extremes),
        "off": float(found.off.max()),
        "spread": spread.tolist(),
    }
    text = (
        f"{lines} x {columns} cells of {resistors}: {low} to {high}, spread by resistor "
        f"{100 * np.min(spread):.2f} to {100 * np.max(spread):.2f} %\n"
        f"{output}: read it with xbar compile --measured {output} --behind-wires line"
    )
    show(as_json, content, text)
