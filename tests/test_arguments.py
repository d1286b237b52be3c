"""An argument of a wrong kind is refused in one line, whatever it is."""

import signal

import numpy as np
import pytest

import xbar
from xbar.arrays import one_integer, one_number, one_of
from xbar.errors import SpecError, XbarError
from xbar.subset.variants.pair import solve_pair
from xbar.subset.variants.partition import solve_many_targets
from xbar.subset.variants.robust import solve_robust
from xbar.subset.variants.smallest import solve_smallest
from xbar.subset.variants.vector import solve_vector

BANK = [1e-5, 2e-5, 3e-5, 5e-5]
ODD = {
    "none": None,
    "text": "x",
    "empty text": "",
    "bytes": b"x",
    "empty list": [],
    "ragged": [[1, 2], [3]],
    "mapping": {},
    "negative": -1,
    "fraction": 1.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "huge": 10**30,
    "huger": 10**400,
    "no banks": np.zeros((0, 3)),
    "no elements": np.zeros((3, 0)),
    "letters": np.array("x"),
    "objects": np.array([1, None], dtype=object),
    "complex": 1j,
    "true": True,
    "anything": object(),
    "a unit": "1k",
}


@pytest.fixture(scope="module")
def program():
    design = xbar.Hardware(tile=xbar.Tile(word_lines=8, bit_lines=8))
    return xbar.compile({"a": np.eye(3)}, design, seed=0)


CALLS = {
    xbar.solve_subset: {
        "bank": BANK, "target": 7e-5, "method": "auto", "tolerance": 0.0, "time_limit": 1.0,
    },
    solve_many_targets: {
        "bank": BANK, "targets": [3e-5, 5e-5], "norm": "linf", "tolerance": 0.0, "time_limit": None,
    },
    solve_vector: {
        "bank": [[4.0, 4.4], [2.0, 2.1]], "target": [2.6, 2.6], "norm": "l2", "weights": None,
        "time_limit": 1.0,
    },
    solve_robust: {"bank": BANK, "target": 7e-5, "read_noise": 0.01, "drift": 1.0, "stuck": None},
    solve_smallest: {"bank": BANK, "target": 7e-5, "tolerance": 1e-6, "cost": None},
    solve_pair: {
        "plus": BANK, "minus": BANK, "target": 1e-5, "total": 6e-5, "weight": 1.0,
        "read_noise": 0.0,
    },
    xbar.Bank: {"resistors": 4, "nominal": "10k", "sigma": 0.1, "layout": "cell"},
    xbar.Tile: {"word_lines": 4, "word_wire": 0, "drive": "left"},
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("function", CALLS, ids=[function.__name__ for function in CALLS])
@pytest.mark.filterwarnings("ignore::xbar.errors.XbarWarning")
def test_an_odd_argument_is_an_answer_or_one_line(function, odd):
    usual = CALLS[function]
    refused = 0
    for name in usual:
        try:
            function(**{**usual, name: odd})
        except XbarError as error:  # any other error fails the test
            refused += 1
            assert "\n" not in str(error)
            assert len(str(error)) < 500
    assert refused > 0


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_arguments_of_a_simulation_and_a_comparison_are_one_line(program, odd, monkeypatch):
    def late(*_):
        raise TimeoutError

    inputs = np.ones((1, 3))
    calls = {
        xbar.simulate: ("trials", "noise_trials", "calibrate", "precision", "readout", "budget"),
        xbar.verify: ("tiles", "engine", "seed", "tolerance"),
    }
    previous = signal.signal(signal.SIGALRM, late)
    refused = 0
    for function, names in calls.items():
        positional = (program, inputs) if function is xbar.simulate else (program,)
        for name in names:
            if function is xbar.verify and odd is None and name == "tiles":
                continue  # the default, which needs ngspice
            signal.alarm(20)
            try:
                function(*positional, **{name: odd})
            except XbarError as error:
                refused += 1
                assert "\n" not in str(error)
            finally:
                signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)
    assert refused > 4


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "time must be a finite number above 0, not 'x'"),
        (0, "time must be a finite number above 0, not 0"),
        (True, "time must be a finite number above 0, not True"),
        (10**400, "time must be a finite number above 0, not 1000"),
        (float("nan"), "time must be a finite number above 0, not nan"),
    ],
)
def test_a_number_says_what_it_must_be(value, message):
    with pytest.raises(SpecError) as caught:
        one_number(value, "time", 0, above=True)
    assert str(caught.value).startswith(message)


def test_numbers_of_every_library_are_numbers():
    from fractions import Fraction

    for value in (2, 2.0, np.float32(2), np.int8(2), np.array(2.0), Fraction(2)):
        assert one_number(value, "x", 2) == 2.0
    for value in (2, np.uint8(2), np.int64(2)):
        assert one_integer(value, "x", 2, 2) == 2
    assert one_of("b", "x", ("a", "b")) == "b"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.5, "x must be a whole number, not 1.5"),
        (False, "x must be a whole number, not False"),
        (0, "x must be at least 1, not 0"),
        (10**20, "x must be at most 1,000, not 100000000000000000000"),
    ],
)
def test_a_whole_number_says_what_it_must_be(value, message):
    with pytest.raises(SpecError) as caught:
        one_integer(value, "x", 1, 1000)
    assert str(caught.value) == message
