"""The numbers that lesson 06 states."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curriculum.pair import Case, compare
from curriculum.table import Table
from lessons import lesson05_losses as losses
from lessons import lesson06_cross_entropy as lesson
from lessons.lesson03_activations import edges
from lessons.lesson04_layers import mlp
from tests.support.lessons import bars, shown, xs, ys

DOG_WOLF_COYOTE = torch.tensor([math.log(17), math.log(2), math.log(1)], dtype=torch.float64)


def column(table: Table, name: str) -> list[Any]:
    return [row[table.columns.index(name)] for row in table.rows]


@pytest.mark.idea("D5")
def test_softmax_says_85_10_5_and_sums_to_1() -> None:
    softmax = lesson.Softmax()
    assert softmax.forward(DOG_WOLF_COYOTE).tolist() == pytest.approx([0.85, 0.1, 0.05], abs=1e-12)
    many = softmax.forward(torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * 30)
    torch.testing.assert_close(many.sum(-1), torch.ones(50))
    assert (many >= 0).all()


@pytest.mark.idea("D5")
@pytest.mark.parametrize("shift", [50.0, 100.0, 1e4, -1e4])
def test_softmax_does_not_feel_a_shift(shift: float) -> None:
    shares = lesson.Softmax().forward(DOG_WOLF_COYOTE + shift)
    assert shares.tolist() == pytest.approx([0.85, 0.1, 0.05], abs=1e-10)


@pytest.mark.idea("D5")
def test_the_formula_as_written_breaks_and_ours_does_not() -> None:
    table = shown(lesson.softmax_stays_finite)
    as_written = dict(zip(column(table, "added"), column(table, "dog, as written"), strict=True))
    assert [added for added, dog in as_written.items() if math.isnan(dog)] == [100, 10_000, -10_000]
    for _, _, *shares in table.rows:
        assert shares == pytest.approx([0.85, 0.1, 0.05], abs=1e-4)
        assert sum(shares) == pytest.approx(1, abs=1e-6)


@pytest.mark.idea("B2")
def test_confidence_has_a_price() -> None:
    rows = shown(lesson.confidence_has_a_price).rows
    expected = [-math.log(0.90), -math.log(0.34), -math.log(0.02)]
    assert [row[3] for row in rows] == pytest.approx(expected, abs=1e-5)
    assert [round(value, 4) for value in expected] == [0.1054, 1.0788, 3.9120]
    assert rows[2][4] == "+0.90/+0.08/-0.98"


@pytest.mark.idea("B2")
def test_an_untrained_network_starts_near_ln_10() -> None:
    assert round(math.log(10), 4) == 2.3026
    rows = shown(lesson.untrained_starts_at_ln_10).rows
    assert [row[0] for row in rows] == [0, 1, 2, 3, 4]
    first = [loss for row in rows for loss in row[1:3]]
    assert first == pytest.approx([math.log(10)] * 10, abs=0.1)
    assert (round(min(first), 2), round(max(first), 2)) == (2.22, 2.40)
    loud = [loss for row in rows for loss in row[3:]]
    assert (round(min(loud)), round(max(loud))) == (9, 24)


@pytest.mark.idea("B2")
def test_lesson_04s_three_and_seven_are_judged() -> None:
    figure = shown(lesson.the_three_and_the_seven)
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert texts[:4:2] == ["3: 10.6 %, price 2.245", "7: 9.5 %, price 2.349"]
    heights = [bar.get_height() for bar in bars(figure.axes[1])]
    assert sum(heights) == pytest.approx(0, abs=1e-6)
    assert [k for k, height in enumerate(heights) if height < 0] == [3]


@pytest.mark.idea("B2")
@pytest.mark.parametrize("seed", range(5))
def test_twenty_steps_teach_the_two(seed: int) -> None:
    first, last, slopes = lesson.learn_two(20, seed)
    for row, digit in enumerate((3, 7)):
        assert first[row, digit] < 0.12
        assert last[row, digit] > 0.97
        right = torch.zeros(10)
        right[digit] = 1
        torch.testing.assert_close(slopes[row], first[row] - right)
    x, _ = lesson.three_and_seven()
    torch.testing.assert_close(first, torch.softmax(mlp(784, 128, 64, 10, seed=seed).forward(x), 1))


# ---------------------------------------------------------------- shares and prices


@pytest.mark.idea("D5")
def test_two_classes_are_the_sigmoid() -> None:
    z = torch.linspace(-9, 9, 19, dtype=torch.float64)
    shares = lesson.Softmax().forward(torch.stack([z, torch.zeros_like(z)], 1))
    assert torch.allclose(shares[:, 0], torch.sigmoid(z))


@pytest.mark.idea("D5")
def test_one_more_on_a_score_multiplies_its_odds_by_e() -> None:
    for z in (DOG_WOLF_COYOTE, torch.tensor([-3.0, 0.0, 5.0], dtype=torch.float64)):
        before = lesson.Softmax().forward(z)
        after = lesson.Softmax().forward(z + torch.tensor([1.0, 0.0, 0.0]))
        ratios = (after[0] / after[1:]) / (before[0] / before[1:])
        assert ratios.tolist() == pytest.approx([math.e] * 2)


@pytest.mark.idea("D4")
def test_shares_are_taken_from_each_other() -> None:
    softmax = lesson.Softmax()
    softmax.forward(DOG_WOLF_COYOTE)
    slopes = [softmax.backward(own)[0].item() for own in torch.eye(3, dtype=torch.float64)]
    assert slopes == pytest.approx([0.1275, -0.085, -0.0425])
    right = shown(lesson.share_by_its_logit).axes[1]
    dog, wolf, coyote = (ys(line) for line in right.lines[:3])
    assert (dog + wolf + coyote) == pytest.approx(0, abs=1e-6)
    assert xs(right.lines[0])[dog.argmax()] == pytest.approx(math.log(3), abs=0.02), "steepest at one half"


@pytest.mark.idea("B2")
@pytest.mark.parametrize("truth", [0.6, 0.9, 0.99])
def test_honesty_is_cheapest(truth: float) -> None:
    p = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    price = -truth * torch.log(p) - (1 - truth) * torch.log(1 - p)
    assert p[price.argmin()].item() == pytest.approx(truth)


@pytest.mark.idea("B2")
def test_the_figure_of_prices() -> None:
    left, right = shown(lesson.price_of_confidence).axes
    assert {text.get_text() for text in left.texts} == {
        "sure, right: 0.1054",
        "unsure: 1.079",
        "sure, wrong: 3.912",
    }
    paid = {text.get_text(): ys(line)[0] for text, line in zip(right.texts, right.lines[1:], strict=True)}
    assert paid == pytest.approx({"60 %": 0.5514, "90 %": 0.3251, "99 %": 0.4696, "99.9 %": 0.6917}, abs=1e-4)
    assert 0 < math.log(2) - paid["99.9 %"] < 0.002, "nearly the price of no idea"
    assert xs(right.lines[0])[ys(right.lines[0]).argmin()] == pytest.approx(0.9, abs=1e-3)


# ---------------------------------------------------------------- one softmax too many


def test_two_softmaxes_have_a_floor() -> None:
    sure = torch.zeros(1, 10, dtype=torch.float64)
    sure[0, 4] = 1e4
    loss = lesson.CrossEntropyLoss().forward(lesson.Softmax().forward(sure), torch.tensor([4])).item()
    assert loss == pytest.approx(math.log(math.e + 9) - 1) == pytest.approx(1.4612, abs=5e-5)
    assert math.e / (math.e + 9) == pytest.approx(0.23, abs=5e-3)


def test_the_figure_of_two_softmaxes_draws_both() -> None:
    left, right = shown(lesson.one_softmax_too_many).axes
    curves = [ys(line) for line in left.lines[:10]]
    assert all(curve[0] == pytest.approx(math.log(10), abs=1e-4) for curve in curves)
    assert max(curve[-1] for curve in curves[:5]) < 0.5
    assert min(curve[-1] for curve in curves[5:]) > 1.46
    assert ys(left.lines[10])[0] == pytest.approx(1.4612, abs=1e-4)
    middle = [line for line in right.lines if len(ys(line)) == len(lesson.DIGIT_RATES)]
    assert len(middle) == 2
    assert (ys(middle[0])[:3] > ys(middle[1])[:3]).all()


def test_accuracy_may_not_show_it_and_the_loss_does() -> None:
    """As drawn: 500 scans, 100 steps, five seeds."""
    for lr in lesson.DIGIT_RATES:
        right, wrong = (
            [lesson.learn_digits(list(layers), lr, seed) for seed in range(5)]
            for layers in ((), (lesson.Softmax(),))
        )
        assert min(losses[-1] for losses, _ in wrong) > 1.461
        gap = min(read for _, read in right) - max(read for _, read in wrong)
        if lr == 10:
            assert all(0.925 < read < 0.955 for _, read in right + wrong)
        else:
            assert gap > 0


@pytest.mark.idea("B2")
def test_a_loud_network_starts_far_above() -> None:
    """Why the first loss is a check: logits a hundred times as large make wrong answers sure."""
    generator = torch.Generator().manual_seed(5)
    logits, labels = torch.randn(500, 10, generator=generator), torch.randint(10, (500,), generator=generator)
    quiet, loud = (lesson.CrossEntropyLoss().forward(k * logits, labels).item() for k in (0.1, 100))
    assert quiet == pytest.approx(math.log(10), abs=0.05)
    assert loud > 50


@pytest.mark.idea("D4")
@pytest.mark.idea("E4")
@pytest.mark.parametrize("q", [[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
def test_the_gradient_of_softmax_and_cross_entropy_is_p_minus_q(q: list[float]) -> None:
    z, target = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64), torch.tensor([q], dtype=torch.float64)
    criterion = lesson.CrossEntropyLoss()
    criterion.forward(z, target)
    assert torch.allclose(criterion.backward(), torch.softmax(z, 1) - target, atol=1e-12)


@pytest.mark.idea("E4")
def test_label_smoothing_gives_091_and_001() -> None:
    criterion = lesson.CrossEntropyLoss(label_smoothing=0.1)
    criterion.forward(torch.zeros(1, 10), torch.tensor([3]))
    assert criterion.q[0].tolist() == pytest.approx([0.01] * 3 + [0.91] + [0.01] * 6)


@pytest.mark.idea("E4")
def test_behind_a_softmax_the_squared_error_hardly_moves_either() -> None:
    def slopes(z: Tensor) -> tuple[float, float]:
        softmax, squared, cross_entropy = lesson.Softmax(), losses.MSELoss("sum"), lesson.CrossEntropyLoss()
        squared.forward(softmax.forward(z), torch.tensor([[1.0, 0.0, 0.0]]))
        cross_entropy.forward(z, torch.tensor([0]))
        return softmax.backward(squared.backward())[0, 0].item(), cross_entropy.backward()[0, 0].item()

    squared, cross_entropy = slopes(torch.tensor([[-10.0, 0.0, 0.0]]))
    assert cross_entropy == pytest.approx(-1, abs=1e-4)
    assert -1e-4 < squared < 0


def test_class_weights_change_what_the_mean_divides_by() -> None:
    z, t, weight = torch.zeros(2, 2), torch.tensor([0, 1]), torch.tensor([1.0, 3.0])
    total = nn.CrossEntropyLoss(weight, reduction="sum")(z, t)
    assert nn.CrossEntropyLoss(weight)(z, t).item() == pytest.approx(total.item() / 4)


@pytest.mark.idea("D4")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_at_the_edges_value_and_slope_of_softmax_are_torchs(dtype: torch.dtype) -> None:
    """Without the harness: each output's own gradient, so that nothing cancels."""
    case = Case(dtype=dtype)
    with case.defaults():
        x = edges(case, "x")
    ours = lesson.Softmax()
    values = x.clone().requires_grad_()
    reference = torch.softmax(values, -1)
    torch.testing.assert_close(ours.forward(x), reference.detach())
    for index in range(x.shape[1]):
        upstream = torch.zeros_like(x)
        upstream[:, index] = -1.7
        (expected,) = torch.autograd.grad(reference, values, upstream, retain_graph=True)
        torch.testing.assert_close(ours.backward(upstream), expected)


