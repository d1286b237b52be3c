"""``xbar size``: resistors needed for a precision, and alternatives with as many devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

import typer

from xbar.cli.output import Force, Json, read_range, refuse_unused, show

if TYPE_CHECKING:
    from xbar.hardware.bank import Bank
    from xbar.sizing.bankdesign import BankDesign
    from xbar.sizing.precision import Figure, Sizing, Window
    from xbar.sizing.ratio import Tried
    from xbar.sizing.rivals import Rival

    Spread: TypeAlias = Literal["normal", "lognormal", "uniform"]


def run(
    bits: Annotated[float, typer.Option(help="required bits of precision")],
    yield_: Annotated[
        float,
        typer.Option("--yield", help="fraction of banks, or of weights, that must reach them"),
    ] = 0.999,
    spread: Annotated[str, typer.Option(help="normal, lognormal or uniform")] = "lognormal",
    sigma: Annotated[str, typer.Option(help="relative spread, such as 0.3 or 30%")] = "0.3",
    ratio: Annotated[
        str,
        typer.Option(help="ratio of successive nominal values; 1.0:1.4 searches for the best"),
    ] = "1",
    hardware: Annotated[
        Path | None,
        typer.Option(help="take spread, sigma and nominal values from this design instead"),
    ] = None,
    window: Annotated[
        str, typer.Option(help="target range, as fractions of a bank's span")
    ] = "0.25,0.75",
    per_target: Annotated[
        bool, typer.Option("--per-target", help="report only the per-target figure")
    ] = False,
    design: Annotated[
        bool, typer.Option("--design", help="also search for better nominal values")
    ] = False,
    samples: Annotated[int | None, typer.Option(help="banks sampled per size")] = None,
    seed: Annotated[int, typer.Option(help="random seed of the Monte Carlo")] = 0,
    plot: Annotated[Path | None, typer.Option(help="plot to write: .png, .svg or .pdf")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Find how many imprecise resistors a weight needs.

    The banks are simulated by Monte Carlo, with confidence intervals.
    """
    from xbar.cli.size_plot import check_plot, draw_sizes
    from xbar.files import write_bytes
    from xbar.sizing.bankdesign import design_bank
    from xbar.sizing.precision import resistors_for_bits
    from xbar.sizing.ratio import search_ratio
    from xbar.sizing.rivals import rivals

    if plot is not None:
        check_plot(plot, force=force)
    ratios = read_range(ratio, "--ratio")
    bank = _bank(hardware, spread, sigma, ratios[0])
    limits = _window(window)
    figures: list[Figure] = ["per target"] if per_target else ["any target", "per target"]
    tried: tuple[Tried, ...] = ()
    if ratios[0] < ratios[1]:
        refuse_unused("sampled banks, which --hardware replaces", {"--ratio": bool(hardware)})
        best_ratio, tried = search_ratio(
            lambda one: resistors_for_bits(
                bits, one, yield_, limits, figures[0], samples, seed=seed
            ),
            bank,
            *ratios,
        )
        bank = bank.model_copy(update={"ratio": best_ratio})
    sizes = {
        figure: resistors_for_bits(bits, bank, yield_, limits, figure, samples, seed=seed)
        for figure in figures
    }
    bank = _of_length(bank, sizes[figures[0]].resistors)
    others = rivals(bank, yield_, limits, seed=seed)
    best = design_bank(bank, yield_, limits, seed=seed) if design else None
    content = _content(sizes, bank, limits, others, best, seed)
    if tried:
        content["ratios"] = [vars(one) for one in tried]
    if plot is not None:
        picture = draw_sizes(sizes, content, plot.suffix[1:])
        write_bytes(plot, picture, force=force)
    show(as_json, content, _text(content) + (f"\ndrawn to {plot}" if plot else ""))


def _bank(hardware: Path | None, spread: str, sigma: str, ratio: float) -> Bank:
    import xbar
    from xbar.errors import SpecError
    from xbar.units import parse_quantity

    if hardware is not None:
        return xbar.Hardware.load(hardware).bank
    laws = ("normal", "lognormal", "uniform")
    if spread not in laws:
        raise SpecError(f"--spread must be one of {', '.join(laws)}, not {spread!r}")
    value = parse_quantity(sigma)
    return xbar.Bank(spread=cast("Spread", spread), sigma=value, ratio=ratio)


def _of_length(bank: Bank, resistors: int) -> Bank:
    return bank.of_size(resistors)


def _window(text: str) -> Window:
    from xbar.errors import SpecError
    from xbar.units import parse_quantity

    parts = text.split(",")
    if len(parts) != 2:
        raise SpecError(f"--window must be two fractions such as 0.25,0.75, not {text!r}")
    return parse_quantity(parts[0]), parse_quantity(parts[1])


