"""Run inside the klayout program: what a comparison of layout and netlist has found.

The job names a database that a deck wrote; the answer tells each circuit's status, and the devices,
nets, pins and parts that do not match.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Reader:
    """Statuses in a database's cross reference.

    Attributes:
        circuits: name -> status.
        differing: kind -> number of objects that do not match.
        differences: the first of each kind.
    """

    def __init__(self, path: str, most: int) -> None:
        import pya

        self.database = pya.LayoutVsSchematic()
        self.database.read(path)
        status = pya.NetlistCrossReference
        self._good = [status.Match, status.MatchWithWarning]
        self._names = [
            (getattr(status, name), words)
            for name, words in (
                ("Match", "match"),
                ("MatchWithWarning", "match with a warning"),
                ("Mismatch", "mismatch"),
                ("NoMatch", "no match"),
                ("Skipped", "skipped"),
            )
        ]
        self._most = most
        self.circuits: dict[str, str] = {}
        self.differing: dict[str, int] = {}
        self.differences: list[str] = []

    def read(self) -> dict[str, Any]:
        """Everything, as a job's answer."""
        found = self.database.xref()
        for pair in found.each_circuit_pair() if found is not None else ():
            name = _pair(pair)
            self.circuits[name] = self._words(pair)
            if pair.first() is None or pair.second() is None:
                continue
            for kind, pairs in (
                ("device", found.each_device_pair(pair)),
                ("net", found.each_net_pair(pair)),
                ("pin", found.each_pin_pair(pair)),
                ("part", found.each_subcircuit_pair(pair)),
            ):
                for each in pairs:
                    if not self._is_good(kind, each):
                        self._tell(kind, name, each)
        return {
            "circuits": self.circuits,
            "differing": self.differing,
            "differences": self.differences,
        }

    def _is_good(self, kind: str, pair: Any) -> bool:
        """Whether two match; devices that match with a warning have other values."""
        return pair.status() in (self._good[:1] if kind == "device" else self._good)

    def _tell(self, kind: str, circuit: str, pair: Any) -> None:
        self.differing[kind] = self.differing.get(kind, 0) + 1
        if self.differing[kind] <= self._most:
            self.differences.append(f"{kind} {_pair(pair)} of {circuit}: {self._words(pair)}")

    def _words(self, pair: Any) -> str:
        return next((words for status, words in self._names if status == pair.status()), "unknown")


def _pair(pair: Any) -> str:
    """Names of both sides, or the one that they have in common."""
    names = [_name(side) for side in (pair.first(), pair.second())]
    return names[0] if names[0] == names[1] else " / ".join(names)


def _name(side: Any) -> str:
    if side is None:
        return "nothing"
    for what in ("expanded_name", "name"):
        found = getattr(side, what, "")
        found = found() if callable(found) else found
        if found:
            return str(found)
    return "unnamed"


def main(job: dict[str, Any]) -> dict[str, Any]:
    """The answer to a job."""
    return Reader(job["report"], job["most"]).read()


if __name__ == "__main__":  # klayout sets the variables that -rd names
    asked, out = Path(globals()["job"]), Path(globals()["answer"])
    out.write_text(json.dumps(main(json.loads(asked.read_text(encoding="utf-8")))))
