"""Of several outputs one is taken, and inputs are bound, on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import xbar

torch = pytest.importorskip("torch")
nn = torch.nn

CHIP = """
[bank]
resistors = 6
nominal = "100k"
sigma = "20%"
[tile]
word_lines = 16
bit_lines = 16
"""


class Joined(nn.Module):
    """A layer of x beside a state h, and two results."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 5)
        self.head = nn.Linear(10, 2)

    def forward(self, x, h):
        joined = torch.cat([self.fc(x), torch.tanh(h)], -1)
        return joined, self.head(joined)


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A compilation in a folder with a model of two inputs and two outputs, and a state."""
    monkeypatch.chdir(tmp_path)
    program = torch.export.export(Joined().eval(), (torch.zeros(1, 4), torch.zeros(1, 5)))
    torch.export.save(program, "m.pt2")
    np.save("h.npy", np.linspace(-1, 1, 5))
    (tmp_path / "chip.toml").write_text(CHIP)
    return "compile", "m.pt2", "--hardware", "chip.toml", "-o", "out.xbar", "--force", "--json"


@pytest.mark.parametrize(("text", "value"), [("h.npy", np.linspace(-1, 1, 5)), ("0.5", 0.5)])
def test_a_program_has_the_output_that_was_taken_and_the_inputs_that_were_bound(
    command, call, text, value
):
    code, out, _ = call(*command, "--take", "1", "--bind", f"h={text}")
    assert code == 0
    assert [layer["name"] for layer in json.loads(out)["layers"]] == ["fc", "head"]
    x = np.ones((2, 4), np.float32)
    want = xbar.read_model("m.pt2", output="1", bind={"h": value}).run(x)
    np.testing.assert_allclose(xbar.Program.load("out.xbar").graph.run(x), want, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h", "must be NAME=VALUE"),
        ("h=a", "must be a number or an .npy file"),
        ("h=none.npy", "No such file"),
        ("h=damaged.npy", "not a readable .npy"),
        ("q=1", "no input 'q' to bind; it takes 'x', 'h'"),
    ],
)
def test_what_can_not_be_bound_is_said(command, refused, tmp_path, text, message):
    (tmp_path / "damaged.npy").write_bytes((tmp_path / "h.npy").read_bytes()[:90])
    assert message in refused(*command, "--take", "1", "--bind", text)


def test_without_a_choice_the_names_are_listed(command, refused):
    assert "choose one of '0', '1' with --take" in refused(*command)
    assert "'x', 'h'" in refused(*command, "--take", "linear_1")
