"""Run inside the klayout program: measures masks against rules and writes what is too small.

The job names GDS files, layers, masks made from them and rules; see ``rules.py``. Lengths are in
micrometres. Layers stay hierarchical, so that an array takes little more than one of its cells.
"""

# pya is klayout's own interpreter's module: it is not installed, and not imported by xbar
from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

MOST = 20  # places that are kept of each rule
STEP = 5  # nm: the finest enclosure that is told apart


class Masks:
    """The masks of one file by name, made when they are first asked for.

    Attributes:
        dbu: micrometres of a database unit.
    """

    def __init__(self, path: str, top: str, job: dict[str, Any]) -> None:
        import pya

        self.layout = pya.Layout()
        self.layout.read(path)
        tops = self.layout.top_cells()
        if not top and len(tops) != 1:
            raise ValueError(f"there are {len(tops)} top cells: name the one to check")
        cell = self.layout.cell(top) if top else tops[0]
        if cell is None:
            raise ValueError(f"there is no cell {top}")
        self.cell = cell
        self.dbu: float = self.layout.dbu
        self._layers, self._made = job["layers"], job["made"]
        self._known: dict[str, Any] = {}
        self._store = pya.DeepShapeStore()
        self._store.threads = 2

    def nm(self, length: float) -> int:
        """Micrometres as database units."""
        return round(length / self.dbu)

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._make(name)
        return self._known[name]

    def _make(self, name: str) -> Any:
        import pya

        if name in self._layers:
            index = self.layout.layer(*self._layers[name])
            return pya.Region(self.cell.begin_shapes_rec(index), self._store).merged()
        first, what, second = self._made[name].split()
        a = self[first]
        if what == "wide":
            half = self.nm(float(second) / 2) - 1
            return a.sized(-half).sized(half)
        b = self[second]
        if what == "touching":
            return a.interacting(b)
        if what in ("inside", "outside"):
            return getattr(a, what)(b)
        return {"&": a.__and__, "|": a.__or__, "-": a.__sub__}[what](b).merged()


def distance(pair: Any) -> float:
    """Database units between the two edges of a pair."""
    a, b = pair.first, pair.second
    ends = [(p, b) for p in (a.p1, a.p2)] + [(p, a) for p in (b.p1, b.p2)]
    return min(_to_edge(point, edge) for point, edge in ends)


def _to_edge(point: Any, edge: Any) -> float:
    dx, dy = edge.dx(), edge.dy()
    length = dx * dx + dy * dy
    along = ((point.x - edge.p1.x) * dx + (point.y - edge.p1.y) * dy) / length if length else 0.0
    along = min(max(along, 0.0), 1.0)
    return math.hypot(point.x - edge.p1.x - along * dx, point.y - edge.p1.y - along * dy)


class Found:
    """Places of one rule in one file: how many, and the first of them."""

    def __init__(self, masks: Masks, standard: Any) -> None:
        self.masks, self.standard = masks, standard
        self.count, self.places = 0, []  # type: int, list[list[float]]

    def add(self, box: Any, measured: float) -> None:
        """Note a place."""
        self.count += 1
        if len(self.places) < MOST:
            centre = box.center()
            scale = self.masks.dbu
            self.places.append([centre.x * scale, centre.y * scale, measured])

    def pairs(self, pairs: Any) -> None:
        """Note pairs of edges that are too near each other."""
        for pair in pairs.each():
            if self.standard is None or not self._within(pair.bbox()):
                self.add(pair.bbox(), distance(pair) * self.masks.dbu)

    def polygons(self, region: Any, measure: Any) -> None:
        """Note polygons."""
        if self.standard is not None:
            region = region.not_inside(self.standard)
        for polygon in region.each():
            self.add(polygon.bbox(), measure(polygon))

    def _within(self, box: Any) -> bool:
        import pya

        return not pya.Region(box.enlarged(1, 1)).inside(self.standard).is_empty()


