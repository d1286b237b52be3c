"""What reaches CUDA's driver, through its bindings: a driver of the test's own prints it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("cuda.bindings")

START = """
    from pathlib import Path
    import numpy as np
    from xbar.device import DeviceMemoryError, Source, nvidia, nvrtc
    from xbar.errors import EngineError, ToolError
    nvrtc.binary = lambda source, capability: b"%d%d" % capability
    source = Source(Path("xbar/hardware/cuda/draw.cu"))
    try:
        card = nvidia.NvidiaCard()
    except ToolError as error:
        print("no card:", error)
        raise SystemExit
"""
LAUNCH = "np.int32(-7), np.float64(0.5), np.uint64(2**64 - 1)"


@pytest.fixture(scope="session")
def folder(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("driver")
    text = Path(__file__).parent / "driver.cpp"
    command = [compiler, "-shared", "-fPIC", str(text), "-ldl", "-o", str(made / "libcuda.so.1")]
    subprocess.run([*command, "-Wl,-soname,libcuda.so.1"], check=True)
    return made


def said(folder: Path, code: str, **environment: str) -> list[str]:
    """Lines of a process with that driver."""
    variables = {**os.environ, "LD_LIBRARY_PATH": str(folder), **environment}
    whole = textwrap.dedent(START) + textwrap.dedent(code)
    command = [sys.executable, "-W", "error", "-c", whole]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, env=variables, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_card_is_described(folder: Path) -> None:
    code = "print(card, card.capability, card.processors, card.shared, card.free())"
    assert said(folder, code) == ["NvidiaCard(Paper) (9, 0) 3 100000 1048576"]


def test_a_launch_has_its_grid_its_threads_and_its_arguments(folder: Path) -> None:
    code = f"""
        with card.memory() as memory:
            x = memory.holding(np.array([1.0, 2.5]))
            kernel = card.kernel(source, "one", 64)
            kernel.launch((5, 6), 96, x, {LAUNCH})
        card.wait()
    """
    assert said(folder, code) == [
        "launch 90.one 5 6 1 96 1 1 64 1 | 2.5 -7 0.5 18446744073709551615"
    ]


def test_a_kernels_limit_of_shared_memory_is_raised_and_never_lowered(folder: Path) -> None:
    code = """
        for shared in (49152, 49153, 80000, 60000, 80000, 90000):
            card.kernel(source, "one", shared)
        card.kernel(source, "two", 50000)
        try:
            card.kernel(source, "one", 100001)
        except EngineError as error:
            print(error)
    """
    limits = [f"limit 90.one 8 {shared}" for shared in (49153, 80000, 90000)]
    refused = "a block of one takes 100001 bytes of shared memory and the Paper has 100000"
    assert said(folder, code) == [*limits, "limit 90.two 8 50000", refused]


def test_memory_is_copied_given_back_and_refused(folder: Path) -> None:
    code = """
        with card.memory() as memory:
            x = memory.holding(np.arange(6.0).reshape(2, 3)[:, ::2])
            card.read(x, found := np.empty((2, 2)))
            print(found.tolist(), card.free())
            try:
                memory.empty(1 << 20, np.uint8)
            except DeviceMemoryError as error:
                print(error)
        print(card.free())
    """
    assert said(folder, code) == [
        "[[0.0, 2.0], [3.0, 5.0]] 1048064",
        "the card has too little free memory",
        "1048576",
    ]


def test_memory_is_used_again_where_it_fits_and_given_back_where_it_is_short(
    folder: Path,
) -> None:
    code = """
        for size in (600_000, 590_000, 100_000, 1_000_000):
            with card.memory() as memory:
                x = memory.empty(size, np.uint8)
                if size > 500_000:
                    memory.holding(np.arange(2.0))
                print(x.size, card.free())
            print(card.free(), len(card._rooms))
    """
    assert said(folder, code) == [
        "600000 448000",
        "1048576 2",
        "590000 448000",  # the first one's room
        "1048576 2",
        "100000 948224",
        "1048576 3",
        "1000000 47616",
        "1048576 2",
    ]


def test_large_arrays_are_copied_in_pieces_that_are_not_touched_before_they_arrive(
    folder: Path,
) -> None:
    code = """
        nvidia.PIECE, nvidia._THREADS_PIECE = 1000, 96
        for count in (249, 250, 251, 375, 1000, 1111):
            with card.memory() as memory:
                given = np.arange(float(count)).reshape(1, -1)
                card.read(memory.holding(given), found := np.zeros((1, count)))
                print(np.array_equal(found, given))
    """
    lines = said(folder, code)
    assert lines == ["True", "pinned 1000 0", "pinned 1000 0", *["True"] * 5]


def test_errors_of_the_driver_are_named(folder: Path) -> None:
    code = """
        for run in (card.wait, lambda: card.kernel(source, "missing")):
            try:
                run()
            except EngineError as error:
                print(error)
    """
    assert said(folder, code, DRIVER_FAULT="700") == [
        "the card's driver reports CUDA_ERROR_ILLEGAL_ADDRESS from cuCtxSynchronize",
        "the card's driver reports CUDA_ERROR_NOT_FOUND from cuModuleGetFunction",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("DRIVER_INIT", "100", "the driver finds no card (CUDA_ERROR_NO_DEVICE)"),
        ("DRIVER_VERSION", "12080", "the driver runs CUDA 12.8 and NVRTC is 1"),
        ("DRIVER_CAPABILITY", "7", "the Paper has capability (7, 0), less than (7, 5)"),
    ],
)
def test_what_is_too_old_or_missing_is_no_card(
    folder: Path, variable: str, value: str, why: str
) -> None:
    (line,) = said(folder, "", **{variable: value})
    assert line.startswith(f"no card: {why}")
