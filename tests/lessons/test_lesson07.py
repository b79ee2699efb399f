"""The numbers that lesson 07 states."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from curriculum.pair import Case
from lessons import lesson03_activations as activations
from lessons import lesson05_losses as losses
from lessons import lesson06_cross_entropy as cross_entropy
from lessons import lesson07_descent as lesson
from lessons.lesson01_neuron import Identity, Neuron, Sigmoid
from lessons.lesson04_layers import Linear, Sequential
from tests.support.lessons import bars, shown, xs, ys

U = 2**-53  # the largest relative error of rounding one number to float64


def bowl_path(curvature: list[float], lr: float, steps: int, start: float = 1.0) -> Tensor:
    c = torch.tensor(curvature, dtype=torch.float64)
    return lesson.descend(torch.full_like(c, start), lambda w: c * w, lr, steps)


# ---------------------------------------------------------------- C4


@pytest.mark.idea("C4")
def test_the_first_step_of_the_example_leads_from_4_to_32() -> None:
    assert bowl_path([2.0], lr=0.1, steps=1, start=4.0)[:, 0].tolist() == pytest.approx([4.0, 3.2], abs=1e-12)


@pytest.mark.idea("C4")
def test_steps_shrink_by_08_in_a_bowl() -> None:
    lengths = bowl_path([2.0], lr=0.1, steps=12, start=4.0).diff(dim=0).abs()[:, 0]
    assert lengths[0].item() == pytest.approx(0.8)
    assert (lengths[1:] / lengths[:-1]).tolist() == pytest.approx([0.8] * 11)


@pytest.mark.idea("C4")
def test_steps_do_not_shrink_where_the_slope_does_not() -> None:
    path = lesson.descend(torch.tensor([1.05], dtype=torch.float64), torch.sign, lr=0.1, steps=40)
    assert path.diff(dim=0).abs()[:, 0].tolist() == pytest.approx([0.1] * 40)
    assert path[-2].item() * path[-1].item() < 0, "it hops from side to side"


@pytest.mark.idea("C4")
def test_only_a_parabola_has_a_constant_share() -> None:
    path = lesson.descend(torch.ones(1, dtype=torch.float64), lambda w: 4 * w**3, lr=0.1, steps=23)
    lengths = path.diff(dim=0).abs()[:, 0]
    shares = (lengths[1:] / lengths[:-1]).tolist()
    assert [f"{shares[k]:.2f}" for k in (0, 1, 19)] == ["0.22", "0.63", "0.94"]


@pytest.mark.idea("C4")
def test_the_figure_shows_twelve_shrinking_steps() -> None:
    heights = [bar.get_height() for bar in bars(shown(lesson.steps_shrink).axes[1])]
    assert len(heights) == 12
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > 10 * heights[-1]


# ---------------------------------------------------------------- B4


@pytest.mark.idea("B4")
@pytest.mark.parametrize("c", [0.5, 2.0, 10.0, 137.0])
def test_the_edge_of_a_bowl_is_2_over_its_curvature(c: float) -> None:
    below = bowl_path([c], 0.999 * 2 / c, steps=5000)[-1].abs().item()
    above = bowl_path([c], 1.001 * 2 / c, steps=5000)[-1].abs().item()
    assert below == pytest.approx(0.998**5000, rel=1e-6)
    assert above == pytest.approx(1.002**5000, rel=1e-6)
    assert below < 1e-4 < 1e4 < above


@pytest.mark.idea("B4")
def test_at_the_edge_of_a_bowl_it_hops_for_ever_and_in_the_middle_it_arrives_at_once() -> None:
    assert bowl_path([2.0], lr=1.0, steps=1001)[:, 0].tolist() == [1.0, -1.0] * 501
    assert bowl_path([2.0], lr=0.5, steps=1)[-1].item() == 0.0


@pytest.mark.idea("B4")
def test_four_runs_in_the_figure() -> None:
    """Below 1, between 1 and 2, and above 2: ηc stands over each panel."""
    axes = shown(lesson.four_learning_rates).axes
    assert [axis.get_title().split("\n")[0] for axis in axes] == [
        "η = 0.05, ηc = 0.1",
        "η = 0.4, ηc = 0.8",
        "η = 0.9, ηc = 1.8",
        "η = 1.05, ηc = 2.1",
    ]
    crawls, arrives, overshoots, climbs = ([float(loss) for loss in ys(axis.lines[1])] for axis in axes)
    assert crawls[0] == arrives[0] == overshoots[0] == climbs[0] == 4.0
    assert 0.1 * crawls[0] < crawls[-1] < crawls[0]
    assert arrives[-1] < 1e-6
    assert overshoots == sorted(overshoots, reverse=True)
    sides = np.sign(xs(axes[2].lines[1])).ravel().tolist()
    assert sides == [1, -1] * 4 + [1], "from side to side"
    assert climbs == sorted(climbs)
    assert climbs[-1] > 4 * climbs[0]


@pytest.mark.idea("B4")
def test_the_steepest_direction_sets_the_edge() -> None:
    """Curvatures 1 and 10: 2/10 is the edge of both together, although 1 alone would bear 2."""
    flat, steep = bowl_path([1.0, 10.0], lr=0.999 * 0.2, steps=5000)[-1].abs().tolist()
    assert max(flat, steep) < 1e-4
    flat, steep = bowl_path([1.0, 10.0], lr=1.001 * 0.2, steps=5000)[-1].abs().tolist()
    assert flat < 1e-4 < 1e4 < steep
    assert bowl_path([1.0], lr=1.99, steps=5000)[-1].abs().item() < 1e-4
    assert bowl_path([1.0, 10.0], lr=0.2, steps=1)[-1, 0].item() == pytest.approx(0.8)


@pytest.mark.idea("B4")
def test_the_figure_of_two_curvatures_shows_both_sides_of_the_edge() -> None:
    ends = [abs(ys(axis.lines[0])) for axis in shown(lesson.two_curvatures).axes]
    assert float(ends[1][-1]) < float(ends[1][0]) < float(ends[2][0]) * 1.001 < float(ends[2][-1])


def line_curvature(angle: float) -> float:
    """Of the line's loss, from its lowest place in one direction."""
    d1, d2 = math.cos(angle), math.sin(angle)
    ahead, back = (lesson.line_loss(1 + s * d1, 1 + s * d2) for s in (1, -1))
    return ahead + back - 2 * lesson.line_loss(1, 1)