def width(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """Of each polygon, between opposite edges."""
    f.pairs(a.width_check(m.nm(least)))


def space(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """Between polygons, and in notches."""
    f.pairs(a.space_check(m.nm(least)))


def clearance(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """Between parallel edges of masks that may cross."""
    import pya

    f.pairs(a.separation_check(b, m.nm(least), False, pya.Region.Projection))


def separation(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """Between masks that must not even touch."""
    f.pairs(a.separation_check(b, m.nm(least)))
    touching = (a & b).merged()
    f.polygons(touching, lambda polygon: 0.0)
    edges = (a.edges() & b.edges()) - touching.edges()
    for edge in edges.each():
        f.add(edge.bbox(), 0.0)


def enclosure(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """Of a by b, on all sides."""
    f.pairs(b.enclosing_check(a, m.nm(least)))
    f.polygons(a.not_inside(b), lambda polygon: 0.0)


def extension(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """Of b beyond a where a crosses it."""
    f.pairs(b.enclosing_check(a, m.nm(least)))


def two_sides(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """Two opposite sides of each box of a lie so deep in b: of two adjacent ones, at least one."""
    d = m.nm(least)

    def deep(region: Any, by: int) -> Any:
        """Boxes that lie so deep in x or in y."""
        grown = region.sized(by, 0, 2).inside(b).sized(-by, 0, 2)
        return grown + region.sized(0, by, 2).inside(b).sized(0, -by, 2)

    bad = a - deep(a, d)

    def measure(polygon: Any) -> float:
        import pya

        one = pya.Region(polygon)
        near = pya.Region(polygon.bbox().enlarged(2 * d, 2 * d)) & b
        steps = range(d - d % STEP, 0, -STEP)
        for by in steps:
            if any(
                not one.sized(dx, dy, 2).inside(near).is_empty() for dx, dy in ((by, 0), (0, by))
            ):
                return float(by * m.dbu)
        return 0.0

    f.polygons(bad, measure)


def inside(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """What of a lies outside b."""
    f.polygons(a - b, lambda polygon: polygon.area() * m.dbu**2)


def overlap(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """What a and b share."""
    f.polygons(a & b, lambda polygon: polygon.area() * m.dbu**2)


def area(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """Of each polygon."""
    f.polygons(
        a.with_area(0, round(least / m.dbu**2), False), lambda polygon: polygon.area() * m.dbu**2
    )


def hole(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """Of each hole."""
    area(m, f, a.holes(), None, least)


def square(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """Both sides of boxes."""
    exact_width(m, f, a, None, least)
    exact_length(m, f, a, None, least)


def exact_width(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """The shorter side of boxes."""
    d = m.nm(least)
    f.polygons(a.with_bbox_min(d, True), lambda p: min(p.bbox().width(), p.bbox().height()) * m.dbu)
    f.polygons(a.non_rectangles(), lambda p: 2 * p.area() / p.perimeter() * m.dbu)


def exact_length(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """The longer side of boxes."""
    d = m.nm(least)
    f.polygons(a.with_bbox_max(d, True), lambda p: max(p.bbox().width(), p.bbox().height()) * m.dbu)


def count(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """Exactly so many boxes of b in each of a."""
    n = int(least)
    f.polygons(a - a.interacting(b, n, n), lambda p: float(_touching(p, b)))


def some(m: Masks, f: Found, a: Any, b: Any, least: float) -> None:
    """At least one polygon of b at each of a."""
    f.polygons(a.not_interacting(b), lambda p: 0.0)


def _touching(polygon: Any, region: Any) -> int:
    import pya

    return int(region.interacting(pya.Region(polygon)).count())


def grid(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """Corners on a grid; measured is how far the worse coordinate lies from it."""
    step = m.nm(least)
    for pair in a.grid_check(step, step).each():
        x, y = pair.first.p1.x, pair.first.p1.y
        off = max(min(v % step, -v % step) for v in (x, y))
        f.add(pair.bbox(), off * m.dbu)


def right_angle(m: Masks, f: Found, a: Any, _: Any, least: float) -> None:
    """Edges along x or y only; measured is the largest angle of an edge to the nearer of both."""

    def off(edge: Any) -> float:
        angle = math.degrees(math.atan2(abs(edge.dy()), abs(edge.dx())))
        return min(angle, 90.0 - angle)

    f.polygons(a.non_rectilinear(), lambda polygon: max(off(e) for e in polygon.each_edge()))


MEASURES = {
    "width": width,
    "space": space,
    "clearance": clearance,
    "separation": separation,
    "enclosure": enclosure,
    "extension": extension,
    "two sides": two_sides,
    "inside": inside,
    "overlap": overlap,
    "area": area,
    "hole": hole,
    "square": square,
    "exact width": exact_width,
    "exact length": exact_length,
    "count": count,
    "some": some,
    "grid": grid,
    "right angle": right_angle,
}


def measured(masks: Masks, rules: list[Any], standard: Any) -> list[list[Any]]:
    """Number and first places of each rule's violations."""
    answers = []
    for _, what, of, by, least, in_cells in rules:
        a = masks[of]
        b = masks[by] if by else None
        found = Found(masks, None if in_cells or standard is None else standard)
        if not a.is_empty():
            MEASURES[what](masks, found, a, b, least)
        answers.append([found.count, found.places])
    return answers


def main(job: dict[str, Any]) -> list[Any]:
    """The answer to a job, file by file."""
    answers = []
    for path in job["files"]:
        masks = Masks(path, job["top"], job)
        standard = masks[job["standard"]] if job["standard"] else None
        if standard is not None and standard.is_empty():
            standard = None
        answers.append(measured(masks, job["rules"], standard))
    return answers


if __name__ == "__main__":  # klayout sets the variables that -rd names
    asked, out = Path(globals()["job"]), Path(globals()["answer"])
    out.write_text(json.dumps(main(json.loads(asked.read_text(encoding="utf-8")))))
