"""The words of a simulation's report."""

from dataclasses import replace

from xbar.simulation.result import Budget, BudgetPart, LayerResult, Result
from xbar.simulation.tables import accuracy_text, budget_text, result_text

RESULT = Result(
    readout="nodal",
    trials=1,
    seed=0,
    inputs=200,
    accuracy=0.9,
    interval=(0.85, 0.94),
    digital_accuracy=0.95,
    accuracies=(0.9,),
    layers=(LayerResult("fc", 2, 100, 30.0, 4.69, 0.0123),),
)
BUDGET = Budget(0.9, 0.2, 0.95, 1e-8, (BudgetPart("wires", 0.94, 0.91, 0.05, 0.19),))


def test_an_accuracy_stands_beside_its_interval_and_the_digital_one():
    assert accuracy_text(RESULT) == (
        "\naccuracy 90.00 % (95 % interval 85.00 to 94.00 %), digital 95.00 %\n"
    )


def test_numbers_have_their_nouns_in_the_right_number():
    assert result_text(RESULT).startswith("nodal read-out, 1 chip, 200 inputs\n")
    one = replace(RESULT, trials=1200, inputs=1)
    assert result_text(one).startswith("nodal read-out, 1,200 chips, 1 input\n")


def test_a_metric_is_a_number_and_not_a_percentage():
    text = accuracy_text(replace(RESULT, metric="loss", accuracy=3.25, interval=(3.0, 3.5)))
    assert text == "\nloss 3.25 (95 % interval 3 to 3.5), digital 0.95\n"


def test_without_labels_there_is_no_accuracy():
    assert accuracy_text(replace(RESULT, accuracy=None)) == ""


def test_a_column_for_the_dac_stands_only_where_it_clipped():
    assert "DAC clipped" not in result_text(RESULT)
    clipped = replace(RESULT, layers=(replace(RESULT.layers[0], dac_clipped=0.5),))
    assert "DAC clipped" in result_text(clipped)
    assert "50.00 %" in result_text(clipped)


def test_a_budgets_last_line_is_all_parts():
    rows = [line.split() for line in budget_text(BUDGET).splitlines() if line.strip()]
    assert rows[-2] == ["wires", "0.05", "94.00", "%", "0.19", "91.00", "%"]
    assert rows[-1] == ["all", "1e-08", "95.00", "%", "0.2", "90.00", "%"]


def test_a_budget_without_labels_has_no_accuracy():
    part = replace(BUDGET.parts[0], accuracy_without=None, accuracy_alone=None)
    text = budget_text(replace(BUDGET, accuracy=None, accuracy_without_all=None, parts=(part,)))
    rows = [line.split() for line in text.splitlines() if line.strip()]
    assert rows[-2:] == [["wires", "0.05", "0.19"], ["all", "1e-08", "0.2"]]
    assert "accuracy" not in text
