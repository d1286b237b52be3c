"""``xbar converter``: INL, DNL and effective bits of a design's converters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xbar.cli.output import Force, Json, refuse_unused, show


def run(
    design: Annotated[Path, typer.Argument(help="design, a TOML file with [adc] or [dac]")],
    converters: Annotated[int, typer.Option(help="number of converters of the chip")] = 64,
    seed: Annotated[int, typer.Option(help="random seed of the chip")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="write a picture of INL and DNL: .png, .svg or .pdf")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Tell how linear a design's ADCs and DACs are.

    With offset, gain and noise of its ADCs, as drawn for the converters of one chip.
    """
    from xbar.cli.size_plot import check_plot
    from xbar.errors import SpecError
    from xbar.files import write_bytes
    from xbar.hardware.spec import Hardware
    from xbar.simulation.linearity import adc_linearity, dac_linearity

    if plot is None:
        refuse_unused("--plot", {"--force": force})
    else:
        check_plot(plot, force=force)
    hardware = Hardware.load(design)
    found = []
    if hardware.adc is not None:
        found.append(adc_linearity(hardware, converters, chip_seed=seed))
    if hardware.dac is not None:
        found.append(dac_linearity(hardware, converters, seed))
    if not found:
        raise SpecError(f"{design}: must have an [adc] or a [dac] section to tell of")
    if plot is not None:
        from xbar.cli.converter_plot import draw_linearity

        write_bytes(plot, draw_linearity(found, plot.suffix[1:]), force=force)
    show(
        as_json,
        {each.what.lower(): each.to_json() for each in found},
        "\n".join(str(each) for each in found),
    )
