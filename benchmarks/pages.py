"""Tables of benchmarks in pages of docs/, between marks such as ``<!-- table: name -->``."""

from __future__ import annotations

import re
from pathlib import Path

from xbar.files import write_text


def write_table(page: Path, name: str, text: str) -> None:
    """Replace a table in a page.

    Raises:
        SystemExit: the page has no mark of that name.
    """
    written = page.read_text(encoding="utf-8")
    mark = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not mark.search(written):
        raise SystemExit(f"{page} has no mark for the table {name}")
    write_text(page, mark.sub(lambda m: f"{m[1]}{text}\n{m[2]}", written), force=True)
