"""The numbers that lesson 03 states."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from curriculum.pair import Case
from curriculum.table import Table
from lessons import lesson03_activations as lesson
from lessons.lesson02_circuits import Step
from tests.support.lessons import shown, xs, ys


def column(table: Table, name: str) -> list[Any]:
    return [row[table.columns.index(name)] for row in table.rows]


def curve(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output and slope of our activation."""
    layer = lesson.SIDES[name][0]()
    return layer.forward(x), layer.backward(torch.ones_like(x))


@pytest.mark.idea("A7")
def test_sigmoid_squashes_the_raw_sums() -> None:
    table = shown(lesson.raw_sums_squashed)
    assert column(table, "sum") == pytest.approx([3.4, 11, -2])
    assert [round(y, 4) for y in column(table, "Sigmoid")] == [0.9677, 1.0, 0.1192]
    assert round(column(table, "Sigmoid")[1], 5) == 0.99998
    assert column(table, "1 − Sigmoid")[1] == pytest.approx(1.67e-5, rel=1e-2)
    assert column(table, "Step") == [1, 1, 0]


@pytest.mark.idea("C2")
def test_step_and_sigmoid_stay_in_0_to_1_and_the_others_do_not() -> None:
    table = shown(lesson.raw_sums_squashed)
    inside = {
        name: all(0 <= y <= 1 for y in column(table, name)) for name in ("Step", *list(lesson.SIDES)[:-1])
    }
    assert [name for name, yes in inside.items() if yes] == ["Step", "Sigmoid"]
    assert max(column(table, "ReLU")) == 11


@pytest.mark.idea("C2")
def test_step_sigmoid_and_relu_stand_side_by_side() -> None:
    figure = shown(lesson.curves_and_slopes)
    drawn = [{line.get_label(): line for line in axis.lines} for axis in figure.axes]
    for axis, name in zip(drawn[:3], ("Step", "Sigmoid", "ReLU"), strict=True):
        x, y = xs(axis[name]), ys(axis[name])
        assert max(y[x < -3.95]) < 0.02 < 0.98 < min(y[x > 3.95])
    assert set(ys(drawn[3]["Step"])) == {0.0}


@pytest.mark.idea("C2")
def test_where_a_curve_jumps_nothing_is_drawn_but_the_value_that_is_taken() -> None:
    axes = shown(lesson.curves_and_slopes).axes
    for axis, name in ((axes[0], "Step"), (axes[5], "ReLU")):
        (curve,) = (line for line in axis.lines if line.get_label() == name)
        assert np.isnan(ys(curve)).sum() == 1
        assert xs(curve)[np.isnan(ys(curve))] == 0
        (dot,) = (line for line in axis.lines if line.get_marker() == "o")
        assert (xs(dot)[0], ys(dot)[0]) == (0, 0)
    smooth = [line for axis in axes for line in axis.lines if line.get_label() in ("Sigmoid", "SiLU", "Tanh")]
    assert len(smooth) == 6
    assert not any(np.isnan(ys(line)).any() for line in smooth)


@pytest.mark.idea("C2")
def test_the_drawn_slopes_are_not_flattened() -> None:
    low, high = shown(lesson.curves_and_slopes).axes[4].get_ylim()
    assert high - low < 2


@pytest.mark.idea("C2")
def test_the_slope_of_the_sigmoid_is_a_quarter_at_most() -> None:
    _, slope = curve("Sigmoid", torch.linspace(-9, 9, 1801, dtype=torch.float64))
    assert slope.max().item() == pytest.approx(0.25, abs=1e-12)
    assert 0.25**10 < 1e-6
    assert curve("ReLU", torch.tensor([0.1, 5.0]))[1].tolist() == [1, 1]


@pytest.mark.idea("D4")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", lesson.SIDES)
def test_at_the_edges_value_and_slope_are_torchs(name: str, dtype: torch.dtype) -> None:
    """Without the harness: each output's own gradient, so that nothing cancels."""
    ours, theirs = (make() for make in lesson.SIDES[name])
    case = Case(dtype=dtype)
    with case.defaults():
        x = lesson.edges(case, "x")
    values = x.clone().requires_grad_()
    reference = theirs(values)
    output = ours.forward(x)
    torch.testing.assert_close(output, reference.detach())
    for index in range(x.shape[1]):
        upstream = torch.zeros_like(x)
        upstream[:, index] = -1.7
        (expected,) = torch.autograd.grad(reference, values, upstream, retain_graph=True)
        torch.testing.assert_close(ours.backward(upstream), expected)


@pytest.mark.idea("D4")
def test_the_edges_hold_both_zeros_ties_and_large_numbers() -> None:
    x = lesson.edges(Case(), "x")
    zeros = x[x == 0]
    assert zeros.signbit().any()
    assert not zeros.signbit().all()
    assert {1e3, -1e3, 1e4, -1e4} <= set(x.flatten().tolist())
    largest_twice = (x == x.amax(-1, keepdim=True)).sum(-1) > 1
    assert largest_twice.any()


