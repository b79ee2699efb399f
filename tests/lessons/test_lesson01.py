"""The numbers that lesson 01 states."""

import math

import pytest
import torch
from torch import Tensor

from curriculum.pair import Case
from curriculum.table import Table
from lessons import lesson01_neuron as lesson
from tests.support.lessons import shown, xs, ys

FILM, TARGET = (0.8, 0.5), 0.77


def on_paper(*parameters: float) -> tuple[float, float]:
    """Guess and loss of the film on paper."""
    stars, year, bias = parameters
    y = FILM[0] * stars + FILM[1] * year + bias
    return y, (y - TARGET) ** 2


# ---------------------------------------------------------------- on paper


@pytest.mark.idea("A2")
def test_the_example_neuron_gives_062() -> None:
    y = lesson.example_neuron().forward(torch.tensor([[0.8, 0.5]]))
    assert y.item() == pytest.approx(0.62)
    assert on_paper(0.9, -0.4, 0.1) == pytest.approx((0.62, 0.0225))


@pytest.mark.idea("A2")
def test_the_nudge() -> None:
    y, loss = on_paper(0.91, -0.4, 0.1)
    assert (y, loss) == pytest.approx((0.628, 0.020164))
    assert loss - 0.0225 == pytest.approx(-0.002336)


@pytest.mark.idea("A2")
def test_the_step_on_paper_is_that_of_the_code() -> None:
    neuron = lesson.example_neuron()
    x = torch.tensor([FILM])
    neuron.backward(2 * (neuron.forward(x) - TARGET))
    assert neuron.grads["weight"][0].tolist() == pytest.approx([-0.24, -0.15])
    assert neuron.grads["bias"].item() == pytest.approx(-0.3)
    for name, grad in neuron.grads.items():
        neuron.params[name] = neuron.params[name] - 0.1 * grad
    assert neuron.params["weight"][0].tolist() == pytest.approx([0.924, -0.385])
    assert neuron.params["bias"].item() == pytest.approx(0.13)
    y = neuron.forward(x).item()
    assert y == pytest.approx(0.6767)
    assert (y - TARGET) ** 2 == pytest.approx(0.0087, abs=5e-5)


@pytest.mark.idea("A2")
def test_a_step_with_rate_1_goes_too_far() -> None:
    y, loss = on_paper(0.9 + 0.24, -0.4 + 0.15, 0.1 + 0.3)
    assert pytest.approx(0.567) == 0.3 * (0.8**2 + 0.5**2 + 1)
    assert y == pytest.approx(1.187)
    assert loss == pytest.approx(0.174, abs=5e-4)


@pytest.mark.idea("D2")
def test_the_rating_on_paper_follows_the_rule() -> None:
    assert sum(weight * x for weight, x in zip(lesson.TASTE, FILM, strict=True)) == pytest.approx(TARGET)


def test_the_tangent_touches_the_loss_where_the_weight_is() -> None:
    curve, tangent, *_ = shown(lesson.nudge_one_weight).axes[0].lines
    weight, loss = xs(curve), ys(curve)
    at = abs(weight - 0.9).argmin()
    assert loss[at] == pytest.approx(0.0225)
    assert (ys(tangent)[1] - ys(tangent)[0]) / (xs(tangent)[1] - xs(tangent)[0]) == pytest.approx(-0.24)
    assert (loss[at + 1] - loss[at - 1]) / 0.02 == pytest.approx(-0.24)


def test_the_drawn_step_has_the_numbers_of_the_paper() -> None:
    before, after = shown(lesson.one_film_one_step).axes
    assert (before.get_title(), after.get_title()) == ("before: loss 0.0225", "after: loss 0.0087")
    drawn = [{text.get_text() for text in axis.texts} for axis in (before, after)]
    assert {"0.9", "−0.4", "0.1", "−0.24", "−0.15", "−0.3", "guess\n0.62"} <= drawn[0]
    assert {"0.924", "−0.385", "0.13", "guess\n0.677"} <= drawn[1]


# ---------------------------------------------------------------- the neuron


