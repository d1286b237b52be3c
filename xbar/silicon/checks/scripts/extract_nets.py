"""Run inside the klayout program: devices and nets of masks, written as a flat list.

Devices are found where the masks cross, nets where conductors touch or contacts join them; labels
name nets. Cells of the foundry's library stay whole: each is one device with the pins that its own
labels name. Lengths are in micrometres.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Extraction:
    """Devices and nets of one file."""

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
        self.cell, self.job = cell, job
        self.engine = pya.LayoutToNetlist(pya.RecursiveShapeIterator(self.layout, cell, []))
        self.engine.threads = 2
        self._masks: dict[str, Any] = {}
        for name, numbers in job["layers"].items():
            index = self.layout.layer(*numbers)
            make = self.engine.make_text_layer if name.endswith("_text") else None
            self._masks[name] = (make or self.engine.make_polygon_layer)(index, name)
        self._find()

    def _mask(self, name: str, region: Any) -> None:
        self._masks[name] = region
        self.engine.register(region, name)

    def _find(self) -> None:
        m = self._masks
        m["bulk"] = self.engine.make_layer("bulk")  # empty: one net, the substrate
        self._mask("body", m["poly"] & m["poly_res"] & m["urpm"])
        self._mask("plain_poly", m["poly"] - m["poly_res"])
        channel = m["diff"] & m["poly"]
        ends = m["diff"] - m["poly"]
        self._mask("n_gate", channel & m["nsdm"] - m["nwell"])
        self._mask("n_end", ends & m["nsdm"] - m["nwell"])
        self._mask("p_gate", channel & m["psdm"] & m["nwell"])
        self._mask("p_end", ends & m["psdm"] & m["nwell"])
        self._mask("well_tap", m["tap"] & m["nsdm"] & m["nwell"])
        self._mask("bulk_tap", m["tap"] & m["psdm"] - m["nwell"])
        for high in (False, True):
            for kind in "np":
                self._transistor(kind, high)
        self._resistor()
        self._connect()
        self.engine.extract_netlist()

    def _transistor(self, kind: str, high: bool) -> None:
        import pya

        m = self._masks
        name = f"{kind}mos{'_high' if high else ''}"
        gate, thick = m[f"{kind}_gate"], m["hvi"]
        self._mask(f"{name}_gate", gate & thick if high else gate - thick)
        well = m["bulk"] if kind == "n" else m["nwell"]
        end = m[f"{kind}_end"]
        self.engine.extract_devices(
            pya.DeviceExtractorMOS4Transistor(name),
            {
                "SD": end,
                "G": m[f"{name}_gate"],
                "W": well,
                "tS": end,
                "tD": end,
                "tG": m["plain_poly"],
                "tW": well,
            },
        )

    def _resistor(self) -> None:
        import pya

        m, wire = self._masks, self._masks["plain_poly"]
        self.engine.extract_devices(
            pya.DeviceExtractorResistor("resistor", self.job["resistance"]),
            {"R": m["body"], "C": wire, "tA": wire, "tB": wire},
        )

    def _connect(self) -> None:
        engine, m = self.engine, self._masks
        below = ["n_end", "p_end", "plain_poly", "well_tap", "bulk_tap", "nwell"]
        metals = ["li", "met1", "met2", "met3", "met4"]
        for name in [*below, *metals]:
            engine.connect(m[name])
        joins = [(end, "licon", "li") for end in below[:-1]]
        joins += [("well_tap", "", "nwell")]
        joins += list(zip(metals[:-1], ("mcon", "via", "via2", "via3"), metals[1:], strict=True))
        for lower, contact, upper in joins:
            if contact:
                engine.connect(m[lower], m[contact])
                engine.connect(m[contact], m[upper])
            else:
                engine.connect(m[lower], m[upper])
        for name in ("nwell", *metals):
            engine.connect(m[name], m[f"{name}_text"])
        for name in ("bulk", "bulk_tap"):
            engine.connect_global(m[name], self.job["ground"])

    def labels(self) -> list[list[Any]]:
        """Names in the top cell and where they stand."""
        found = []
        for name, numbers in self.job["layers"].items():
            if name.endswith("_text"):
                for shape in self.cell.shapes(self.layout.layer(*numbers)).each():
                    if shape.is_text():
                        at = shape.text.trans.disp
                        dbu = self.layout.dbu
                        found.append([shape.text.string, name[:-5], at.x * dbu, at.y * dbu])
        return found


class Flat:
    """The hierarchy of a netlist written out.

    Attributes:
        devices: kind, parameters, nets by terminal, place.
        nets: names of each net, which the top cell's labels give.
    """

    def __init__(self, netlist: Any, top: str, library: str) -> None:
        import pya

        self.devices: list[list[Any]] = []
        self.nets: list[str] = []
        self.library = library
        circuit = netlist.circuit_by_name(top)
        if circuit is None:  # nothing was found in the masks
            return
        self._add(circuit, pya.DCplxTrans(), {}, True)

    def _net(self, name: str) -> int:
        self.nets.append(name)
        return len(self.nets) - 1

    def _add(self, circuit: Any, place: Any, known: dict[int, int], top: bool) -> None:
        """Add a circuit whose nets known by their cluster lie in the circuit above."""
        numbers = dict(known)
        for net in circuit.each_net():
            if net.cluster_id not in numbers:
                numbers[net.cluster_id] = self._net(net.name if top else "")
        for device in circuit.each_device():
            self._device(device, place, numbers)
        for part in circuit.each_subcircuit():
            self._part(part, place, numbers)

    def _device(self, device: Any, place: Any, numbers: dict[int, int]) -> None:
        kind = device.device_class()
        nets = {}
        for terminal in kind.terminal_definitions():
            net = device.net_for_terminal(terminal.id())
            nets[terminal.name] = -1 if net is None else numbers[net.cluster_id]
        values = {
            p.name: device.parameter(p.id())
            for p in kind.parameter_definitions()
            if p.name in ("R", "L", "W")
        }
        at = (place * device.trans).disp
        self.devices.append([kind.name, values, nets, at.x, at.y])

    def _part(self, part: Any, place: Any, numbers: dict[int, int]) -> None:
        circuit, at = part.circuit_ref(), place * part.trans
        whole = bool(self.library) and circuit.name.startswith(self.library)
        known, pins = {}, {}
        for pin in circuit.each_pin():
            inner, outer = circuit.net_for_pin(pin.id()), part.net_for_pin(pin.id())
            if outer is None or inner is None:
                continue
            known[inner.cluster_id] = numbers[outer.cluster_id]
            pins[inner.name or f"inner net {inner.cluster_id}"] = numbers[outer.cluster_id]
        if whole and not any(True for _ in circuit.each_device()):
            return  # a tap or a filler
        if whole:
            self.devices.append([circuit.name, {}, pins, at.disp.x, at.disp.y])
        else:
            self._add(circuit, at, known, False)


def main(job: dict[str, Any]) -> list[Any]:
    """The answer to a job, file by file."""
    answers = []
    for path in job["files"]:
        found = Extraction(path, job["top"], job)
        flat = Flat(found.engine.netlist(), found.cell.name, job["library"])
        answers.append({"devices": flat.devices, "nets": flat.nets, "labels": found.labels()})
    return answers


if __name__ == "__main__":  # klayout sets the variables that -rd names
    asked, out = Path(globals()["job"]), Path(globals()["answer"])
    out.write_text(json.dumps(main(json.loads(asked.read_text(encoding="utf-8")))))
