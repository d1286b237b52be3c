"""``xbar compile --measured chip.npz --behind-wires line``."""

import numpy as np
import pytest

import xbar

torch = pytest.importorskip("torch")

DESIGN = """
[bank]
resistors = 2
nominal = "20k"
[tile]
word_lines = 6
bit_lines = 8
word_wire = 30.0
bit_wire = 20.0
"""


def test_the_program_holds_the_branches_without_their_wires(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chip.toml").write_text(DESIGN)
    torch.save({"fc.weight": torch.randn(3, 5, generator=torch.manual_seed(0))}, "m.pt")
    on = 5e-5 * np.random.default_rng(0).lognormal(0, 0.2, (1, 6, 8, 2))
    measured = np.empty_like(on)
    for i, k in np.ndindex(6, 2):  # one branch in each cell of a word line
        cells = np.zeros((6, 8))
        cells[i] = on[0, i, :, k]
        measured[0, i, :, k] = xbar.Crossbar(cells, word_wire=30.0, bit_wire=20.0).transfer[:, i]
    np.savez("chip.npz", on=measured)
    code, out, err = call(
        *("compile", "m.pt", "--hardware", "chip.toml", "-o", "out.xbar"),
        *("--measured", "chip.npz", "--behind-wires", "line"),
    )
    assert (code, err) == (0, "")
    assert "assumed: measured chip: wires taken out, one line closed at a time: at most " in out
    found = xbar.Program.load("out.xbar").chip.on(0)
    np.testing.assert_allclose(found, on[0], rtol=1e-12)
    assert np.abs(measured / on - 1).max() > 0.005