@pytest.mark.idea("D4")
def test_the_slope_at_the_kink_is_exactly_zero() -> None:
    _, slope = curve("ReLU", torch.tensor([-1e-30, -0.0, 0.0, 1e-30]))
    assert slope.tolist() == [0, 0, 0, 1]


@pytest.mark.idea("D4")
def test_every_activation_is_compared_twice() -> None:
    table = shown(lesson.they_agree)
    names = column(table, "pair")
    twice = [f"{name.lower()}{where}" for name in lesson.SIDES for where in ("", " at the edges")]
    assert names == [*twice, "bent line", "collapsed stack"]
    assert max(column(table, "largest difference")) < 1e-12


@pytest.mark.idea("D6")
def test_the_collapsed_matrix_is_the_stack() -> None:
    for _, inside, in_the_one, gap, gap_with_relu in shown(lesson.a_linear_stack_is_one_layer).rows:
        assert inside > in_the_one
        assert gap < 1e-5
        assert gap_with_relu > 1


@pytest.mark.idea("D6")
def test_collapse_with_unequal_widths() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = (3, 7, 2, 5)
    layers = [
        (
            torch.randn(n_out, n_in, generator=generator, dtype=torch.float64),
            torch.randn(n_out, generator=generator, dtype=torch.float64),
        )
        for n_in, n_out in pairwise(sizes)
    ]
    x = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    weight, bias = lesson.collapse(layers)
    assert (weight.shape, bias.shape) == ((5, 3), (5,))
    torch.testing.assert_close(x @ weight.T + bias, lesson.run_stack(x, layers))


@pytest.mark.idea("D6")
def test_xor_needs_the_relu() -> None:
    table = shown(lesson.xor_needs_a_bend)
    assert column(table, "inputs") == ["0, 0", "0, 1", "1, 0", "1, 1", "MSE"]
    assert column(table, "wanted")[:4] == [0, 1, 1, 0]
    assert column(table, "best linear") == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.25], abs=1e-6)
    assert column(table, "two neurons, no ReLU")[:4] == [0, 0, 0, 0]
    assert column(table, "two neurons, ReLU") == [0, 1, 1, 0, 0]


@pytest.mark.idea("E1")
def test_the_two_gelus_are_half_a_thousandth_apart() -> None:
    x = torch.linspace(-6, 6, 120_001, dtype=torch.float64)
    exact, close = curve("GELU", x)[0], curve("GELU tanh", x)[0]
    assert (exact - close).abs().max().item() == pytest.approx(0.000473, abs=1e-6)
    (drawn,) = shown(lesson.two_gelus).axes
    assert abs(ys(drawn.lines[0])).max() == pytest.approx(0.000473, abs=2e-6)


@pytest.mark.idea("E1")
@pytest.mark.parametrize(("name", "lowest"), [("SiLU", -0.2785), ("GELU", -0.17)])
def test_silu_and_gelu_dip_below_zero(name: str, lowest: float) -> None:
    y, _ = curve(name, torch.linspace(-6, 6, 12_001, dtype=torch.float64))
    assert y.min().item() == pytest.approx(lowest, abs=1e-3)


# ---------------------------------------------------------------- lines and bends


@pytest.mark.idea("D6")
def test_on_paper_two_lines_are_one_and_three_are_flat() -> None:
    x = torch.tensor([[-1.0], [0.0], [2.5]])
    two = [
        (torch.tensor([[2.0]]), torch.tensor([1.0])),
        (torch.tensor([[3.0]]), torch.tensor([-4.0])),
    ]
    torch.testing.assert_close(lesson.run_stack(x, two), 6 * x - 1)
    assert lesson.run_stack(x, lesson.hat()).abs().max() == 0
    flat, bent = (axis.lines[3] for axis in shown(lesson.three_lines_and_three_bends).axes)
    assert max(abs(ys(flat))) < 1e-6
    assert max(ys(bent)) == pytest.approx(1)


@pytest.mark.idea("D6")
def test_the_hat_on_paper() -> None:
    x = torch.tensor([[-5.0], [0.0], [1.0], [1.5], [2.0], [3.0], [99.0]])
    y = lesson.run_stack(x, lesson.hat(), lesson.ReLU())
    assert y[:, 0].tolist() == [0, 0, 1, 0.5, 0, 0, 0]