@pytest.mark.idea("B4")
def test_the_curvatures_of_the_line() -> None:
    angles = [math.pi * i / 10_000 for i in range(10_000)]
    found = [line_curvature(angle) for angle in angles]
    told = [3 * math.cos(a) ** 2 + 2 * math.cos(a) * math.sin(a) + 2 * math.sin(a) ** 2 for a in angles]
    assert found == pytest.approx(told, abs=1e-12)
    assert (found[0], found[5000]) == (pytest.approx(3), pytest.approx(2))
    assert (f"{max(found):.3f}", f"{min(found):.3f}") == ("3.618", "1.382")
    assert f"{2 / max(found):.4f}" == "0.5528"


@pytest.mark.idea("B4")
def test_the_edge_of_the_line_is_found_by_trying() -> None:
    """Halve the interval between a rate that arrives and one that diverges: 0.5528 comes out."""
    arrives, diverges = 0.3, 0.9
    with Case().defaults():
        for _ in range(14):
            middle = (arrives + diverges) / 2
            if lesson.fit_line(middle, 3001)[0][-1] < 4.5:
                arrives = middle
            else:
                diverges = middle
    assert (f"{arrives:.4f}", f"{diverges:.4f}") == ("0.5528", "0.5528")


@pytest.mark.idea("B4")
def test_the_curves_of_the_figure_cross_at_the_edge() -> None:
    axis = shown(lesson.the_edge_measured).axes[0]
    ten, forty, many = (ys(line) for line in axis.lines[:3])
    below = xs(axis.lines[0]) < 2 / 3.618
    assert 15 < below.sum() < 30
    assert (ten > forty)[below].all()
    assert (forty > many)[below].all()
    assert (ten < forty)[~below].all()
    assert (forty < many)[~below].all()
    assert xs(axis.lines[3])[0] == 2 / 3.618
    assert f"{0.98**500:.0e} {1.02**500:.0f}" == "4e-05 19957"


