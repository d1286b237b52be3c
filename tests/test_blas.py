"""Products and solutions leave the BLAS threads as they were, and do not depend on them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from xbar import blas
from xbar.blas import multiply, one_blas_thread
from xbar.circuit.crossbar import Crossbar


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


def products(left, right):
    """Bytes of a product with one, two and three threads of the BLAS."""
    found = set()
    for threads in (1, 2, 3):
        with threadpool_limits(threads, user_api="blas"):
            found.add(multiply(left, right).tobytes())
    return found


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize(
    "shape",
    # a group's vectors, inputs and outputs; the first three differ in OpenBLAS between 1 and 2
    # threads; the others are cut: columns, rows, columns of few, groups, and too narrow to be cut
    [
        (1, 64, 128, 84), (1, 256, 300, 84), (1, 1, 768, 1000), (1, 70, 800, 3000),
        (1, 600, 800, 300), (1, 300, 600, 801), (40, 66, 203, 254), (1, 60, 30000, 80),
    ],
)  # fmt: skip
def test_a_product_has_the_same_bytes_for_any_number_of_threads_and_is_right(shape, kind):
    groups, rows, inputs, columns = shape
    rng = np.random.default_rng(0)
    left = rng.standard_normal((groups, rows, inputs)).astype(kind)
    right = rng.standard_normal((groups, columns, inputs)).astype(kind).transpose(0, 2, 1)
    assert len(products(left, right)) == 1
    assert multiply(left, right).dtype == kind
    np.testing.assert_allclose(
        multiply(left, right),
        np.einsum("gnr,grc->gnc", left.astype(float), right.astype(float)),
        rtol=0,
        atol=8 * inputs**0.5 * np.finfo(kind).eps * np.abs(left).max() * np.abs(right).max(),
    )
    if groups == 1:
        assert len(products(left[0], right[0])) == 1
        np.testing.assert_array_equal(multiply(left[0], right[0]), multiply(left, right)[0])


def test_a_product_spreads_over_no_more_threads_than_the_blas_may_use(monkeypatch):
    asked = []
    monkeypatch.setattr(blas, "in_threads", lambda work, pieces, threads: asked.append(threads))
    monkeypatch.setattr(blas, "cpus", lambda: 3)
    large = np.ones((1024, 1024))
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            multiply(large, large)
            with one_blas_thread():
                multiply(large, large)
    assert asked == [1, 1, 2, 2]
