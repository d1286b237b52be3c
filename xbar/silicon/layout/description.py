"""What there is to say of a layout: sizes, areas with and without memory, wires, and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xbar.silicon.layout.gds import tool
from xbar.silicon.layout.rules import Rules
from xbar.tables import table

if TYPE_CHECKING:
    import gdstk

    from xbar.silicon.layout.layout import Layout

CONDUCTORS = {
    "li": "local interconnect",
    "met1": "metal 1",
    "met2": "metal 2",
    "met3": "metal 3",
}
ORDER = "bit k of the word of cell (i, j) is what d_j_k holds while e_i is high"
"""Where the bits of ``xbar emit`` go."""


def covered(cell: gdstk.Cell, rules: Rules, size: tuple[int, int]) -> dict[str, float]:
    """Fraction of a cell's area, of width and height in nanometres, under each conductor."""
    boolean = tool().boolean
    width, height = (side / 1000 for side in size)
    inside = tool().rectangle((0, 0), (width, height))
    found = {}
    for layer in CONDUCTORS:
        number, datatype = rules.layers[layer]
        polygons = cell.get_polygons(layer=number, datatype=datatype)
        pieces = boolean(polygons, inside, "and", precision=1e-4)
        found[layer] = sum(piece.area() for piece in pieces) / (width * height)
    return found


def describe(layout: Layout) -> str:
    """A table of a layout."""
    said = describe_json(layout)
    cell = said["cell"]
    rows = [
        ("cell", f"{_um(cell['width'])} x {_um(cell['height'])} um"),
        ("area of a cell", f"{_um2(cell['area'])} um2"),
    ]
    if layout.memory:
        rows += [
            ("of it bank, without memory", f"{_um2(cell['bank_area'])} um2"),
            ("order of the bits", ORDER),
        ]
    array = said["array"]
    rows += [
        ("array with its guard ring", f"{_um(array['width'])} x {_um(array['height'])} um"),
        ("word line from cell to cell", f"{said['word_wire']:.4g} ohm, by squares"),
        ("bit line from cell to cell", f"{said['bit_wire']:.4g} ohm, by squares"),
        *(
            (f"{CONDUCTORS[layer]} covers", f"{100 * share:.0f} %")
            for layer, share in said["density"].items()
        ),
        ("not drawn", ", ".join(said["not_drawn"])),
    ]
    return table(_title(layout), ("", ""), rows)


def describe_json(layout: Layout) -> dict[str, Any]:
    """A layout as a dictionary that ``json`` can write; lengths in metres."""
    width, height = layout.frame.cell
    said: dict[str, Any] = {
        "process": layout.geometry.process,
        "word_lines": layout.word_lines,
        "bit_lines": layout.bit_lines,
        "resistors": layout.geometry.resistors,
        "memory": layout.memory,
        "cell": {
            "width": width / 1e9,
            "height": height / 1e9,
            "area": layout.cell_area,
            "bank_area": layout.geometry.area,
        },
        "array": {
            "width": layout.width / 1e9,
            "height": layout.height / 1e9,
            "area": layout.area,
        },
        "word_wire": layout.word_wire,
        "bit_wire": layout.bit_wire,
        "density": layout.density(),
        "not_drawn": ["fill", "drivers", "amplifiers"],
    }
    if layout.memory:
        said["order"] = ORDER
    else:
        said["not_drawn"].insert(0, "configuration memory: each gate is a pin")
    return said


def _title(layout: Layout) -> str:
    title = (
        f"{layout.word_lines} x {layout.bit_lines} cells of {layout.geometry.resistors} branches "
        f"in {layout.geometry.process}"
    )
    return f"{title}, a latch for each" if layout.memory else title


def _um(metres: float) -> str:
    return f"{metres * 1e6:.6g}"


def _um2(square_metres: float) -> str:
    return f"{square_metres * 1e12:.4g}"
