"""A user's own figure in place of accuracy."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.simulation.dataset import read_dataset

HARDWARE = xbar.Hardware(bank=xbar.Bank(resistors=3), tile=xbar.Tile(word_lines=32, bit_lines=32))


@pytest.fixture(scope="module")
def data(trained):
    return read_dataset(trained.data)


@pytest.fixture(scope="module")
def program(trained):
    return xbar.compile(xbar.read_model(trained.path), HARDWARE, seed=2)


def spread(outputs, labels):
    """The mean square of the outputs beside their labels, some of which are vectors."""
    return np.mean((outputs - labels) ** 2)


def test_a_metric_sees_all_outputs_and_labels_of_any_shape(program, data):
    labels = np.random.default_rng(0).normal(size=(120, 10))
    result = xbar.simulate(program, data.inputs, labels, metric=spread)
    assert result.metric == "spread"
    assert result.accuracy == pytest.approx(((program.run(data.inputs) - labels) ** 2).mean())
    digital = program.graph.run(data.inputs)
    assert result.digital_accuracy == pytest.approx(((digital - labels) ** 2).mean())
    assert result.interval is None
    assert result.digital_interval is None


def test_a_metrics_interval_may_leave_zero_to_one(program, data):
    labels = np.full((120, 10), 50.0)
    result = xbar.simulate(program, data.inputs, labels, metric=spread, trials=2)
    low, high = result.interval
    assert 1 < low < result.accuracy < high


def test_a_metric_may_do_without_labels(program, data):
    result = xbar.simulate(program, data.inputs, metric=lambda y, labels: y.size, budget=True)
    assert result.accuracy == result.budget.accuracy == 1200


def test_a_metric_is_imported_from_the_current_folder(program, data, tmp_path, monkeypatch):
    (tmp_path / "my_own_metric.py").write_text(
        "class score:\n    @staticmethod\n    def top(y, labels):\n"
        "        return (y.argmax(1) == labels).mean()\n"
    )
    monkeypatch.chdir(tmp_path)
    result = xbar.simulate(program, data.inputs, data.labels, metric="my_own_metric:score.top")
    assert result.metric == "my_own_metric:score.top"
    assert result.accuracy == xbar.simulate(program, data.inputs, data.labels).accuracy


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("score", "metric must be perplexity, .* or module:callable, not 'score'"),
        ("no.such_module:x", "can't be imported: ModuleNotFoundError"),
        ("math:no_such", "can't be imported: AttributeError"),
        ("math:pi", "must be a function, not a float"),
        (lambda y, labels: 1 / 0, "it failed for outputs .*ZeroDivisionError"),
        (lambda y, labels: "much", "it failed for outputs"),
        (lambda y, labels: float("nan"), "must give a finite number, not nan"),
    ],
)
def test_what_a_metric_may_do_wrong_is_one_line(program, data, metric, message):
    with pytest.raises(SpecError, match=message) as caught:
        xbar.simulate(program, data.inputs, data.labels, metric=metric)
    assert "\n" not in str(caught.value)


def test_labels_of_a_metric_are_one_an_input(program, data):
    with pytest.raises(SpecError, match=r"labels must have 120 entries.*\(3, 2\)"):
        xbar.simulate(program, data.inputs, np.zeros((3, 2)), metric=spread)


def test_bare_matrices_have_no_metric():
    program = xbar.compile({"fc": np.eye(3)}, HARDWARE, seed=0)
    with pytest.raises(SpecError, match="labels and metric need a network"):
        xbar.simulate(program, {"fc": np.eye(3)}, metric=spread)