def _content(
    sizes: dict[Figure, Sizing],
    bank: Bank,
    window: Window,
    others: tuple[Rival, ...],
    best: BankDesign | None,
    seed: int,
) -> dict[str, Any]:
    from xbar.sizing import theory
    from xbar.sizing.laws import BankLaw
    from xbar.statistics import finite_or_none

    first = next(iter(sizes.values()))
    eps = min(2.0 ** -(first.bits + 1), 0.25)
    own = first.curve[first.resistors - first.curve[0].resistors].at_yield(first.yield_)
    content: dict[str, Any] = {
        "bits": first.bits,
        "yield": first.yield_,
        "law": BankLaw(bank).name,
        "window": list(window),
        "seed": seed,
        "sizes": {name: _size(size, name, bank, window, seed) for name, size in sizes.items()},
        "theorem": theory.theorem_resistors(eps, 1 - first.yield_),
        "devices": first.resistors,
        "subset_bits": own.to_json(),
        "rivals": [{**vars(other), "bits": finite_or_none(other.bits)} for other in others],
    }
    if best is not None:
        content["design"] = {
            "name": best.best.name,
            "bits": best.best.bits.to_json(),
            "range": best.best.range,
            "bank": best.bank.model_dump(mode="json"),
            "rows": [[name, finite_or_none(value), needs] for name, value, needs in best.rows()],
        }
    return content


def _size(size: Sizing, figure: Figure, bank: Bank, window: Window, seed: int) -> dict[str, Any]:
    from xbar.sizing import theory
    from xbar.sizing.precision import counting_bound

    formula = None  # a list of values can't be extended
    if not any(isinstance(each, tuple) for _, each in bank.lists()):
        formula = theory.design_resistors(size.bits, bank, size.yield_, window, figure, seed=seed)
    return {
        "resistors": size.resistors,
        "low": size.low,
        "high": size.high,
        "share": size.share.to_json(),
        "formula": formula,
        "counting_bound": counting_bound(size.bits, size.yield_, window, figure),
        "curve": [point.to_json() for point in size.curve],
    }


def _searched(content: dict[str, Any]) -> list[str]:
    """What the ratios that were tried need."""
    if "ratios" not in content:
        return []
    parts = [f"{one['ratio']:g} {one['resistors'] or 'too many'}" for one in content["ratios"]]
    return [f"resistors by ratio tried: {', '.join(parts)}"]


_MEANING = {
    "any target": "a bank's worst error in the window is at most full scale / 2^{more:g}",
    "per target": "a random target's error in the window is at most full scale / 2^{bits:g}",
}


def _text(content: dict[str, Any]) -> str:
    bits, share = content["bits"], 100 * content["yield"]
    low, high = (f"{100 * end:g}" for end in content["window"])
    head = f"{'':<12}{'resistors':>10}{'interval':>12}{'formula':>9}{'counting':>10}"
    lines = [
        f"{bits:g} bits at a yield of {share:g} %, targets from {low} to {high} % of full scale",
        f"resistor distribution: {content['law']}; seed {content['seed']}",
        *_searched(content),
        "",
        head + f"{'reached by':>14}",
    ]
    for name, size in content["sizes"].items():
        interval = f"{size['low']} to {size['high'] or '?'}"
        reached = f"{100 * size['share']['value']:.2f} %"
        formula = "-" if size["formula"] is None else size["formula"]
        lines.append(
            f"{name:<12}{size['resistors']:>10}{interval:>12}{formula:>9}"
            f"{size['counting_bound']:>10}{reached:>14}"
        )
    lines.append("")
    for name in content["sizes"]:
        lines.append(f"{name}: {_MEANING[name].format(bits=bits, more=bits + 1)}")
    lines += [
        "resistors: from simulation; interval: 95 % confidence, build the upper end",
        f"proven bound: {content['theorem']} random numbers; shows the growth, not the size needed",
        "",
        f"other uses of {content['devices']} devices at this yield, log2(full scale / (2 error)):",
    ]
    rows = [(row["name"], row["bits"], row["needs"]) for row in content["rivals"]]
    if "any target" in content["sizes"]:
        rows.append(("subset", content["subset_bits"]["value"], "each measured, none tuned"))
    if "design" in content:
        rows = [tuple(row) for row in content["design"]["rows"]]
    for name, value, needs in sorted(rows, key=lambda row: -(row[1] or 0.0)):
        reached = "-" if value is None else f"{value:.1f}"
        lines.append(f"  {name:<26}{reached:>6}  {needs}")
    lines.append("tunable cells: sigma is the write error relative to full scale; no read noise")
    return "\n".join(lines)