@pytest.mark.idea("B4")
def test_the_edge_of_a_real_layer() -> None:
    """Linear with MSELoss is a bowl too: its largest curvature is an eigenvalue of 2 XᵀX / batch."""
    with Case().defaults():
        x, target = Case().tensor("x", 20, 3), Case().tensor("target", 20, 1)
        ones = torch.cat([x, torch.ones(20, 1)], 1)  # the bias is the weight of an input that is always 1
        c = torch.linalg.eigvalsh(2 * ones.T @ ones / 20)[-1].item()
        best = ones @ torch.linalg.lstsq(ones, target).solution
        lowest = ((best - target) ** 2).mean().item()
        for share, arrives in ((0.99, True), (1.01, False)):
            model = Linear(3, 1)
            for param in model.params.values():
                param.fill_(0.5)
            optimizer = lesson.SGD(model.params, share * 2 / c)
            for _ in range(3000):
                loss, grads = lesson.loss_and_grads(model, losses.MSELoss(), x, target)
                optimizer.step(grads)
            assert (loss.item() - lowest < 1e-6) == arrives
            assert arrives or loss.item() > 1e6


# ---------------------------------------------------------------- many weights


def line_gradient(w: float, b: float) -> tuple[float, float]:
    errors = [(w * x + b - target, x) for x, target in lesson.POINTS]
    return sum(2 * e * x for e, x in errors) / 4, sum(2 * e for e, _ in errors) / 4


@pytest.mark.idea("C4")
def test_the_gradient_on_paper() -> None:
    assert (lesson.line_loss(0, 0), line_gradient(0, 0)) == (4.5, (-4, -3))
    assert (lesson.line_loss(1, 1), line_gradient(1, 1)) == (1, (0, 0))


@pytest.mark.idea("C4")
def test_predicted_and_measured_change_of_the_loss() -> None:
    """The table in the text, and the exact rule under "More"."""
    told = {0.001: -0.024955, 0.01: -0.2455, 0.1: -2.05, 1: 20}
    for lr, measured in told.items():
        change = lesson.line_loss(4 * lr, 3 * lr) - 4.5
        assert change == pytest.approx(measured, abs=1e-12)
        assert change == pytest.approx(-25 * lr + 45 * lr**2, abs=1e-12)
    with Case().defaults():
        path = lesson.fit_line(0.1, 2)[1]
    assert path.flatten().tolist() == pytest.approx([0, 0, 0.4, 0.3], abs=1e-15)
    assert f"{25 / 45:.3f}" == "0.556"


@pytest.mark.idea("C4")
def test_against_the_gradient_is_the_steepest_of_the_directions_in_the_figure() -> None:
    contours, change = shown(lesson.which_way_is_steepest).axes
    predicted, measured = (ys(line) for line in change.lines[:2])
    angles = xs(change.lines[0])
    assert angles[predicted.argmin()] == angles[measured.argmin()] == 0
    assert (predicted.min(), predicted.max()) == (pytest.approx(-0.5), pytest.approx(0.5))
    assert abs(predicted - measured).max() < 0.02
    assert abs(measured[abs(angles) == 90]).max() < 0.02
    assert [text.get_text() for text in contours.texts if text.get_text()] == [
        "−g",
        "g",
        "0",
        "0",
        "lowest: 1",
    ]


