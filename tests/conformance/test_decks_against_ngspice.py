"""Foreign decks: every voltage and current is the one that ngspice finds, by the same name."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest

import xbar
from xbar.circuit.engines.rawfile import read_raw

# ngspice repeats the letter in the names of elements of such subcircuits: r.x1.r.x2.r1
NESTED = "subcircuits defined within subcircuits"
DECKS = {
    "divider": """a title, whatever it says
        V1 in 0 10
        R1 in out 3k
        R2 out 0 1k""",
    "wheatstone bridge, out of balance": """* bridge
        Vs a 0 DC 5
        R1 a b 1k
        R2 a c 2.2k
        R3 b 0 4.7k
        R4 c 0 1.1k
        R5 b c 330""",
    "ladder": """* R-2R, in every notation
        V1 n0 0 dc=1.6
        R1 n0 n1 1K
        R2 n1 0 2000ohm
        R3 n1 n2 0.001MEG
        R4 n2 0 2e3
        R5 n2 n3 1000000m $ milli
        R6 n3 0 .002meg ; inline
        R7 n3 0 78740.157mil
        R8 n3 0 2e12n""",
    "several sources, in series and floating": """* sources
        V1 a 0 3
        V2 b a 2
        V3 d c -1.5 ac 1
        V4 c 0
        R1 b 0 100
        R2 d b 50
        R3 c a 1
        I1 0 b 10m
        I2 d a dc 3m
        V5 x y 1
        R4 x 0 1k
        R5 y a 2k""",
    "current sources alone": """* currents
        I1 0 a 1u
        I2 a b 2u AC 1
        R1 a 0 1meg
        R2 b 0 2meg
        R3 a b 500k""",
    "continued lines and comments": """* lines
        V1
        * a comment between
        + a 0
        + dc 2 $ the rest

        R1 a 0
        + 1k ; of it""",
    "subcircuits within subcircuits": """* hierarchy
        .param unit=1k twice={2*unit} half='unit/2'
        .subckt link p q r=7
        R1 p m {r}
        R2 m q {r + unit/1000}
        .ends link
        .subckt pair a b r=100 ratio=2
        .param other={r*ratio}
        R1 a m {r}
        X1 m n link r={other}
        X2 m n link
        V1 n b 0.25
        .ends
        .subckt outer in out
        X1 in 0 pair r={half}
        X2 in mid pair ratio=3 r={twice**0.5 + sqrt(unit)}
        R9 mid out {max(unit, twice) / pow(2, 3)}
        I1 in mid 1m
        .ends outer
        Vin in 0 {3 - 1}
        Xa in out outer
        Xb out 0 outer
        Rl out 0 {unit}""",
    NESTED: """* definitions within definitions
        .subckt outer a b
        .subckt inner a b r=7
        R1 a m {r}
        R2 m b 2k
        V1 b c 1
        R3 c a 5k
        .ends inner
        X1 a m inner r=1k
        X2 m b inner
        .ends outer
        V1 a 0 1
        X1 a 0 outer
        R1 a 0 1k""",
    "a parameter of the caller": """* scope
        .param p=1k
        .subckt inner a b
        R1 a b {p}
        .ends
        .subckt outer a b p=5k
        X1 a b inner
        X2 a b inner
        .ends
        V1 a 0 1
        X1 a 0 outer
        X2 a 0 inner""",
    "names of every kind": """* names
        V-in+ a.1 0 1
        R_1 A.1 b#2 1k
        R2 B#2 gnd 2k m=2
        Rx b#2 GND r=4k
        R3 b#2 b#2 1""",
    "results asked for": """* control
        .options reltol=1e-6 temp=50
        .temp 60
        V1 a 0 1
        R1 a b 1k
        R2 b 0 1k
        .model unused r
        .nodeset v(b)=3""",
    "controlled sources": """* controlled
        V1 a 0 2
        R1 a b 1k
        R2 b 0 3k
        E1 c 0 b 0 4
        R3 c d 100
        G1 d 0 a b 2m
        R4 d 0 50
        V2 d e 0
        R5 e 0 70
        F1 0 f V2 3
        R6 f 0 10
        H1 g f V1 250
        R7 g 0 1k
        B1 0 h i=v(a,b)*1m-i(V2)*2
        R8 h 0 1k""",
    "sources with functions of time": """* functions
        V1 a 0 DC 1 PULSE(0 2 0 1n 1n 5n 10n)
        V2 b 0 SIN(0.5 2 1k 0 0 30)
        V3 c 0 AC 1 20 PWL(-1n 3 1n 5 2n 0)
        V4 d 0 EXP(0.3 1 1n 1n 5n 1n) AC 1
        V5 e 0 SFFM(0.7 1 1k 2 3)
        V6 f 0 AM(1 2 1k 2k 0)
        V7 g 0 SIN(0.1 1 1k -0.2m 100)
        V8 h 0 PULSE(1 2 -5n 10n 10n 10n 40n)
        V9 i 0 EXP(1 2 -5n 1n -2n 4n)
        V10 j 0 PULSE 4 5 0 1n 1n 1n 1
        V11 k 0 PULSE(0 3 -33n 10n 10n 10n 40n)
        R1 a b 1
        R2 c d 2
        R3 e f 3
        R4 g h 4
        R5 i j 5
        R6 k 0 1
        V12 l 0 PWL(1n 6 2n 7)
        R7 l 0 1""",
    "resistors with models and temperatures": """* models
        V1 a 0 1
        .options temp=77 tnom=37
        R1 a 0 1k tc1=1m tc2=2u
        R2 a 0 rmod 1k
        R3 a 0 2k rmod temp=50
        R4 a 0 rmod l=20u w=2u
        R5 a 0 rmod r=3k m=3
        R6 a 0 1k tce=0.5
        R7 a 0 2k dtemp=10 tc1=-1m scale=2 ac=3 noisy=0
        R8 a 0 rdef
        .model rmod r tc1=3m tc2=1u rsh=50
        .model rdef r res=7k tnom=20 tc1=1m""",
    "shorts and what is open": """* stores
        V1 a 0 1
        R1 a b 10
        L1 b c 1m
        C1 c 0 1n
        R2 c 0 20
        L2 c d 1u
        R3 d 0 5
        K1 L1 L2 0.5""",
    "functions and choices": """* formulas
        .param k=3 big={k>2 ? 1k : 1}
        .func par(x,y) {x*y/(x+y)}
        .func twice(x)={par(x,x)*4}
        V1 a 0 {sgn(-k)+nint(2.6)+7%4+int(-1.5)+floor(-0.5)+ceil(0.2)}
        R1 a b {par(big,2k)}
        R2 b 0 {twice(1k)+(k==3 && k!=4)*100}
        .if (k==1)
        R3 b 0 1
        .elseif (k=3)
        .param late=5k
        R3 b 0 {late}
        .else
        R3 b 0 2
        .endif
        R4 b 0 'min(abs(-3k),max(1,2k))+1m*pow(2,3)+sqr(2)+atan(1)+log10(100)'""",
    "several of a subcircuit in parallel": """* m
        .subckt s p q r=1k
        R1 p m {r}
        R2 m q 2k
        I1 p q 1u
        G1 p q p m 1m
        .ends
        V1 a 0 1
        X1 a b s m=3
        X2 b 0 s r=3k
        R1 b 0 1k""",
    "odd names and blanks": """* names
        V$1 net$4 0 1
        R_x net$4 /top/in<3> 1k
        R1 (/top/in<3>, u1.out[0]) 2k
        R2 u1.out[0] , 0 3k
        I2 (0 u1.out[0]) DC=1m AC=1""",
}


