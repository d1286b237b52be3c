"""Programs have the same bytes whichever kernels the linear algebra library chooses."""

import os
import subprocess
import sys
import textwrap

import pytest

CODE = """
    import sys, hashlib
    import numpy as np
    import xbar

    rng = np.random.default_rng(0)
    weights = {"a": rng.standard_normal((12, 24)), "b": rng.standard_normal((20, 10))}
    mild = xbar.Tile(word_lines=24, bit_lines=24, word_wire=1.0, bit_wire=1.0)
    harsh = xbar.Tile(word_lines=32, bit_lines=32, word_wire=9.0, bit_wire=9.0, load=20.0)
    bank = xbar.Bank(resistors=6, nominal=1e4)
    noise = xbar.Variation(read_noise=0.03)
    designs = [
        xbar.Hardware(bank=bank, tile=mild),
        xbar.Hardware(bank=bank, tile=harsh),
        xbar.Hardware(bank=bank, tile=mild, variation=noise),
    ]
    raw = hashlib.sha256()
    for number, design in enumerate(designs):
        for mapping in ("pair", "reference"):
            options = xbar.Options(wire_aware=True, mapping=mapping)
            program = xbar.compile(weights, design, seed=1, options=options)
            program.save(f"{sys.argv[1]}/{number}-{mapping}.xbar")
            for tile in program.tiles:
                assert tile.wire_errors
                raw.update(tile.crossbar().transfer.tobytes())
    print(raw.hexdigest())
"""


def contents(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_wire_aware_programs_do_not_depend_on_the_kernels_of_the_blas(tmp_path):
    solved = {}
    for kernels in ("Prescott", "Haswell"):
        (tmp_path / kernels).mkdir()
        command = [sys.executable, "-c", textwrap.dedent(CODE), str(tmp_path / kernels)]
        environment = {**os.environ, "OPENBLAS_CORETYPE": kernels, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        solved[kernels] = done.stdout
    if solved["Prescott"] == solved["Haswell"]:
        pytest.skip("the library here has the same bits with both kernels, nothing to compare")
    programs = contents(tmp_path / "Prescott")
    assert len(programs) > 6
    assert programs == contents(tmp_path / "Haswell")
