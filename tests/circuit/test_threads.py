"""Solving leaves the BLAS threads as they were, and its answer does not depend on them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

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


def test_the_limit_holds_until_the_last_of_several_threads_has_left():
    with threadpool_limits(2, user_api="blas"):
        before, first, second = blas_threads(), one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(blas_threads().values()) == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before


def test_each_thread_has_one_blas_thread_and_none_leaves_the_limit_behind():
    before, both, done = blas_threads(), Barrier(2), Event()

    def first():
        with one_blas_thread():
            both.wait()
        done.set()

    def second():
        with one_blas_thread():
            both.wait()
            done.wait()  # the thread that set the limit has left by now
            return set(blas_threads().values())

    with ThreadPoolExecutor(2) as pool:
        pool.submit(first)
        assert pool.submit(second).result() == {1}
    assert blas_threads() == before


def test_the_transfer_matrix_is_the_same_to_the_last_bit_for_any_number_of_threads():
    cells = np.random.default_rng(0).uniform(1e-6, 1e-4, (96, 70))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(Crossbar(cells, word_wire=1.0, bit_wire=1.0).transfer)
    np.testing.assert_array_equal(*found)