def test_a_bent_line_goes_through_its_points() -> None:
    places = torch.tensor([-2.0, -1.5, 0.0, 0.25, 4.0], dtype=torch.float64)
    heights = torch.tensor([3.0, -1.0, -1.0, 7.0, 0.5], dtype=torch.float64)
    layers = [(w.double(), b.double()) for w, b in lesson.bends_through(places, heights)]
    assert len(layers[0][0]) == 4
    torch.testing.assert_close(lesson.run_stack(places[:, None], layers, lesson.ReLU())[:, 0], heights)
    between = (places[:-1] + places[1:]) / 2
    middle = (heights[:-1] + heights[1:]) / 2
    torch.testing.assert_close(lesson.run_stack(between[:, None], layers, lesson.ReLU())[:, 0], middle)


def test_twice_as_many_bends_leave_a_quarter_of_the_gap() -> None:
    bends = {n: lesson.largest_gap(lesson.bent(n), lesson.ReLU()) for n in (16, 32, 64, 128, 256)}
    steps = {n: lesson.largest_gap(lesson.stairs(n), Step()) for n in (16, 32, 64, 128, 256)}
    for n in (16, 32, 64, 128):
        assert bends[2 * n] / bends[n] == pytest.approx(0.25, abs=0.01)
        assert steps[2 * n] / steps[n] == pytest.approx(0.51, abs=0.03)
    assert [bends[16], bends[256]] == pytest.approx([0.08, 0.0003], rel=0.05)
    assert [steps[16], steps[256]] == pytest.approx([0.39, 0.027], rel=0.02)
    titles = [axis.get_title() for axis in shown(lesson.bends_add_up_to_any_curve).axes]
    assert titles[1:3] == ["16 ReLUs: largest gap 0.08", "16 steps: largest gap 0.39"]


@pytest.mark.slow
def test_learning_does_not_find_the_bends_that_were_built() -> None:
    assert lesson.typical_gap(lesson.built_bends()) == pytest.approx(0.036, abs=5e-4)
    for lr in (0.03, 0.1, 0.2):
        for seed in range(3):
            assert 0.125 < lesson.typical_gap(lesson.learn_bends(seed, lr)) < 0.215
    for axis in shown(lesson.built_and_learned).axes[1:]:
        assert float(axis.get_title().split()[-1]) > 3 * 0.036


@pytest.mark.slow
def test_more_neurons_help_and_better_steps_too_and_neither_is_enough() -> None:
    for seed in range(2):
        assert 0.085 < lesson.typical_gap(lesson.learn_bends(seed, count=64)) < 0.145
    x, target = lesson.points_to_learn()
    for seed in (0, 3):
        (w, b), (v, c) = lesson.learn_bends(seed, steps=0)
        params = [p.clone().requires_grad_() for p in (w, b, v, c)]
        optimizer = torch.optim.Adam(params, 0.01)
        for _ in range(2000):
            h = torch.relu(x @ params[0].T + params[1])
            loss = ((h @ params[2].T + params[3])[:, 0] - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert 0.075 < math.sqrt(loss.item()) < 0.195


def test_gradients_of_the_bends_are_autograds() -> None:
    before, after = lesson.learn_bends(0, steps=0), lesson.learn_bends(0, lr=0.1, steps=1)
    params = [p.clone().requires_grad_() for layer in before for p in layer]
    x, target = lesson.points_to_learn()
    y = torch.relu(x @ params[0].T + params[1]) @ params[2].T + params[3]
    (y[:, 0] - target).square().mean().backward()
    for old, new in zip(params, (p for layer in after for p in layer), strict=True):
        assert old.grad is not None
        torch.testing.assert_close(new, (old - 0.1 * old.grad).detach())


def test_layers_multiply_bends() -> None:
    x = torch.linspace(0, 1, 1025, dtype=torch.float64)[:, None]
    layers = [(w.double(), b.double()) for w, b in lesson.folding_hat()]
    for times, hats in ((1, 1), (2, 2), (3, 4), (5, 16)):
        y = lesson.run_stack(x, layers * times, lesson.ReLU())[:, 0]
        kinks = (y.diff().diff().abs() > 1e-9).sum()
        assert ((y == 1).sum(), kinks) == (hats, 2**times - 1)
    last = shown(lesson.folding).axes[-1]
    assert last.get_title() == "10 ReLUs, 5 deep"
    assert (ys(last.lines[0]) == 1).sum() == 16


def test_squares_make_parabolas_only() -> None:
    x = torch.linspace(0, lesson.SPAN, 201, dtype=torch.float64)[:, None]
    generator = torch.Generator().manual_seed(0)
    w, b = torch.randn(2, 50, generator=generator, dtype=torch.float64)
    hidden = torch.cat([(x * w + b) ** 2, torch.ones_like(x)], 1)
    assert torch.linalg.matrix_rank(hidden) == 3


# ---------------------------------------------------------------- the bug


def test_half_a_slope_shows_in_the_middle_only() -> None:
    assert shown(lesson.a_gate_that_stands_still).rows == [
        ("right", "none", "none"),
        ("half forgotten", "none", "grad_x"),
    ]
