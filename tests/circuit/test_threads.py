"""Solving leaves the BLAS threads as they were, and its answer does not depend on them."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.solvers.threads import one_blas_thread


def blas_threads():
    return {
        lib["filepath"]: lib["num_threads"]
        for lib in threadpool_info()
        if lib["user_api"] == "blas"
    }


def test_blas_has_one_thread_inside_and_as_many_as_before_outside():
    with one_blas_thread():
        assert set(blas_threads().values()) == {1}
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with one_blas_thread():
            assert set(blas_threads().values()) == {1}
        assert blas_threads() == before


def test_the_transfer_matrix_is_the_same_to_the_last_bit_for_any_number_of_threads():
    cells = np.random.default_rng(0).uniform(1e-6, 1e-4, (96, 70))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(Crossbar(cells, word_wire=1.0, bit_wire=1.0).transfer)
    np.testing.assert_array_equal(*found)
