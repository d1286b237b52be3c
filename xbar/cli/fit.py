"""``xbar fit``: the law of measured devices, and a design that uses it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbar.cli.output import Force, Json, refuse_unused, show

if TYPE_CHECKING:
    from xbar.hardware.device_law import DeviceLaw


def run(
    table: Annotated[Path, typer.Argument(help="readings of devices: .csv, .tsv, .txt or .npz")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="design to write, a TOML file")
    ] = None,
    law: Annotated[
        Path | None,
        typer.Option(help="law to write, a JSON file; beside a design by default"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="picture to write: .png, .svg or .pdf")] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="unit of what was measured, where the table states none, such as uS"),
    ] = None,
    voltage: Annotated[
        str | None,
        typer.Option(help="voltage at which currents were read, where no column states it"),
    ] = None,
    stuck: Annotated[
        str | None,
        typer.Option(help="factors of the median beyond which a device is stuck, as 0.02,10"),
    ] = None,
    resistors: Annotated[
        int | None, typer.Option(help="resistors a cell of the design [default: 8]")
    ] = None,
    seed: Annotated[int, typer.Option(help="random seed of the tests of a mixture")] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fit the law of your own devices to a table of readings.

    Spread, error, stuck ones, drift, read noise and temperature. Prints every parameter with its
    95 % interval, tests of the law, and what the data can't say.
    A column device, target, time, temperature, cycle or read says what a reading is of.
    """
    from xbar.cli.size_plot import check_plot
    from xbar.files import refuse_existing, write_bytes, write_text
    from xbar.hardware.fit.law import fit_table
    from xbar.hardware.law_file import write_law

    refuse_unused("-o", {"--resistors": resistors is not None and output is None})
    if output is not None and law is None:
        law = output.with_suffix(".law.json")
    for path in (output, law):
        if path is not None:
            refuse_existing(path, force=force)
    if plot is not None:
        check_plot(plot, force=force)
    found = fit_table(table, unit=unit, voltage=voltage, stuck=_factors(stuck), seed=seed)
    text, content = str(found.law), _content(found.law)
    if output is not None and law is not None:
        count = 8 if resistors is None else resistors
        design = _design(found.law, table, count)
        sha256 = write_law(law, found.law, force=force)
        own = f'table = {json.dumps(_relative(law, output))}\nsha256 = "{sha256}"\n'
        write_text(output, f"{design}[device]\n{own}", force=force)
        text += f"\n\ndesign written to {output}, its law to {law}"
    elif law is not None:
        write_law(law, found.law, force=force)
        text += f"\n\nlaw written to {law}"
    if plot is not None:
        from xbar.cli.fit_plot import draw_fit

        write_bytes(plot, draw_fit(found, plot.suffix[1:]), force=force)
        text += f"\n\ndrawn to {plot}"
    paths = {"design": output, "law": law, "plot": plot}
    content["written"] = {key: str(path) for key, path in paths.items() if path is not None}
    show(as_json, content, text)


def _factors(text: str | None) -> tuple[float, float] | None:
    from xbar.errors import SpecError
    from xbar.units import parse_quantity

    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2:
        raise SpecError(f"--stuck must be two factors such as 0.02,10, not {text!r}")
    return parse_quantity(parts[0], "1"), parse_quantity(parts[1], "1")


def _content(law: DeviceLaw) -> dict[str, Any]:
    fitted = law.fitted
    assert fitted is not None  # of a law that was fitted
    told = fitted.model_dump(mode="json")
    own = law.model_dump(mode="json", exclude_defaults=True, exclude={"fitted"})
    return {**told, "law": own}


def _relative(law: Path, design: Path) -> str:
    """Path of a law from the folder of its design."""
    return Path(os.path.relpath(law.absolute(), design.absolute().parent)).as_posix()


def _design(law: DeviceLaw, table: Path, resistors: int) -> str:
    """The design as TOML, without its device.

    Raises:
        SpecError: the law has no distribution, or one of too large a deviation for a bank.
    """
    from xbar.errors import SpecError, printable
    from xbar.hardware.spec import Hardware
    from xbar.hardware.tile import Tile

    if law.spread is None:
        unknown = () if law.fitted is None else law.fitted.unknown
        reason = next((one for one in unknown if one.startswith(("spread", "error"))), "")
        raise SpecError(
            f"a design needs the spread of its devices, which the table lacks: {reason}"
        )
    nominal = None
    if law.nominal is None and law.within is not None:
        nominal = 2.0 / (law.within[0] + law.within[1])
    noise = _noise(law, 1.0 / nominal if nominal else law.nominal or 0.0)
    parts: dict[str, Any] = {"resistors": resistors}
    if nominal is not None:
        parts["nominal"] = nominal
    Hardware(bank=law.filled(parts), device=law)  # that it is one
    tile = Tile()
    lines = [
        f"# made by xbar fit from {printable(table.name)}",
        f"name = {json.dumps(printable(table.stem))}",
        "",
        "[bank]  # nominal, spread and stuck devices are the law's",
        *(f"{key} = {value!r}" for key, value in parts.items()),
        "",
        "[tile]",
        f"word_lines = {tile.word_lines}",
        f"bit_lines = {tile.bit_lines}",
        "",
        *([f"[variation]\nread_noise = {noise!r}", ""] if noise else []),
    ]
    return "\n".join([*lines, ""])


def _noise(law: DeviceLaw, nominal: float) -> float:
    """Relative read noise of a device at the law's first time; 0 if it is not known."""
    import numpy as np

    from xbar.hardware.curve import log

    noise = law.noise
    if noise is None or not nominal:
        return 0.0
    at = np.array([nominal])
    if noise.relative is not None:
        sigma = float(noise.relative.of(at)[0])
    else:
        assert noise.absolute is not None  # one of the two
        sigma = float(noise.absolute.of(at)[0]) / nominal
    if noise.reading is not None and law.first is not None:
        ratio = max((law.first + noise.reading) / (2.0 * noise.reading), 1.0)
        sigma *= float(np.sqrt(log(np.array([ratio]))[0]))
    return min(sigma, 1.0)
