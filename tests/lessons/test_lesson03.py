"""The numbers that lesson 03 states."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from curriculum.pair import Case
from curriculum.table import Table
from lessons import lesson03_activations as lesson
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
    axes = shown(lesson.curves_and_slopes).axes
    assert [axis.get_title() for axis in axes[:3]] == ["Step", "Sigmoid", "ReLU"]
    for axis in axes[:3]:
        x, y = xs(axis.lines[1]), ys(axis.lines[1])
        quiet, firing = y[x < -4.5], y[x > 4.5]
        assert max(quiet) < 0.02 < 0.98 < min(firing)
    slope_of_step = ys(axes[0].lines[2])
    assert set(slope_of_step) == {0.0}


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
    assert names == [f"{name.lower()}{where}" for name in lesson.SIDES for where in ("", " at the edges")]
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
    drawn = next(axis for axis in shown(lesson.curves_and_slopes).axes if "exact" in axis.get_title())
    assert abs(ys(drawn.lines[1])).max() == pytest.approx(0.000473, abs=2e-6)


@pytest.mark.idea("E1")
@pytest.mark.parametrize(("name", "lowest"), [("SiLU", -0.2785), ("GELU", -0.17)])
def test_silu_and_gelu_dip_below_zero(name: str, lowest: float) -> None:
    y, _ = curve(name, torch.linspace(-6, 6, 12_001, dtype=torch.float64))
    assert y.min().item() == pytest.approx(lowest, abs=1e-3)
