"""The numbers that lesson 01 states."""

import math

import pytest
import torch

from curriculum.table import Table
from lessons import lesson01_neuron as lesson
from tests.support.lessons import shown


@pytest.mark.idea("A1", "D1")
def test_formula_neuron_and_torch_are_the_same() -> None:
    (_, formula, *_), ours, theirs = shown(lesson.one_neuron_three_ways).rows
    assert formula == pytest.approx(1 / (1 + math.exp(-(0.6 - 0.2 - 0.4 + 0.2))))
    assert ours[1:] == pytest.approx(theirs[1:])
    assert ours[1] == pytest.approx(formula)
    slope = formula * (1 - formula)
    assert ours[2:] == pytest.approx([slope * x for x in (1.0, -2.0, 0.5)])


@pytest.mark.idea("A2")
def test_the_example_neuron_gives_062() -> None:
    y = lesson.example_neuron().forward(torch.tensor([[0.8, 0.5]]))
    assert y.item() == pytest.approx(0.62)


@pytest.mark.idea("A3")
def test_a_negative_weight_inhibits() -> None:
    excite, inhibit = shown(lesson.negative_weight_inhibits).rows
    assert excite[2] > excite[1] > inhibit[2]
    assert [excite[3], inhibit[3]] == pytest.approx([0.9, -0.4])


@pytest.mark.idea("D2")
def test_the_learned_weights_are_the_taste() -> None:
    neuron = lesson.Neuron(2)
    losses, _ = lesson.learn_taste(neuron)
    assert neuron.params["weight"][0].tolist() == pytest.approx(lesson.TASTE, abs=1e-3)
    assert losses[-1] < 1e-6 < losses[0]


@pytest.mark.idea("D3")
def test_with_zero_weights_only_the_bias_moves_the_output() -> None:
    table: Table = shown(lesson.only_the_bias_is_left)
    assert [row[1] for row in table.rows] == [0.0] * 3
    assert [row[2] for row in table.rows] == pytest.approx([0.7] * 3)


@pytest.mark.idea("C1")
def test_the_glossary_names_neuron_to_backpropagation() -> None:
    """That each entry leads to a class that exists is checked in test_structure.py."""
    terms = [row[0] for row in shown(lesson.glossary).rows]
    assert terms[0] == "neuron"
    assert {"weight", "bias", "loss", "gradient", "learning rate", "backpropagation"} < set(terms)
