"""The pictures of ``xbar silicon characterise``; matplotlib is imported on demand."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xbar.errors import FileError, ToolError
from xbar.files import refuse_existing, refuse_name, write_bytes

if TYPE_CHECKING:
    from xbar.silicon.model import BranchModel


def check_pictures(folder: Path, *, force: bool) -> None:
    """Check folder, files and matplotlib up front.

    Raises:
        FileError: a picture exists and ``force`` is off, or the path is no folder.
        ToolError: matplotlib is not installed.
    """
    refuse_name(folder)
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder}: must be a folder for the pictures; choose another name")
    for name in _PICTURES:
        refuse_existing(folder / f"{name}.png", force=force)
    try:
        import matplotlib  # noqa: F401 - only to check that it is installed
    except ImportError as error:
        raise ToolError("pictures need matplotlib: pip install 'xbar[plot]'") from error


def write_pictures(model: BranchModel, folder: Path, *, force: bool) -> None:
    """Write bend.png, spread.png and corners.png into a folder, which is made if it is missing.

    Raises:
        FileError: one exists and ``force`` is off, or can't be written.
    """
    from matplotlib.figure import Figure

    drawn = {}
    for name, draw in _PICTURES.items():
        picture = Figure(figsize=(5.6, 4.2), layout="constrained")
        draw(picture.subplots(), model)
        file = BytesIO()
        picture.savefig(file, format="png", dpi=150)
        drawn[name] = file.getvalue()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: can't be made ({error.strerror})") from error
    for name, content in drawn.items():
        write_bytes(folder / f"{name}.png", content, force=force)


def _bend(panel: Any, model: BranchModel) -> None:
    """Each branch's distance from a straight line, and that of the law."""
    volts = model.voltage
    most, laws = abs(model.current).max(axis=1), model.bent(volts)
    shades = _shades(len(model.length))
    for k, amps in enumerate(model.current):
        straight = model.conductance[k] * volts
        panel.plot(volts, (amps - straight) / most[k], color=shades[k])
        panel.plot(volts, (laws[k] - straight) / most[k], ":", color=shades[k])
    panel.axvspan(-model.within, model.within, color="0.93", zorder=0)
    panel.set(
        xlabel="volts of the word line above the bit line",
        ylabel="distance from G v, part of the largest current",
        title=f"{model.process}: bend (dotted: c2, c3 and kink, fitted in the shaded range)",
    )
    panel.title.set_fontsize(9)


def _spread(panel: Any, model: BranchModel) -> None:
    """The deviations against the length, together and by device."""
    microns = 1e6 * model.length
    resistor = model.resistance * model.sigma_resistor * model.conductance
    switch = abs(model.switch_resistance * model.switch_slope) * model.sigma_threshold
    for values, label, style in (
        (model.sigma, "branch", "ko-"),
        (resistor, "by the resistor", "C0s--"),
        (switch * model.conductance, "by the switch", "C1^--"),
    ):
        panel.plot(microns, 100 * values, style, label=label, ms=4)
    panel.set(
        xlabel="length of the resistor (um)",
        ylabel="spread of G within a chip (%)",
        title=f"{model.process}: spread against length",
    )
    panel.set_ylim(bottom=0)
    panel.legend()


def _corners(panel: Any, model: BranchModel) -> None:
    """How corner, supply and temperature move all branches, first to last."""
    import numpy as np

    moved = dict(model.corners)
    moved |= {f"{volts:g} V": each for volts, each in model.supplies.items()}
    for celsius in sorted(model.open):
        away = celsius - model.temperature
        if away:
            moved[f"{celsius:g} C"] = model.tempco[0] * away + model.tempco[1] * away**2
    names = list(moved)
    shades = _shades(len(model.length))
    height = 0.8 / len(model.length)
    for k, shade in enumerate(shades):
        place = np.arange(len(names)) - 0.4 + (k + 0.5) * height
        panel.barh(place, [100 * moved[name][k] for name in names], height, color=shade)
    panel.axvline(0, color="0.4", lw=0.8)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.set(
        xlabel="change of G (%), a bar for each branch, the first one above",
        title=f"{model.process}: what moves a whole chip",
    )


def _shades(count: int) -> Any:
    import numpy as np
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0, 0.85, count))


_PICTURES: dict[str, Callable[[Any, BranchModel], None]] = {
    "bend": _bend,
    "spread": _spread,
    "corners": _corners,
}
