"""What a notebook shows of a program, a chip, a result and a ticket, as a browser renders it."""

import re
import subprocess

import numpy as np
import pytest

import xbar

HOSTILE = '<script>console.error("run")</script>&"fc'
HARDWARE = xbar.Hardware(
    name=HOSTILE,
    tile=xbar.Tile(word_lines=16, bit_lines=16, word_wire=1.0, bit_wire=1.0),
    adc=xbar.Converter(bits=8),
)
MEASURE = """<script>
for (const table of document.querySelectorAll("table")) {
  table.dataset.area = String(table.offsetWidth * table.offsetHeight > 1000);
}
</script>"""


def render(chromium, folder, body):
    """The page's document after its scripts ran, and what it wrote on the console."""
    page = folder / "page.html"
    page.write_text(f"<!DOCTYPE html><meta charset='utf-8'><body>{body}{MEASURE}</body>")
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--user-data-dir={folder / 'profile'}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE:" in line]


@pytest.fixture(scope="module")
def shown():
    """Values and a text that each must show."""
    rng = np.random.default_rng(0)
    program = xbar.compile({HOSTILE: rng.standard_normal((6, 20))}, HARDWARE, seed=0)
    inputs = {HOSTILE: rng.standard_normal((8, 20))}
    result = xbar.simulate(program, inputs, readout="nodal", budget=True, cost=True)
    return {"16 x 16": program, "sampled, seed 0": program.chip, "nodal read-out": result}


def test_tables_render_with_their_text_and_nothing_on_the_console(shown, chromium, tmp_path):
    body = "".join(value._repr_html_() for value in shown.values())
    document, console = render(chromium, tmp_path, body)
    assert console == []
    tables = re.findall(r"<table[^>]*>", document)
    assert len(tables) == 5  # program, chip, and of the result: layers, budget, cost
    assert all('data-area="true"' in table for table in tables)
    text = re.sub(r"<[^>]*>", " ", document)
    assert all(words in text for words in shown)
    assert "&lt;script&gt;" in text


def test_a_ticket_renders_too(chromium, tmp_path):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    data = rng.standard_normal((8, 4)).astype(np.float32), np.arange(8) % 3
    ticket = xbar.pruning.random(torch.nn.Linear(4, 3), data, 0.5, epochs=1)
    document, console = render(chromium, tmp_path, ticket._repr_html_())
    assert console == []
    assert document.count('data-area="true"') == 1
    assert "50.00 %" in document


def test_a_script_that_was_not_escaped_would_be_seen(chromium, tmp_path):
    _, console = render(chromium, tmp_path, HOSTILE)
    assert len(console) == 1
    assert "run" in console[0]
