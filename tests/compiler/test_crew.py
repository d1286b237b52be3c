"""Whoever does the jobs, and whoever dies meanwhile: the program is the same."""

import os
import signal

import numpy as np
import pytest

import xbar
from xbar.compiler import crew
from xbar.errors import SpecError, ToolError

WEIGHTS = {"fc": np.random.default_rng(0).standard_normal((32, 300))}
HARDWARE = xbar.Hardware(
    bank=xbar.Bank(resistors=5, nominal=20e3),
    tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=1.0, bit_wire=1.0),
)
TILES = 10 * 2


def compiled(chip=None, **options):
    chip = chip or xbar.Chip.sample(HARDWARE, 3)
    return xbar.compile(WEIGHTS, chip, wire_aware=True, **options)


@pytest.fixture(scope="module")
def alone():
    return compiled(workers=1)


def same(program, other):
    for a, b in zip(program.tiles, other.tiles, strict=True):
        np.testing.assert_array_equal(a.packed, b.packed)
        assert (a.reached, a.wire_errors) == (b.reached, b.wire_errors)
        for x, y in zip(a.blocks, b.blocks, strict=True):
            np.testing.assert_array_equal(x.scale, y.scale)
    return True


def test_threads_give_the_same_program(alone):
    assert same(compiled(workers=3), alone)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as started:
        yield started


def test_a_cluster_gives_the_same_program_though_a_worker_is_killed(alone, cluster, monkeypatch):
    monkeypatch.setattr(crew, "BATCH_CELLS", 4 * 32 * 32)  # several batches for each worker
    victims = [worker.pid for worker in cluster.workers.values()][:1]

    def kill(done, total):
        while victims and done >= 4:
            os.kill(victims.pop(), signal.SIGKILL)

    program = compiled(scheduler=cluster.scheduler_address, progress=kill)
    assert not victims
    assert same(program, alone)


def test_a_measured_chip_travels_to_the_cluster_once(cluster, tmp_path):
    chip = xbar.Chip.sample(HARDWARE, 3)
    np.savez(tmp_path / "chip.npz", on=np.stack([chip.on(t) for t in range(TILES)]))
    measured = xbar.Chip.from_measurement(tmp_path / "chip.npz", HARDWARE)
    program = compiled(measured, scheduler=cluster.scheduler_address)
    assert same(program, compiled(measured, workers=2))


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(crew, "PATIENCE", "1s")
    with pytest.raises(ToolError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        compiled(scheduler="tcp://127.0.0.1:9")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers must be at least 1, not 0"),
        ({"workers": 2, "scheduler": "tcp://x:1"}, "must be left out with a scheduler"),
    ],
)
def test_a_crew_that_can_not_be_is_refused(options, message):
    with pytest.raises(SpecError, match=message):
        compiled(**options)
