import numpy as np
import pytest
from scipy import stats

from xbar.errors import SpecError
from xbar.simulation.accuracy import check_labels, correct
from xbar.statistics import mean_interval, wilson_interval


@pytest.mark.parametrize(("right", "count"), [(0, 10), (7, 10), (10, 10), (981, 1000)])
def test_the_share_interval_is_scipys_wilson_interval(right, count):
    reference = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson_interval(right, count), reference, atol=1e-12)


def test_the_mean_interval_is_scipys_student_interval():
    values = [0.91, 0.93, 0.925, 0.9]
    reference = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    np.testing.assert_allclose(mean_interval(values), reference, rtol=1e-12)


def test_right_answers_are_counted():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert correct(outputs, np.array([1, 0, 0])) == 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"shape \(3,\), one an input, not \(2,\)"),
        ([0, 1, -1], "class numbers from 0"),
        ([0, 1, 0.5], "class numbers from 0"),
        ([0, 1, np.nan], "class numbers from 0"),
        ([0, 1, np.inf], "class numbers from 0"),
        (np.array([0, 1, 2**64 - 1], dtype=np.uint64), "class numbers from 0"),
        (["a", "b", "c"], "class numbers from 0"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(SpecError, match=message):
        check_labels(labels, 3)


def test_labels_without_a_class_are_refused():
    with pytest.raises(SpecError, match=r"labels must be under 2.*not 5"):
        correct(np.zeros((1, 2)), np.array([5]))


def test_outputs_that_are_no_scores_are_refused():
    with pytest.raises(SpecError, match=r"outputs of shape \(N, classes\), but .*\(4, 2, 3\)"):
        correct(np.zeros((4, 2, 3)), np.zeros(4, dtype=np.int64))