@pytest.mark.idea("C4")
@pytest.mark.parametrize("count", [2, 5, 1000])
def test_no_direction_beats_minus_the_gradient(count: int) -> None:
    """The proof in the text, tried: a thousand directions of length 1, in any number of weights."""
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(count, generator=generator, dtype=torch.float64)
    directions = torch.randn(1000, count, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=1, keepdim=True)
    best = -g / g.norm()
    assert (directions @ g).min() > (best @ g).item() == pytest.approx(-g.norm().item())
    told = [(1, 0), (0, 1), (0.5**0.5, 0.5**0.5), (0.8, 0.6)]
    assert [f"{-4 * a - 3 * b:.3g}" for a, b in told] == ["-4", "-3", "-4.95", "-5"]


@pytest.mark.idea("C4")
def test_the_line_finds_its_points() -> None:
    left, right = shown(lesson.a_line_finds_its_points).axes
    legend = left.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names[:4] == [
        "after 0 steps: loss 4.50",
        "after 1 step: loss 2.45",
        "after 3 steps: loss 1.26",
        "after 50 steps: loss 1.00",
    ]
    path = np.stack([xs(right.lines[0]), ys(right.lines[0])], 1)
    assert len(path) == 51
    assert path[-1].tolist() == pytest.approx([1, 1], abs=1e-3)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps.argmax() == 0, "the first step is the longest"
    turned = np.arctan2(*(np.diff(path, axis=0)[[0, 20]]).T[::-1])
    assert abs(turned[0] - turned[1]) > 0.5, "the way bends"


# ---------------------------------------------------------------- A9


@pytest.mark.idea("A9")
def test_update_over_input_is_the_same_for_every_weight() -> None:
    rows = shown(lesson.nudge_follows_input).rows
    ratios = [row[4] for row in rows if row[0]]
    assert len(ratios) == 4
    assert ratios == pytest.approx([ratios[0]] * 4, rel=1e-3)  # 5 + 0.003 has six digits in float32
    assert abs(ratios[0]) > 0.1
    assert [row[3] for row in rows if not row[0]] == [0.0]
    assert (rows[1][2], rows[1][3]) == (0.0, pytest.approx(rows[0][3])), "a weight of 0 is nudged as well"


@pytest.mark.idea("A9")
def test_update_over_input_is_the_blame_of_every_neuron_to_the_last_digit() -> None:
    with Case().defaults():
        model, x = Linear(6, 3), torch.tensor([[2.0, -1.0, 0.5, 1e-3, 1e-6, 0.0]])
        _, grads = lesson.loss_and_grads(model, losses.MSELoss(), x, torch.ones(1, 3))
        ratios = grads["weight"][:, :5] / x[:, :5]
        torch.testing.assert_close(ratios, grads["bias"][:, None].expand(3, 5), rtol=1e-14, atol=0)
        assert grads["weight"][:, 5].tolist() == [0.0] * 3


# ---------------------------------------------------------------- D10


