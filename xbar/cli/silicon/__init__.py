"""``xbar silicon``: a group of commands, each in a file of its own that is imported on use."""

from __future__ import annotations

SUMMARY = "Design, characterise, draw and verify crossbars as silicon."
VERBS = {
    "characterise": "xbar.cli.silicon.characterise",
    "design": "xbar.cli.silicon.design",
    "layout": "xbar.cli.silicon.layout",
    "processes": "xbar.cli.silicon.processes",
    "verify": "xbar.cli.silicon.verify",
    "measure": "xbar.cli.silicon.measure",
}
WITHOUT_ARGUMENTS = {"processes"}
"""Commands that run without arguments; the others show their help."""
