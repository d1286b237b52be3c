"""Every dialect writes the same circuit, and no name can become a command in any.

Only ngspice runs here: of the other dialects the structure is checked, not that their simulators
take it.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.dialects.lines import WIDTH
from xbar.circuit.dialects.registry import DIALECTS, get_dialect
from xbar.circuit.netlist import crossbar_netlist
from xbar.circuit.switches import SwitchedBank
from xbar.errors import SpecError

HOSTILE = [
    "x\n.control\nshell touch owned\nquit\n.endc\n* ",
    ".include /etc/hosts",
    "a b=1 {x} 'y' $(id) `id`",
    "é\r\n+ .end",
    'simulator lang=spice\nshell cmd="touch owned"',
    "",
    "n" * 5000,
]
NAME = r"[A-Za-z][A-Za-z0-9_]*"
VALUE = r"(?:[-+.0-9e]+|\{[-+*.()A-Za-z0-9_]+\}|'[-+*.()A-Za-z0-9_]+'|\([-+*.()A-Za-z0-9_]+\))"
NODE = "[A-Za-z0-9_]+"
SPICE = [
    rf"\* {NODE}",
    rf"R{NODE} {NODE} {NODE} {VALUE}",
    rf"V{NODE} {NODE} {NODE} dc {VALUE}",
    rf"X{NODE} {NODE} {NODE} {NAME} (PARAMS: )?({NAME}={VALUE} ?)+",
    rf"\.subckt {NAME} {NODE} {NODE} (PARAMS: )?({NAME}={VALUE} ?)+",
    rf"\.ends {NAME}",
    rf"\.param ({NAME}={VALUE} ?)+",
]
LINES = {
    "ngspice": [*SPICE, r"\.options klu", r"\.save i\(vs_\d+\)", r"\.op", r"\.end"],
    "xyce": [
        *SPICE,
        r"\.dc Vs_0 0 0 1",
        r"\.print dc format=csv precision=16( i\(vs_\d+\))+",
        r"\.end",
    ],
    "hspice": [
        *SPICE,
        r"\.option ingold=2 numdgt=10",
        r"\.op",
        r"\.dc Vs_0 0 0 1",
        r"\.print dc( i\(vs_\d+\))+",
        r"\.end",
    ],
    "spectre": [
        rf"// {NODE}",
        "simulator lang=spectre",
        rf"R{NODE} \({NODE} {NODE}\) resistor r={VALUE}",
        rf"V{NODE} \({NODE} {NODE}\) vsource dc={VALUE}",
        rf"X{NODE} \({NODE} {NODE}\) {NAME} ({NAME}={VALUE} ?)+",
        rf"subckt {NAME} \({NODE} {NODE}\)",
        rf"ends {NAME}",
        rf"parameters ({NAME}={VALUE} ?)+",
        r"save( Vs_\d+:p)+",
        "point dc",
    ],
}


def bank(rng, shape=(3, 4, 5), ratio=100.0, switch_on=None):
    on = 1e-4 * rng.lognormal(0.0, 0.4, shape)
    return SwitchedBank(on, on / ratio, rng.random(shape) < 0.5, switch_on)


def crossbar(cells, **wires):
    return Crossbar(cells.branch.sum(axis=2), **wires)


def statements(text):
    """Continued lines joined."""
    return text.replace("\n+ ", " ").splitlines()


@pytest.fixture(params=sorted(DIALECTS))
def dialect(request):
    return request.param


@pytest.mark.parametrize("title", HOSTILE)
@pytest.mark.parametrize("detail", ["cell", "resistor", "bank"])
def test_every_statement_is_one_of_the_few_that_a_dialect_writes(dialect, title, detail):
    cells = bank(np.random.default_rng(0))
    branch = {"cell": None, "resistor": cells.branch, "bank": cells}[detail]
    tile = crossbar(cells, word_wire=1.0, bit_wire=2.0, source=3.0)
    text = crossbar_netlist(tile, dialect=dialect, title=title, branch=branch).text
    for statement in statements(text):
        assert any(re.fullmatch(line, statement) for line in LINES[dialect]), statement
    # the title is one comment; only it and one subcircuit's name know it
    assert text.isascii()
    assert max(len(line) for line in text.splitlines()[1:]) <= WIDTH + 60


def canonical(statement):
    """A statement of any dialect as (kind, name, nodes, value)."""
    words = re.sub(r"[(){}']", "", statement).replace("PARAMS:", "").split()
    words = [w for w in words if w not in ("dc", "resistor", "vsource")]
    return [re.sub(r"^(r|dc)=", "", word) for word in words]


@pytest.mark.parametrize("detail", ["cell", "bank"])
def test_each_dialect_writes_the_same_elements(dialect, detail):
    cells = bank(np.random.default_rng(1))
    tile = crossbar(cells, bit_wire=2.0, source=3.0, load=np.arange(4.0), drive="both")
    branch = cells if detail == "bank" else None

    def elements(name):
        text = crossbar_netlist(tile, dialect=name, branch=branch).text
        return [canonical(s) for s in statements(text) if s[0] in "RVX"]

    assert elements(dialect) == elements("ngspice")
    assert len(elements(dialect)) > 30


def test_a_subcircuit_is_defined_once_and_every_cell_is_an_instance_of_it(dialect):
    cells = bank(np.random.default_rng(2))
    netlist = crossbar_netlist(crossbar(cells), dialect=dialect, title="fc1 tile 7", branch=cells)
    lines = statements(netlist.text)
    defined = [s for s in lines if re.match(r"\.?subckt", s)]
    assert [s.split()[1] for s in defined] == ["xbar_switch", "bank_fc1_tile_7"]
    instances = [s for s in lines if s.startswith("Xc_")]
    assert len(instances) == 12
    assert all(s.split("PARAMS")[0].split()[3] == "bank_fc1_tile_7" for s in instances)
    assert sum(s.startswith("Xs") for s in lines) == 5


def test_wires_that_are_all_alike_are_one_parameter_and_others_are_numbers(dialect):
    cells = bank(np.random.default_rng(3), (2, 2, 2))
    tile = crossbar(cells, word_wire=1.5, bit_wire=[[1.0, 2.0], [3.0, 4.0]], source=[0.0, 7.0])
    text = "\n".join(statements(crossbar_netlist(tile, dialect=dialect, branch=cells).text))
    assert "word_wire=1.5000000000000000e+00" in text
    assert "source_series=7.0000000000000000e+00" in text  # only one of them is no ideal wire
    assert "bit_wire" not in text
    assert "load_series" not in text
    wire = get_dialect(dialect)
    assert wire.resistor("w_0_0", "d_0", "w_0_0", wire.expression("word_wire")) in text


def test_the_same_bank_gives_the_same_text(dialect):
    texts = [
        crossbar_netlist(crossbar(c), dialect=dialect, branch=c).text
        for c in (bank(np.random.default_rng(4)), bank(np.random.default_rng(4)))
    ]
    assert texts[0] == texts[1]


# banks ----------------------------------------------------------------------------------------


def test_a_branch_has_its_conductance_however_its_switch_stands():
    cells = bank(np.random.default_rng(5), switch_on=123.0)
    closed = 1 / (cells.resistor + cells.closed_ohms)
    leaking = 1 / (cells.resistor + cells.leak)
    np.testing.assert_allclose(closed, cells.on, rtol=1e-12)
    np.testing.assert_allclose(leaking, cells.off, rtol=1e-12)
    np.testing.assert_array_equal(cells.branch, np.where(cells.closed, cells.on, cells.off))


def test_the_default_switch_is_a_thousandth_of_the_smallest_resistance():
    cells = bank(np.random.default_rng(6))
    np.testing.assert_allclose(cells.closed_ohms, 1e-3 / cells.on.max(), rtol=1e-15)


@pytest.mark.parametrize(
    ("on", "off", "closed", "switch_on", "message"),
    [
        ([[[1e-3]]], [[[0.0]]], [[[True]]], 1000.0, "switch_on must be below 1/on, and at word"),
        ([[[1e-3]]], [[[2e-3]]], [[[True]]], None, "off must be below on"),
        ([[[0.0]]], [[[1e-9]]], [[[True]]], None, "off must be below on"),
        ([[[1e-3]]], [[[0.0]]], [[[True]]], -1.0, "switch_on must be a positive number"),
        ([[[1e-3]]], [[[0.0]]], [[[True]]], np.nan, "switch_on must be a positive number"),
        ([[[-1e-3]]], [[[0.0]]], [[[True]]], None, "on must be finite and non-negative"),
        (
            [[[1e-3]]],
            [[[0.0]]],
            [[[1.0]]],
            None,
            "closed must be True or False throughout",
        ),
        ([[[1e-3]]], [[[0.0]]], [[[True], []]], None, "closed must be a rectangular array"),
        ([[1e-3]], [[0.0]], [[True]], None, r"must have one shape \(W, B, K\)"),
        ([[[1e-3]]], [[[0.0, 0.0]]], [[[True]]], None, "must have one shape"),
    ],
)
def test_a_bank_refuses(on, off, closed, switch_on, message):
    with pytest.raises(SpecError, match=message):
        SwitchedBank(on, off, closed, switch_on)


def test_a_bank_of_another_crossbar_is_refused():
    cells = bank(np.random.default_rng(7))
    with pytest.raises(SpecError, match="must be one of \\(2, 2\\) cells"):
        crossbar_netlist(Crossbar(np.ones((2, 2))), branch=cells)
    with pytest.raises(SpecError, match="must add up to its conductance"):
        crossbar_netlist(Crossbar(np.full((3, 4), 1e-3)), branch=cells)


def test_an_unknown_dialect_is_refused_with_the_known_ones():
    with pytest.raises(SpecError, match="one of hspice, ngspice, spectre, xyce, not 'spice4'"):
        crossbar_netlist(Crossbar([[1.0]]), dialect="spice4")
