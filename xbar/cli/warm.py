"""``xbar doctor --warm``: compile the numba kernels in advance, by small jobs of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xbar.hardware.chip import Chip
    from xbar.hardware.spec import Hardware


def warm(progress: Callable[[int, int], None]) -> list[str]:
    """Compile the kernels that are not in the disk cache; returns their names.

    Args:
        progress: callback, called with jobs done and jobs in total.
    """
    from xbar.jit import watch_compilation

    compiled: list[str] = []
    with watch_compilation(compiled.append):
        for done, job in enumerate(JOBS):
            progress(done, len(JOBS))
            job()
        progress(len(JOBS), len(JOBS))
    return compiled


def _subsets() -> None:
    """Banks of each size with a separate method, few problems and many."""
    import numpy as np

    import xbar

    rng = np.random.default_rng(0)
    for resistors in (8, 14, 24, 36):
        bank = rng.uniform(1.0, 2.0, (2, resistors))
        xbar.solve_subset(bank, 4.5)
        xbar.solve_subset(bank[0], 4.5, tolerance=1e-3)
    many = rng.uniform(1.0, 2.0, (512, 8))
    xbar.solve_subset(many, 4.5)
    xbar.solve_subset(many[0], rng.uniform(1.0, 9.0, 512))
    for method in ("exhaustive", "greedy", "differencing", "window", "schroeppel-shamir"):
        xbar.solve_subset(many[:2], 4.5, method=method)


def _variants() -> None:
    """Variants of the subset problem."""
    import numpy as np

    import xbar

    bank = np.random.default_rng(0).uniform(1.0, 2.0, (2, 8))
    xbar.subset.solve_fixed_size(bank, 4.5, 3)
    xbar.subset.solve_smallest(bank, 4.5, 0.1)
    xbar.subset.solve_smallest(bank, 4.5, 0.1, cost=bank)
    xbar.subset.best_subsets(bank[0], 4.5, 3)
    xbar.subset.solve_robust(bank, 4.5, read_noise=0.01)
    xbar.subset.solve_many_targets(bank[0], [2.0, 3.0])
    xbar.subset.solve_vector(np.stack([bank[0], bank[1]], axis=-1), [4.5, 4.5])


def _arrays() -> None:
    """Crossbars with wires: products, node voltages, changed cells, several in lock-step."""
    import numpy as np

    import xbar

    conductance = np.random.default_rng(0).uniform(1e-6, 1e-5, (48, 40))
    crossbars = (
        xbar.Crossbar(conductance, 1.0, 1.0, 5.0, 5.0),
        xbar.Crossbar(conductance, 1.0, 1.0, 5.0, 5.0, drive="both", sense="both"),
    )
    for crossbar in crossbars:
        crossbar.read(np.ones((2, 48)))
        crossbar.solve(np.ones((1, 48)))
        crossbar.update([0], [0], [2e-6]).transfer.sum()
    xbar.Crossbar(np.full((48, 40), 1e-2), 100.0, 100.0).read(np.ones((1, 48)))  # harsh
    xbar.circuit.transfers(conductance[None], word_wire=1.0, bit_wire=1.0)
    xbar.circuit.SourceLines(conductance, 1.0).read(np.ones((1, 48)))


def _training() -> None:
    """What training follows of arrays between their solutions."""
    import numpy as np

    from xbar.training.arrays import shares

    shares(_design(), np.full((1, 32, 32), 1e-5))


def _networks() -> None:
    """A network of more nodes than are solved without compiled kernels."""
    import numpy as np

    import xbar

    count = 50
    network = xbar.ResistorNetwork(np.arange(count), np.arange(1, count + 1), np.ones(count), 3)
    network.sensitivity(0, count)
    network.reduced.sum()


def _programs() -> None:
    """Plain and noisy designs, with and without wires and faults, programmed by every method.

    And a chip of branches with switches, and one that ages.
    """
    import xbar

    switch = xbar.Switch(resistance=2e3, slope=-1.0, sigma=0.01)
    xbar.Chip.sample(xbar.Hardware(bank=xbar.Bank(switch=switch)), 0).on(0)
    table = ((0.0, -(3.0**0.5)), (1.0, 3.0**0.5))
    bank = xbar.Bank(spread="table", quantiles=table)
    xbar.Chip.sample(xbar.Hardware(bank=bank), 0).on(0)

    aged = xbar.Chip.sample(_design(law="pcm"), 0)
    _run(aged, xbar.Options(whole_life=xbar.WholeLife(times=(3600.0, 3e7))))
    _run(aged.at(time="1 y"), xbar.Options())
    for design in (_design(), _design(noise=0.02), _design(faults=0.02)):
        for wire_aware in (False, True):
            for mapping in ("pair", "reference"):
                options = xbar.Options(wire_aware=wire_aware, mapping=mapping)
                _run(xbar.Chip.sample(design, 0), options)


def _converters() -> None:
    """Circuits of ADCs and DACs, and sense amplifiers."""
    import xbar

    for kind in ("sar", "pipeline", "flash"):
        adc = {"bits": 6, "kind": kind, "mismatch": 0.01, "offset": 0.01}
        dac = {"bits": 5, "kind": "binary", "mismatch": 0.01}
        design = _design().model_copy(update={"adc": adc, "dac": dac})
        _run(xbar.Chip.sample(design, 0), xbar.Options())


def _rivals() -> None:
    """Rivals of subsets."""
    import xbar

    for programming in ("nominal", "write-verify", "bit-slice", "residual"):
        _run(xbar.Chip.sample(_design(), 0), xbar.Options(programming=programming))


def _design(noise: float = 0.0, faults: float = 0.0, law: str | None = None) -> Hardware:
    import xbar

    return xbar.Hardware(
        device=None if law is None else xbar.DeviceLaw(law=law),
        bank=xbar.Bank(resistors=8, stuck_open=faults, stuck_closed=faults),
        tile=xbar.Tile(word_lines=32, bit_lines=32, word_wire=1.0, bit_wire=1.0),
        dac=xbar.Converter(bits=6),
        adc=xbar.Converter(bits=8),
        variation=xbar.Variation(read_noise=noise),
    )


def _run(chip: Chip, options: object) -> None:
    """Program a matrix, and read it back in both precisions."""
    import numpy as np

    import xbar

    assert isinstance(options, xbar.Options)
    rng = np.random.default_rng(0)
    program = xbar.compile(rng.standard_normal((20, 40)), chip, options=options)
    inputs = {"matrix": rng.standard_normal((16, 40))}
    xbar.simulate(program, inputs, readout="nodal", calibrate="max")
    xbar.simulate(program, inputs, readout="nodal", precision="float32")


def _sizes() -> None:
    """Sizing of banks."""
    import xbar

    bank = xbar.Bank(resistors=8)
    for figure in ("any target", "per target"):
        xbar.sizing.resistors_for_bits(5, bank, 0.9, figure=figure, samples=64)
    xbar.sizing.theory.simulate_coverage(8, 0.1, 4, seed=0)


JOBS = (
    _subsets, _variants, _arrays, _training, _networks, _programs, _converters, _rivals, _sizes,
)  # fmt: skip