@pytest.mark.idea("D10")
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (3, 2), (9, 10), (31, 10)])
def test_trying_takes_two_forward_passes_per_parameter(n_in: int, n_out: int) -> None:
    model, forward, calls = Linear(n_in, n_out), Linear.forward, 0

    def counted(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return forward(model, x)

    model.forward = counted  # type: ignore[method-assign]
    before = {name: param.clone() for name, param in model.params.items()}
    x, target = torch.ones(1, n_in), torch.zeros(1, n_out)
    _, passes = lesson.try_every_weight(model, losses.MSELoss(), x, target)
    assert passes == calls == 2 * (n_in * n_out + n_out)
    assert all(torch.equal(model.params[name], before[name]) for name in before), "the weights are put back"
    calls = 0
    lesson.loss_and_grads(model, losses.MSELoss(), x, target)
    assert calls == 1


@pytest.mark.idea("D10")
def test_the_figure_counts_and_times() -> None:
    counted, timed = shown(lesson.trying_gets_expensive).axes
    trying, backward = counted.lines
    assert list(xs(trying)) == [20, 40, 100, 320, 1000]
    assert list(ys(trying)) == [40, 80, 200, 640, 2000]
    assert list(ys(backward)) == [1] * 5
    assert all(time > 0 for line in timed.lines for time in ys(line))
    assert {counted.get_xscale(), counted.get_yscale(), timed.get_xscale(), timed.get_yscale()} == {"log"}


@pytest.mark.idea("D10")
def test_one_step_of_the_digit_network_would_take_218772_passes() -> None:
    sizes = [784, 128, 64, 10]
    parameters = sum(n_in * n_out + n_out for n_in, n_out in pairwise(sizes))
    assert (parameters, 2 * parameters) == (109_386, 218_772)


def bound(x: Tensor, exact: Tensor, terms: float, curve: float) -> float:
    """How far trying may be off, with eps = 1e-6 in float64.

    - Taylor: at most eps²/6 · |f‴|; `curve` is a generous bound of |f‴|. Far below all else.
    - Rounding x ± eps: at most U · (|x| + eps) each, so the slope is off by U · (|x| + eps) / eps · |f′|.
    - Rounding f: `terms` is the sum of the absolute values that f adds up. It is allowed four roundings
      of this sum at either end, divided by 2 eps. (Single terms see more, but rounding goes up and down.)
    """
    eps = 1e-6
    taylor = eps**2 / 6 * curve
    rounding_x = U * (x.abs().max().item() + eps) / eps * exact.abs().max().item()
    rounding_f = 2 * 4 * U * terms / (2 * eps)
    return taylor + rounding_x + rounding_f


LAYERS: dict[str, Callable[[], Any]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "neuron": partial(Neuron, 4, Sigmoid()),
    "relu": activations.ReLU,
    "tanh": activations.Tanh,
    "silu": activations.SiLU,
    "gelu": activations.GELU,
    "gelu, tanh": partial(activations.GELU, "tanh"),
    "softmax": cross_entropy.Softmax,
    "linear": partial(Linear, 4, 3),
    "sequential": lambda: Sequential(Linear(4, 5), activations.Tanh(), Linear(5, 2)),
}


@pytest.mark.idea("D10")
@pytest.mark.parametrize("name", LAYERS)
def test_trying_agrees_with_the_backward_of_every_layer_so_far(name: str) -> None:
    with Case().defaults():
        x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
        assert x.abs().min() > 1e-3, "no input at the kink of ReLU, where there is no slope"
        layer = LAYERS[name]()
        for index, param in enumerate(layer.params.values()):
            param.copy_(torch.randn(param.shape, generator=torch.Generator().manual_seed(index + 2)))
        y = layer.forward(x)
        upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(9))
        exact = {"x": layer.backward(upstream), **layer.grads}

        def loss_with(tensor: Tensor, value: Tensor) -> Tensor:
            before = tensor.clone()
            tensor.copy_(value)
            loss = (layer.forward(x) * upstream).sum()
            tensor.copy_(before)
            return loss

        for key, tensor in {"x": x, **layer.params}.items():
            tried = lesson.numerical_gradient(partial(loss_with, tensor), tensor.clone())
            gap = (tried - exact[key]).abs().max().item()
            allowed = bound(tensor, exact[key], (upstream * y).abs().sum().item(), curve=100)
            assert allowed < 1e-8, "a bound that holds nothing"
            assert gap <= allowed, key


@pytest.mark.idea("D10")
def test_trying_agrees_with_the_backward_of_every_loss_so_far() -> None:
    with Case().defaults():
        generator = torch.Generator().manual_seed(1)
        prediction, target = torch.randn(5, 3, generator=generator), torch.rand(5, 3, generator=generator)
        for criterion, goal in (
            (losses.MSELoss(), target),
            (losses.BCEWithLogitsLoss(), target),
            (cross_entropy.CrossEntropyLoss(), torch.arange(5) % 3),
        ):
            function = partial(lambda criterion, goal, p: criterion.forward(p, goal), criterion, goal)
            loss = function(prediction)
            exact = criterion.backward()
            tried = lesson.numerical_gradient(function, prediction)
            # The loss is a mean of positive numbers; a number in it may come from others 10 times as large.
            allowed = bound(prediction, exact, terms=10 * loss.item(), curve=1)
            gap = (tried - exact).abs().max().item()
            assert allowed < 1e-8, "a bound that holds nothing"
            assert gap <= allowed


