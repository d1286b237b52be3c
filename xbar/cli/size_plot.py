"""The plot of ``xbar size``; matplotlib is imported on demand."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xbar.errors import SpecError, ToolError
from xbar.files import refuse_existing

if TYPE_CHECKING:
    from xbar.sizing.precision import Figure, Sizing

_FORMATS = (".png", ".svg", ".pdf")


def check_plot(path: Path, *, force: bool) -> None:
    """Check format, path and matplotlib up front, before hours of work.

    Raises:
        SpecError: the file extension is not supported.
        FileError: the file exists and ``force`` is off.
        ToolError: matplotlib is not installed.
    """
    if path.suffix not in _FORMATS:
        raise SpecError(f"a picture must end in {', '.join(_FORMATS)}, not {path.name!r}")
    refuse_existing(path, force=force)
    try:
        import matplotlib  # noqa: F401 - only to check that it is installed
    except ImportError as error:
        raise ToolError("pictures need matplotlib: pip install 'xbar[plot]'") from error


def draw_sizes(sizes: dict[Figure, Sizing], content: dict[str, Any], form: str) -> bytes:
    """Plot bits against resistors, one panel per figure: median, 99 % and worst sample.

    Args:
        sizes: results, by figure.
        content: the report's content, for the title.
        form: "png", "svg" or "pdf".

    Returns:
        Contents of the image file, reproducible to the byte.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Picture

    with rc_context({"svg.hashsalt": "xbar"}):
        picture = Picture(figsize=(5.2 * len(sizes), 4.2), layout="constrained")
        panels = picture.subplots(1, len(sizes), squeeze=False, sharey=True)[0]
        for panel, (name, size) in zip(panels, sizes.items(), strict=True):
            _panel(panel, name, size)
        panels[0].set_ylabel("bits")
        picture.suptitle(f"{content['law']}, seed {content['seed']}", fontsize=10)
        return picture_bytes(picture, form)


def picture_bytes(picture: Any, form: str) -> bytes:
    """Contents of the image file of a figure, without dates."""
    file = BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    picture.savefig(file, format=form, dpi=150, metadata=dates.get(form))
    return file.getvalue()


def _panel(panel: Any, name: str, size: Sizing) -> None:
    from matplotlib.ticker import MaxNLocator

    count = [point.resistors for point in size.curve]
    for label, share in (("median", 0.5), ("99 % of samples", 0.99)):
        found = [point.at_yield(share) for point in size.curve]
        (line,) = panel.plot(count, [f.value for f in found], marker="o", ms=3.5, label=label)
        ends = [f.low for f in found], [f.high for f in found]
        panel.fill_between(count, *ends, color=line.get_color(), alpha=0.2, lw=0)
    panel.plot(count, [p.worst for p in size.curve], "k.", ms=4, label="worst sample")
    panel.axhline(size.bits, color="0.4", lw=0.8)
    label = f"{size.resistors} resistors: {100 * size.share.value:.2f} % reach {size.bits:g} bits"
    panel.axvline(size.resistors, color="0.4", lw=0.8, ls="--", label=label)
    panel.set(xlabel="resistors", title=name)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(fontsize=8)