def by_ngspice(text, resistors, folder):
    saved = "".join(f".save @{name}[i]\n" for name in resistors)
    (folder / "deck.cir").write_text(f"{text}\n.save all\n{saved}.op\n.end\n")
    command = ["ngspice", "-n", "-b", "-r", "out.raw", "deck.cir"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "rror" not in done.stdout + done.stderr
    vectors = read_raw((folder / "out.raw").read_bytes())
    return {re.sub(r"(?<=\.)[rv]\.(?=x)", "", n): float(v[0]) for n, v in vectors.items()}


@pytest.mark.parametrize("name", DECKS)
def test_every_voltage_and_current_is_ngspices(ngspice, name, tmp_path):
    text = DECKS[name].replace("\n        ", "\n")
    path = tmp_path / "mine.cir"
    path.write_text(text)
    op = xbar.read_spice(path).solve()
    resistors = [e for e in op.current if e[0] == "r" and name != NESTED]
    theirs = by_ngspice(text, resistors, tmp_path)
    ours = {f"v({node})": v for node, v in op.voltage.items() if node != "0"}
    ours |= {f"i({e})": i for e, i in op.current.items() if e[0] in "vleh"}
    ours |= {f"i(@{e}[i])": i for e, i in op.current.items() if e in resistors}
    assert set(ours) == set(theirs)
    names = sorted(ours)
    volts, amperes = [[n for n in names if n[0] == kind] for kind in "vi"]
    for group in (volts, amperes):
        found, expected = (np.array([d[n] for n in group]) for d in (ours, theirs))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * abs(expected).max())


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_with_sources_everywhere_agree(ngspice, seed, tmp_path):
    rng = np.random.default_rng(seed)
    nodes = 30
    lines = ["* random"]
    for k in range(1, nodes):
        lines.append(
            f"Rt{k} n{k} {f'n{rng.integers(1, k)}' if k > 1 else '0'} {rng.uniform(1, 1e4)}"
        )
    for k in range(40):
        a, b = rng.choice(nodes, 2, replace=False)
        lines.append(
            f"R{k} n{a} n{b} {10 ** rng.uniform(0, 6)}" if a * b else f"R{k} n{a + b} 0 50"
        )
    lines += [
        f"V{k} n{k} v{k} {rng.normal()}\nRv{k} v{k} 0 {rng.uniform(1, 9)}" for k in (3, 9, 12)
    ]
    lines += ["Va n5 n6 1", "Vb n6 n7 -2", "I1 n3 n20 1m", "I2 0 n25 2m"]
    path = tmp_path / "mine.cir"
    path.write_text("\n".join(lines))
    op = xbar.read_spice(path).solve()
    theirs = by_ngspice("\n".join(lines), [], tmp_path)
    found = np.array([op.voltage[n[2:-1]] if n[0] == "v" else op.current[n[2:-1]] for n in theirs])
    expected = np.array(list(theirs.values()))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-11)