@pytest.mark.idea("D10")
def test_a_wrong_gradient_is_found() -> None:
    with Case().defaults():
        model, x, target = Linear(4, 3), torch.ones(2, 4), torch.zeros(2, 3)
        for param in model.params.values():
            param.fill_(0.5)
        tried, _ = lesson.try_every_weight(model, losses.MSELoss(), x, target)
        _, grads = lesson.loss_and_grads(model, losses.MSELoss(), x, target)
        assert (tried["weight"] - grads["weight"]).abs().max() < 1e-8
        assert (tried["weight"] - 1.001 * grads["weight"]).abs().max() > 1e-5


@pytest.mark.idea("D10")
def test_the_error_is_a_v_with_its_bottom_where_theory_says() -> None:
    at = {k: lesson.error_of_trying(10.0**-k) for k in range(1, 13)}
    assert at[1] > 50 * at[2] > 2500 * at[3], "right arm: a tenth of the nudge, a hundredth of the error"
    assert at[12] > 100 * at[9] > 10_000 * at[6], "left arm: a tenth of the nudge, ten times the error"
    assert min(at, key=lambda k: at[k]) in (4, 5), "near 7e-6"
    assert at[6] < 1e-8, "our default"
    single = {k: lesson.error_of_trying(10.0**-k, torch.float32) for k in range(7)}
    assert min(single, key=lambda k: single[k]) in (2, 3), "near 6e-3"
    assert single[6] > 1e-3, "our default is not for float32"
    assert [f"{(3 * u) ** (1 / 3):.0e}" for u in (2**-53, 2**-24)] == ["7e-06", "6e-03"]


@pytest.mark.idea("D10")
def test_central_differences_of_a_cube() -> None:
    for nudge, told in ((0.1, 3.01), (0.01, 3.0001)):
        tried = lesson.numerical_gradient(
            lambda w: (w**3).sum(), torch.ones(1, dtype=torch.float64), nudge
        ).item()
        assert tried == pytest.approx(told, abs=1e-10)
    tiny = lesson.numerical_gradient(lambda w: (w**3).sum(), torch.ones(1, dtype=torch.float64), 1e-12)
    assert 1e-5 < abs(tiny.item() - 3) < 1e-3, "good to about four digits"


@pytest.mark.idea("D10")
def test_a_forgotten_two_is_seen_by_trying_and_by_torch_but_not_in_the_curve() -> None:
    right, wrong = shown(lesson.a_forgotten_two).rows
    assert (right[1], wrong[1]) == (4.5, 4.5)
    assert (f"{right[2]:.2f}", f"{wrong[2]:.2f}") == ("1.00", "1.00")
    assert (right[3:], wrong[3:]) == (("1.0000", "none"), ("2.0000", "loss_1"))


# ---------------------------------------------------------------- the rest


def test_the_regression_learns() -> None:
    with Case().defaults():
        run, _ = lesson.regression(Case())
    assert len(run) == 100
    assert run[-1] < 0.9 * run[0]


def test_where_pytorch_differs() -> None:
    missing = torch.nn.Parameter(torch.ones(1))
    torch.optim.SGD([missing], lr=0.1).step()
    assert missing.item() == 1.0
    with pytest.raises(KeyError):
        lesson.SGD({"w": torch.ones(1)}, lr=0.1).step({})
    defaults = inspect.signature(torch.autograd.gradcheck).parameters
    places: list[float] = []

    def seen(x: torch.Tensor) -> torch.Tensor:
        places.append(x.item())
        return x.sum()

    lesson.numerical_gradient(seen, torch.zeros(1, dtype=torch.float64))
    assert defaults["eps"].default == 1e-6
    assert places == [1e-6, -1e-6]


def test_sgd_changes_its_parameters_in_place() -> None:
    w = torch.ones(2)
    lesson.SGD({"w": w}, lr=0.5).step({"w": torch.tensor([1.0, -2.0])})
    assert w.tolist() == [0.5, 2.0]