@pytest.mark.idea("A1", "D1")
def test_formula_neuron_and_torch_are_the_same() -> None:
    formula, ours, theirs = (row[1:] for row in shown(lesson.one_neuron_three_ways).rows)
    y = 1 / (1 + math.exp(-(0.6 - 0.2 - 0.4 + 0.2)))
    assert formula == pytest.approx([y, *(y * (1 - y) * x for x in (1.0, -2.0, 0.5))])
    assert ours == pytest.approx(formula)
    assert theirs == pytest.approx(formula)


@pytest.mark.idea("A1")
def test_the_sigmoid_and_its_slope() -> None:
    sigmoid = lesson.Sigmoid()
    assert sigmoid.forward(torch.tensor(0.62)).item() == pytest.approx(0.65, abs=5e-3)
    curve, slope, *_ = shown(lesson.sigmoid_curve).axes[0].lines
    assert max(ys(slope)) == pytest.approx(0.25)
    assert xs(slope)[ys(slope).argmax()] == pytest.approx(0, abs=1e-9)
    middle = (ys(curve)[61] - ys(curve)[59]) / (xs(curve)[61] - xs(curve)[59])
    assert middle == pytest.approx(0.25, abs=1e-3)


@pytest.mark.idea("A3")
def test_a_negative_weight_inhibits() -> None:
    excite, inhibit = shown(lesson.negative_weight_inhibits).rows
    assert excite[2] > excite[1] > inhibit[2]
    assert [excite[3], inhibit[3]] == pytest.approx([0.9, -0.4])
    assert 0 < excite[4] < 0.9
    assert -0.4 < inhibit[4] < 0
    assert excite[4] / 0.9 == pytest.approx(inhibit[4] / -0.4)  # the sigmoid's slope


@pytest.mark.idea("D3")
def test_with_zero_weights_only_the_bias_moves_the_output() -> None:
    table: Table = shown(lesson.only_the_bias_is_left)
    assert [row[1] for row in table.rows] == [0.0] * 3
    assert [row[2] for row in table.rows] == pytest.approx([0.7] * 3)


# ---------------------------------------------------------------- taste


@pytest.mark.idea("D2")
def test_the_learned_weights_are_the_taste() -> None:
    neuron = lesson.Neuron(2)
    losses, _ = lesson.train(neuron, *lesson.films())
    assert neuron.params["weight"][0].tolist() == pytest.approx(lesson.TASTE, abs=1e-3)
    assert neuron.params["bias"].item() == pytest.approx(0, abs=1e-3)
    assert losses[-1] < 1e-6 < losses[0]


@pytest.mark.idea("D2")
def test_the_first_step_does_most_and_the_year_overshoots() -> None:
    x, rating = lesson.films()
    losses, seen = lesson.train(lesson.Neuron(2), x, rating)
    assert losses[:2] == pytest.approx([0.341, 0.041], abs=5e-4)
    stars, year, bias = seen[1].tolist()
    assert bias > stars > year > 0
    error = x @ seen[1, :2] + bias - rating[:, 0]
    assert error.mean().abs() < 0.03
    assert error[rating[:, 0] < 0.3].mean() > 0.1
    assert error[rating[:, 0] > 0.7].mean() < -0.1
    assert (seen[:, 1].argmax().item(), seen[:, 1].max().item()) == (2, pytest.approx(0.167, abs=5e-4))
    lowest = int(seen[2:, 1].argmin()) + 2
    assert seen[lowest, 1].item() == pytest.approx(0.08, abs=2e-3)
    assert seen[lowest, 2] > 0.05  # the bias is still too high


FORTY = range(2, 42)  # seeds of other films