@pytest.mark.idea("E4")
def test_the_pairs_cover_softmax_reductions_and_targets() -> None:
    kinds = ["classes", "classes, large", "classes, smooth", "classes, weighted", "classes, ignored"]
    kinds += ["classes, all options", "probabilities", "probabilities, smooth", "probabilities, weighted"]
    wanted = {f"{kind}, {reduction}" for kind in kinds for reduction in ("mean", "sum", "none")}
    assert {pair.name for pair in lesson.PAIRS} == wanted | {"softmax", "softmax at the edges"}


@pytest.mark.idea("E4")
def test_the_large_pairs_are_large() -> None:
    values = lesson.LARGE["prediction"](Case())
    assert values.max() > 1e3
    assert values.min() < -1e3


@pytest.mark.idea("E4")
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_what_is_made_of_the_loss_multiplies(reduction: str) -> None:
    """The gradient of 3 · loss, also when the loss is already one number."""
    y = torch.tensor([[0.5, -1.0], [2.0, 0.0]], requires_grad=True)
    target = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    (3 * nn.CrossEntropyLoss(reduction=reduction)(y, target)).backward()
    criterion = lesson.CrossEntropyLoss(reduction)
    criterion.forward(y.detach(), target)
    assert y.grad is not None
    assert torch.allclose(criterion.backward(torch.tensor(3.0)), y.grad)


@pytest.mark.idea("E4")
def test_large_logits_are_no_trouble() -> None:
    classes = lesson.CrossEntropyLoss("none")
    assert classes.forward(torch.tensor([[1e3, -1e3]] * 2), torch.tensor([0, 1])).tolist() == [0.0, 2e3]
    assert classes.backward().tolist() == [[0.0, 0.0], [1.0, -1.0]]


def test_the_mean_divides_by_the_examples() -> None:
    zeros, labels = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])
    total, mean = (lesson.CrossEntropyLoss(mode).forward(zeros, labels) for mode in ("sum", "mean"))
    assert total / mean == pytest.approx(4)


def test_the_pairs_notice_a_forgotten_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses.Loss, "share", lambda self, count, grad_loss: 1.0)
    broken = {p.name for p in lesson.PAIRS if any(d.problem for d in compare(p))}
    assert {"classes, mean", "probabilities, mean", "classes, none"} <= broken
