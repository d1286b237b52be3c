import numpy as np
import pytest
from scipy import stats

from xbar.errors import SpecError
from xbar.simulation.accuracy import check_labels, class_numbers, correct
from xbar.statistics import mean_interval, wilson_interval


def test_outputs_that_are_no_numbers_have_no_accuracy():
    outputs = np.array([[0.1, 0.9], [np.nan, 0.3], [0.2, 0.4]])
    with pytest.raises(SpecError, match="not nan as in 1 of 3 outputs"):
        correct(outputs, np.array([1, 0, 1]))
    with pytest.raises(SpecError, match="not nan as in 1 of 3 outputs"):
        correct(outputs[:, :1], np.array([0, 0, 0]), 0.5)
    outputs[1, 0] = -np.inf  # a class that is ruled out is a number
    assert correct(outputs, np.array([1, 1, 1])) == 3


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
        ([0, 1, -1], r"class numbers from 0, not int64 such as \[-1\]"),
        ([0, 1, 0.5], r"class numbers from 0, .* \[0\.5\]"),
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


def test_one_hot_rows_and_columns_are_class_numbers():
    numbers = np.array([2, 0, 1, 2])
    for labels in (np.eye(3)[numbers], np.eye(3, dtype=bool)[numbers], numbers[:, None] * 1.0):
        found, notes = class_numbers(labels, 4)
        np.testing.assert_array_equal(found, numbers)
        assert found.dtype == np.int64
        assert len(notes) == 1
    assert class_numbers(numbers, 4)[1] == ()


@pytest.mark.parametrize(
    "labels", [[[1, 1], [0, 1]], [[0, 0], [0, 1]], [[0.9, 0.1], [0, 1]], [[0, 2], [1, 0]]]
)
def test_rows_that_are_not_one_hot_are_refused(labels):
    with pytest.raises(SpecError, match="be one-hot, rows of zeros and a one"):
        class_numbers(labels, 2)


def test_one_output_is_held_to_its_threshold():
    outputs = np.array([[0.4], [0.6], [0.5], [0.9]])
    labels = np.array([0, 1, 0, 0])
    assert correct(outputs, labels, 0.5) == 3
    assert correct(outputs[:, 0], labels, 0.5) == 3
    assert correct(outputs, labels, 0.0) == 1
    with pytest.raises(SpecError, match="accuracy of one output needs"):
        correct(outputs, labels)
    with pytest.raises(SpecError, match="labels must be 0 or 1, the classes of one output, not 2"):
        correct(outputs, labels * 2, 0.5)


def test_labels_that_count_from_1_are_asked_about():
    with pytest.raises(SpecError, match=r"labels must be under 3.*not 3; do they count from 1"):
        correct(np.zeros((3, 3)), np.array([1, 2, 3]))


def test_scores_of_single_pixels_are_scores():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2]]).reshape(2, 2, 1, 1)
    assert correct(outputs, np.array([1, 1])) == 1