def many(lr: float, steps: int, off: float = 0.0, curve: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Forty neurons at once, in float64, apart from the lesson's code.

    Returns x with a column of ones (40, 200, 3), the targets (40, 200, 1), and weights and bias before each
    step and at the end (steps + 1, 40, 3).
    """
    drawn = [lesson.films(seed) for seed in FORTY]
    x = torch.stack([films for films, _ in drawn]).double()
    rating = torch.stack([ratings for _, ratings in drawn]).double()
    generator = torch.Generator().manual_seed(0)
    rating += off * (2 * torch.rand(rating.shape, generator=generator, dtype=torch.float64) - 1)
    target = (rating > 0.5).double() if curve else rating
    x = torch.cat([x, torch.ones_like(rating)], 2)
    w = torch.zeros(40, 3, 1, dtype=torch.float64)
    seen = [w[..., 0]]
    for _ in range(steps):
        y = x @ w
        grad = 2 * (y - target) / 200
        if curve:
            y = torch.sigmoid(y)
            grad = 2 * (y - target) / 200 * y * (1 - y)
        w = w - lr * x.mT @ grad
        seen.append(w[..., 0])
    return x, target, torch.stack(seen)


RULE = torch.tensor([*lesson.TASTE, 0.0], dtype=torch.float64)


@pytest.mark.idea("D2")
@pytest.mark.parametrize("lr", [0.1, 0.3, 0.5])
def test_with_other_films_and_rates_the_year_rises_falls_and_comes_back(lr: float) -> None:
    seen = many(lr, 500)[2]
    assert (seen[-1] - RULE).abs().max() < 5e-3
    year = seen[..., 1]
    highest = year[:20].argmax(0)
    for film, top in enumerate(highest.tolist()):
        assert year[top, film] > 0.12
        assert year[top:, film].min() < 0.0985


def test_forty_neurons_apart_from_the_lessons_code_are_the_lessons() -> None:
    with Case().defaults():
        _, seen = lesson.train(lesson.Neuron(2), *lesson.films(2), steps=20)
    assert (seen - many(0.3, 19)[2][:, 0]).abs().max() < 1e-6  # these films were cut to float32


@pytest.mark.idea("D2")
def test_with_a_rate_of_07_the_loss_grows_beyond_all_bounds() -> None:
    x, target, seen = many(0.7, 500)
    assert ((x @ seen[-1][..., None] - target) ** 2).mean((1, 2)).min() > 1e6


@pytest.mark.idea("D2")
def test_ratings_that_are_a_little_off_give_weights_that_are_a_little_off() -> None:
    found = many(0.3, 500, off=0.1)[2][-1]
    largest = (found - RULE)[:, :2].abs().amax(1)
    assert 1e-3 < largest.min() < largest.max() < 0.05


@pytest.mark.idea("D2")
def test_the_figure_shows_what_was_learned() -> None:
    left, right = shown(lesson.taste_is_learned).axes
    assert ys(left.lines[0])[0] == pytest.approx(0.341, abs=5e-4)
    assert [ys(line)[-1] for line in right.lines[:3]] == pytest.approx([*lesson.TASTE, 0.0], abs=1e-3)


# ---------------------------------------------------------------- one line


@pytest.mark.parametrize("lr", [1, 3, 10])
def test_a_sigmoid_neuron_draws_the_line_between_liked_and_not(lr: float) -> None:
    x, target, seen = many(lr, 500, curve=True)
    yes = x @ seen[-1][..., None] > 0
    right = (yes == (target > 0.5)).sum((1, 2))
    assert 192 <= right.min() <= right.max() <= 200
    assert right.double().mean() > 196


def test_the_line_is_where_the_sum_is_0() -> None:
    x, rating = lesson.films()
    neuron = lesson.Neuron(2, lesson.Sigmoid())
    lesson.train(neuron, x, (rating > 0.5).to(x.dtype), lr=3.0)
    z = x @ neuron.params["weight"].T + neuron.params["bias"]
    assert torch.equal(neuron.forward(x) > 0.5, z > 0)


def test_the_drawn_line_gets_better() -> None:
    early, late = (int(axis.get_title().split()[3]) for axis in shown(lesson.decision_line).axes)
    assert 120 < early < late <= 200


# ---------------------------------------------------------------- the bug, and the words


def test_a_batch_of_one_hides_a_mean_in_place_of_a_sum() -> None:
    rows = shown(lesson.one_example_hides_it).rows
    assert {row[1] for row in rows} == {"equal"}
    assert [row[0] for row in rows if row[2] != "equal"] == ["grad_bias"]


@pytest.mark.idea("C1")
def test_the_glossary_names_neuron_to_backpropagation() -> None:
    """That each entry leads to a class that exists is checked in test_structure.py."""
    terms = [row[0] for row in shown(lesson.glossary).rows]
    assert terms[0] == "neuron"
    assert {"weight", "bias", "loss", "gradient", "learning rate", "backpropagation"} < set(terms)
    assert {"batch", "hidden neuron", "logit", "parameter", "epoch", "MLP"} < set(terms)
