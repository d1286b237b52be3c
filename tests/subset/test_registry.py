from __future__ import annotations

import subprocess
import sys

import pytest

from xbar.errors import SpecError
from xbar.subset import get_solver, names, solve_subset


def test_each_name_leads_to_its_solver():
    assert [get_solver(name).name for name in names()] == names()


def test_an_unknown_name_is_answered_with_the_names():
    with pytest.raises(SpecError, match=r"'simplex'; take one of exhaustive, meet-in-the-middle"):
        solve_subset([1.0], 1.0, "simplex")


def test_importing_the_package_loads_no_numba():
    code = (
        "import sys, xbar.subset as s; s.solve_subset; s.names(); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_lists_its_names():
    import xbar.subset

    assert set(xbar.subset.__all__) <= set(dir(xbar.subset))
    with pytest.raises(AttributeError, match="no attribute 'solve_everything'"):
        _ = xbar.subset.solve_everything
