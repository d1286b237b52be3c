"""Put the tables of the ticket experiments into documents.

    python examples/tickets/tables.py docs/tickets.md docs/tickets_constructions.md
                                      docs/tickets_laws.md
                                      [--output build/tickets]

What stands between a line `<!-- table: curves_lenet -->` and the next `<!-- end -->` becomes the
rows of <output>/curves_lenet.json as a table in Markdown. A table that was not made stays as it is,
and is named.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from construct_networks import table

from xbar.files import write_text

PLACE = re.compile(r"(?<=<!-- table: )(\w+) -->\n.*?(?=<!-- end -->)", re.DOTALL)


def filled(text: str, folder: Path) -> tuple[str, list[str]]:
    """A document with its tables, and the names of those that were not made."""
    missing = []

    def put(found: re.Match[str]) -> str:
        source = folder / f"{found[1]}.json"
        if not source.exists():
            missing.append(found[1])
            return found[0]
        rows = json.loads(source.read_text())["rows"]
        return f"{found[1]} -->\n\n{table(rows)}\n\n"

    return PLACE.sub(put, text), missing


def main() -> None:
    """Every document that the command line names."""
    parser = argparse.ArgumentParser(prog="tables.py")
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path("build/tickets"))
    parsed = parser.parse_args()
    for document in parsed.documents:
        text, missing = filled(document.read_text(), parsed.output)
        write_text(document, text, force=True)
        print(f"{document}: not made and left as they are: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
