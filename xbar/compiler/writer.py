"""Writing a program: bundles as they are done, then the rest, the manifest last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from xbar.compiler.array_files import Content, contents, write_arrays, write_npy
from xbar.compiler.block_table import BlockTable
from xbar.compiler.bundles import Bundle, npz_bytes, tiles_per_bundle
from xbar.compiler.corrections import NAME as CORRECTIONS
from xbar.compiler.plan import Plan
from xbar.compiler.sealed import seal
from xbar.compiler.weights import as_held
from xbar.errors import FileError
from xbar.files import write_bytes
from xbar.folders import LARGEST_INDEX, Marker
from xbar.model.stored import picked

FORMAT = 6
PROGRAM = Marker("manifest.json", "xbar program")
INDEX = "index.npz"
MEASURED = ("on", "off", "stuck", "c2")


def bundle_name(number: int) -> str:
    """The file of a bundle."""
    return f"tiles/{number}.npz"


def arrays_of(plan: Plan) -> Mapping[str, NDArray[Any]]:
    """The network's arrays as a program stores them: a graph's constants, or bare matrices."""
    if plan.graph is None:
        return as_held(plan.weights)
    return picked(plan.graph.constants, sorted(plan.graph.constants))  # the order of its record


@dataclass(eq=False)
class Writer:
    """A program that is being written.

    Attributes:
        folder: where its files are written.
        home: where it will be.
        plan: network, chip and options.
        known: what the network's arrays hold.
        embed: write also the weights that could be referred to.
    """

    folder: Path
    home: Path
    plan: Plan
    known: Mapping[str, Content]
    embed: bool
    _tables: dict[int, BlockTable] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, home: Path, plan: Plan, *, embed: bool) -> Writer:
        """A writer of a plan's program."""
        return cls(folder, home, plan, contents(arrays_of(plan), embed=embed), embed)

    def write(self, bundle: Bundle) -> None:
        """Write a bundle, atomically."""
        number, content = bundle.first // tiles_per_bundle(self.plan), bundle.to_bytes()
        path = self.folder / bundle_name(number)
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, content, force=True)
        self.take(bundle, hashlib.sha256(content).hexdigest())

    def take(self, bundle: Bundle, sha256: str) -> None:
        """Take a bundle that is written already."""
        number = bundle.first // tiles_per_bundle(self.plan)
        self._tables[number] = bundle.table
        self._digests[bundle_name(number)] = sha256

    def finish(self) -> bytes:
        """Write all but the bundles and the manifest; returns the manifest.

        Raises:
            FileError: a file can't be written.
        """
        plan, digests = self.plan, dict(self._digests)
        records, written = write_arrays(
            self.folder, self.home, arrays_of(plan), self.known, embed=self.embed
        )
        digests |= written
        tables = [self._tables[number] for number in range(len(self._tables))]
        table = BlockTable.joined(tables)
        count = len(table)
        if count:
            digests[INDEX] = self._archive(INDEX, table.to_arrays())
        if plan.corrections is not None:
            found = plan.corrections.to_arrays(plan.shapes, table.columns)
            digests[CORRECTIONS] = self._archive(CORRECTIONS, found)
        if plan.chip.measurement is not None:
            for name in MEASURED:
                file, values = f"chip/{name}.npy", getattr(plan.chip.measurement, name)
                if values is not None:
                    digests[file] = write_npy(self.folder / file, values)
        return self._manifest(records, count, digests)

    def _archive(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> str:
        content = npz_bytes(arrays)
        write_bytes(self.folder / name, content, force=True)
        return hashlib.sha256(content).hexdigest()

    def seal(self, manifest: bytes) -> None:
        """Write the manifest, which makes the folder a program."""
        with (self.folder / PROGRAM.name).open("wb") as file:
            file.write(manifest)
            file.flush()
            os.fsync(file.fileno())

    def _manifest(
        self, records: list[dict[str, Any]], count: int, digests: Mapping[str, str]
    ) -> bytes:
        plan = self.plan
        manifest = {
            "format": FORMAT,
            "kind": PROGRAM.kind,
            "hardware": plan.hardware.model_dump(mode="json"),
            "seed": plan.chip.seed,
            "measured": plan.chip.tiles,
            "options": plan.options.model_dump(mode="json"),
            "placement": None if plan.placement is None else plan.placement.to_json(),
            "decided": plan.decided,
            "tiles": {"count": count, "bundle": tiles_per_bundle(plan)},
            "network": {
                "graph": None if plan.graph is None else plan.graph.to_json(),
                "names": list(self.known),
                "arrays": records,
            },
            "files": digests,
        }
        if plan.corrections is not None:
            manifest["corrections"] = plan.corrections.to_json()
        text = seal(manifest)
        if len(text) > LARGEST_INDEX:
            raise FileError(f"its {PROGRAM.name} would have {len(text):,} bytes, which is too many")
        return text
