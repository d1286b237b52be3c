"""Every error and warning is one line that can't command a terminal."""

import pickle

import pytest

from xbar import errors

NAMES = "layer\n1\x1b[2J\u2028x\r\ty"


@pytest.mark.parametrize(
    "kind",
    [
        errors.SpecError, errors.FileError, errors.UntrustedFileError, errors.ModelError,
        errors.CircuitError, errors.NotFoundError, errors.SolverError, errors.EngineError,
        errors.ToolError,
    ],
)  # fmt: skip
def test_a_message_is_one_printable_line(kind):
    error = kind(f"{NAMES}: must be a name")
    assert str(error) == "layer 1?[2J x y: must be a name"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind("µ² Ω – 'plain'")) == "µ² Ω – 'plain'"


def test_a_warning_is_one_printable_line():
    with pytest.warns(errors.XbarWarning) as heard:
        errors.warn(NAMES)
    assert str(heard[0].message) == "layer 1?[2J x y"
