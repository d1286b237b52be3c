"""Published chips: each figure within the factor that the docs state, and most of them closer."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def published(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import cost_published

    return cost_published


def test_every_published_figure_is_within_its_stated_factor(published):
    rows = published.compare()
    assert {row.chip for row in rows} == {"ISAAC", "HERMES", "IBM 64 cores", "NeuRRAM", "NeuroSim"}
    outside = [row for row in rows if not 1 / row.factor < row.found / row.published < row.factor]
    assert outside == []


def test_isaacs_own_adcs_give_isaacs_power_and_efficiency(published):
    """Its chip with its table's ADC, not the survey's: 2 mW and 1200 um² at 1.28 GS/s."""
    table = published.ISAAC.cost.model_copy(
        update={"adc_step_energy": 2e-3 * 100e-9 / 128 / 2**8, "adc_area": 1200e-12}
    )
    design = published.ISAAC.model_copy(update={"cost": table})
    cell = published.ISAAC_ARRAY_WATTS * 16 * 100e-9 / 128**2
    found = published.peak(design, 128, published.ISAAC_ARRAYS, cell, slices=8)
    # Table I: 168 tiles take 55.4 W, Table IV: 627.5 GOPS/W with 10.4 W of links
    assert found.power == pytest.approx(55.4, rel=0.08)
    assert found.tops / (found.power + 10.4) == pytest.approx(0.6275, rel=0.08)
    # 62.5 mm², of which the cells are 0.0002 mm² in 8 arrays, where xbar's have a transistor each
    area = 1e6 * (sum(found.area.values()) - found.area["devices"]) + 168 * 12 * 0.0002
    assert area == pytest.approx(62.5, rel=0.1)


def test_the_survey_at_neurrams_node_takes_what_its_neurons_take(published):
    (row,) = [row for row in published.neurram() if row.figure == "ADCs, fJ/operation"]
    assert row.found == pytest.approx(row.published, rel=0.1)
