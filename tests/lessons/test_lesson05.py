"""The numbers that lesson 05 states."""

import itertools
import math

import pytest
import torch
from torch import nn

from curriculum.pair import Case, compare
from lessons import lesson05_losses as lesson
from lessons.lesson01_neuron import films
from tests.support.lessons import shown, xs, ys


@pytest.mark.idea("B1")
def test_the_cat_costs_04489_00025_and_0() -> None:
    rows = shown(lesson.squared_error_of_a_cat).rows
    assert [row[1] for row in rows] == pytest.approx([0.4489, 0.0025, 0.0], abs=1e-6)
    assert [row[2] for row in rows] == pytest.approx([-1.34, -0.10, 0.0], abs=1e-6)


@pytest.mark.idea("E4")
def test_the_pairs_cover_losses_reductions_and_targets() -> None:
    kinds = ["mse", "binary", "binary, large", "binary, weighted"]
    wanted = {f"{kind}, {reduction}" for kind in kinds for reduction in ("mean", "sum", "none")}
    assert {pair.name for pair in lesson.PAIRS} == wanted | {"binary, of probabilities"}


@pytest.mark.idea("E4")
def test_the_large_pairs_are_large() -> None:
    values = lesson.LARGE["prediction"](Case())
    assert values.max() > 1e3
    assert values.min() < -1e3


@pytest.mark.idea("E4")
@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 4), (2, 1, 3, 2)])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_squared_error_takes_any_shape(shape: tuple[int, ...], reduction: str) -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    t = torch.randn(shape, generator=generator, dtype=torch.float64)
    criterion = lesson.MSELoss(reduction)
    loss = nn.MSELoss(reduction=reduction)(y, t)
    loss.backward()
    assert torch.allclose(criterion.forward(y.detach(), t), loss, atol=1e-12)
    assert y.grad is not None
    assert torch.allclose(criterion.backward(), y.grad, atol=1e-12)


@pytest.mark.idea("E4")
@pytest.mark.parametrize("name", ["MSELoss", "BCEWithLogitsLoss"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_what_is_made_of_the_loss_multiplies(name: str, reduction: str) -> None:
    """The gradient of 3 · loss, also when the loss is already one number."""
    y = torch.tensor([[0.5, -1.0], [2.0, 0.0]], requires_grad=True)
    target = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    (3 * getattr(nn, name)(reduction=reduction)(y, target)).backward()
    criterion = getattr(lesson, name)(reduction)
    criterion.forward(y.detach(), target)
    assert y.grad is not None
    assert torch.allclose(criterion.backward(torch.tensor(3.0)), y.grad)


@pytest.mark.idea("E4")
def test_large_logits_break_the_naive_formula_only() -> None:
    z, t = torch.tensor([1e3, 1e3, -1e3, -1e3]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    p = torch.sigmoid(z)
    naive = -t * torch.log(p) - (1 - t) * torch.log(1 - p)
    assert not naive.isfinite().any()
    criterion = lesson.BCEWithLogitsLoss("none")
    assert criterion.forward(z, t).tolist() == [0.0, 1e3, 1e3, 0.0]
    assert criterion.backward().tolist() == [0.0, 1.0, -1.0, 0.0]


# ---------------------------------------------------------------- what a loss wants


@pytest.mark.idea("B1")
@pytest.mark.parametrize(
    ("values", "mean", "median"), [((1.0, 2.0, 6.0), 3.0, 2.0), ((1.0, 1.0, 1.0, 0.0), 0.75, 1.0)]
)
def test_squares_want_the_mean_and_distances_the_median(
    values: tuple[float, ...], mean: float, median: float
) -> None:
    places = torch.linspace(0, 7, 2801, dtype=torch.float64)
    gaps = places[:, None] - torch.tensor(values, dtype=torch.float64)
    assert places[(gaps**2).sum(1).argmin()].item() == pytest.approx(mean)
    assert places[gaps.abs().sum(1).argmin()].item() == pytest.approx(median)


def test_accuracy_is_flat_where_the_loss_has_a_slope() -> None:
    right, loss = lesson.mail_scores(torch.tensor([0.8, 0.81], dtype=torch.float64))
    assert right.tolist() == [4, 4]
    p = torch.sigmoid(0.8 * torch.arange(6.0) - 2)
    assert (p > 0.5).tolist() == [False] * 3 + [True] * 3  # yes to 3, 4 and 5
    slope = (loss[1] - loss[0]).item() / 0.01
    assert slope == pytest.approx(-0.1153, abs=0.01)

    left, middle = shown(lesson.accuracy_is_a_staircase).axes
    count = ys(left.lines[0])
    assert set(abs(count[1:] - count[:-1])) == {0, 1}
    assert (count[1:] != count[:-1]).sum() == 5, "five borders, each between two mails"
    drawn = middle.lines[2]
    assert (ys(drawn)[1] - ys(drawn)[0]) / (xs(drawn)[1] - xs(drawn)[0]) == pytest.approx(-0.1153)
    at = abs(xs(middle.lines[0]) - 0.8).argmin()
    curve = middle.lines[0]
    here = (ys(curve)[at + 1] - ys(curve)[at - 1]) / (xs(curve)[at + 1] - xs(curve)[at - 1])
    assert here == pytest.approx(-0.1153, abs=1e-3)


# ---------------------------------------------------------------- likelihood


def test_likelihood_is_counted() -> None:
    """Every one of the 256 draws, for each pack."""
    ways = []
    for spam_cards in range(5):
        pack = [True] * spam_cards + [False] * (4 - spam_cards)
        draws = itertools.product(pack, repeat=4)
        ways.append(sum(draw == (True, True, True, False) for draw in draws))
    assert ways == [0, 3, 16, 27, 0]
    assert 27 / 256 == 0.75**3 * 0.25
    assert 0.5**1100 == 0


@pytest.mark.idea("E4")
def test_cross_entropy_and_squared_error_are_least_at_three_quarters() -> None:
    left, right = shown(lesson.losses_over_the_prediction).axes
    names = [str(line.get_label()) for line in left.lines]
    assert names == ["cross-entropy", "squared error", "distance", "wrong answer"]
    lowest = {
        name: xs(line)[ys(line).argmin()] for name, line in zip(names[:3], right.lines[:3], strict=True)
    }
    assert [lowest[name] for name in names[:3]] == pytest.approx([0.75, 0.75, 0.995])
    wrong = ys(right.lines[3])
    assert set(wrong[~torch.isnan(torch.tensor(wrong)).numpy()]) == {0.75, 0.25}
    assert xs(right.lines[3])[99] == pytest.approx(0.5)
    assert math.isnan(wrong[99]), "no line across the jump"


@pytest.mark.idea("E4")
def test_the_cat_by_cross_entropy() -> None:
    loss = lesson.binary_cross_entropy(torch.tensor([0.33, 0.95]), torch.ones(2))
    assert [round(value, 3) for value in loss.tolist()] == [1.109, 0.051]


def test_the_loss_of_the_mails_is_cross_entropy() -> None:
    marks, spam = torch.tensor(lesson.MAILS, dtype=torch.float64).T
    weight = torch.tensor([0.3, 2.0], dtype=torch.float64)
    criterion = lesson.BCEWithLogitsLoss()
    losses = [criterion.forward(w * marks - 2, spam).item() for w in weight]
    assert lesson.mail_scores(weight)[1].tolist() == pytest.approx(losses)


@pytest.mark.idea("E4")
def test_from_p_and_from_z_the_loss_is_the_same() -> None:
    z = torch.linspace(-8, 8, 33, dtype=torch.float64)
    for target in (torch.zeros_like(z), torch.full_like(z, 0.3), torch.ones_like(z)):
        from_p = lesson.binary_cross_entropy(torch.sigmoid(z), target)
        assert torch.allclose(lesson.BCEWithLogitsLoss("none").forward(z, target), from_p)


# ---------------------------------------------------------------- sure and wrong


@pytest.mark.idea("E4")
def test_the_squared_error_hardly_moves_when_sure_and_wrong() -> None:
    squared, cross_entropy = lesson.slopes(torch.tensor([-8.0]))[:, 0].tolist()
    assert (round(squared, 5), round(cross_entropy, 4)) == (-0.00067, -0.9997)
    assert torch.sigmoid(torch.tensor(-8.0)).item() == pytest.approx(0.0003, abs=5e-5)
    history = lesson.rescue()
    right_after = [int((history[:, i] > 0.5).nonzero()[0]) for i in (0, 1)]
    assert right_after[1] == 9
    assert right_after[0] == pytest.approx(1500, abs=50)
    axis = shown(lesson.rescue_from_a_wrong_answer).axes[1]
    assert {text.get_text() for text in axis.texts} == {f"{steps} steps" for steps in right_after}


@pytest.mark.idea("E4")
@pytest.mark.slow
def test_each_loss_at_its_best_rate() -> None:
    """Seeds and rates are in the table; the numbers of steps hold within a fifth in float64, too."""
    rows = {(row[0], row[1]): row[2:] for row in shown(lesson.each_at_its_best_rate).rows}
    for scale in (2, 10, 20):
        _, told = rows[(f"{scale} times", "cross-entropy")]
        assert int(told.split()[-1]) <= 30
    low, high = map(int, rows[("2 times", "squared error")][1].split(" to "))
    assert 5 <= low < high <= 22
    low, high = map(int, rows[("10 times", "squared error")][1].split(" to "))
    rival = int(rows[("10 times", "cross-entropy")][1].split()[-1])
    assert 2.5 < high / rival < 6
    assert low >= 40
    assert rows[("20 times", "squared error")] == ("any", "more than 1000")
    with Case().defaults():
        never = lesson.steps_to_learn("squared error", 20)
        assert never.tolist() == [[1000] * 5] * len(lesson.RATES), "at no rate, on no set"


@pytest.mark.idea("E4")
def test_the_steps_are_those_of_a_neuron() -> None:
    """`steps_to_learn` runs all rates and sets at once: here one of them, with PyTorch."""
    with Case().defaults():
        x, rating = films(3)
        liked = (rating > 0.5).to(x.dtype)
        neuron = nn.Linear(2, 1)
        with torch.no_grad():
            neuron.weight.copy_(torch.tensor([[-9.0, -1.0]]))
            neuron.bias.fill_(5.0)
        optimizer = torch.optim.SGD(neuron.parameters(), lr=10)
        steps = 0
        while ((neuron(x) > 0) == (liked > 0.5)).sum() < 190:
            optimizer.zero_grad()
            nn.functional.mse_loss(torch.sigmoid(neuron(x)), liked).backward()
            optimizer.step()
            steps += 1
        assert lesson.steps_to_learn("squared error", 10)[lesson.RATES.index(10.0), 2] == steps


def test_half_a_loss_falls_and_teaches_nothing() -> None:
    half, whole = shown(lesson.half_a_loss).rows
    assert half[2] < 1e-3 < whole[2], "the wrong loss falls further"
    liked = (films()[1] > 0.5).sum().item()
    assert half[3] == liked == 102, "yes to everything"
    assert whole[3] >= 195
    assert half[4:] == ("equal", "differs")
    assert whole[4:] == ("equal", "equal")


# ---------------------------------------------------------------- the landscape


@pytest.mark.idea("B3")
@pytest.mark.parametrize("start", [(-1.0, 2.5), (-1.5, 2.5), (2.0, 0.5)])
def test_the_walk_by_hand_is_the_walk_with_autograd(start: tuple[float, float]) -> None:
    with Case().defaults():
        path = lesson.walk(start)
        w, x = torch.tensor(start, requires_grad=True), torch.linspace(-2, 2, 41)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for w1, w2, loss in path:
            reference = nn.MSELoss()(w[1] * torch.tanh(w[0] * x), 1.5 * torch.tanh(x))
            assert torch.allclose(torch.stack([w1, w2, loss]), torch.stack([*w, reference]), rtol=1e-9)
            optimizer.zero_grad()
            reference.backward()
            optimizer.step()


@pytest.mark.idea("B3")
@pytest.mark.parametrize("lr", [0.2, 0.1, 0.01])
def test_two_close_starts_end_in_two_valleys(lr: float) -> None:
    """The start decides, and not the rate."""
    for start, floor in zip(lesson.STARTS, ((1.0, 1.5), (-1.0, -1.5)), strict=True):
        path = lesson.walk(start, steps=int(30 / lr), lr=lr)
        assert path[-1, :2].tolist() == pytest.approx(floor, abs=0.2)
        assert path[-1, 2] < 5e-3 < 8 < path[0, 2]


@pytest.mark.idea("B3")
def test_between_them_the_rate_decides() -> None:
    left, right = (lesson.walk((-1.5, 2.5), steps=int(30 / lr), lr=lr)[-1, 0] for lr in (0.1, 0.01))
    assert left < 0 < right


@pytest.mark.idea("B3")
def test_the_valleys_are_equally_deep_and_apart() -> None:
    """The floor is 0 at both; on the straight line between them the loss rises above 1."""
    floors = [lesson.walk(point, steps=1)[0, 2].item() for point in ((1.0, 1.5), (-1.0, -1.5), (0.0, 0.0))]
    assert floors[:2] == pytest.approx([0, 0], abs=1e-9)
    assert floors[2] > 1


@pytest.mark.idea("B3")
def test_the_figure_has_a_contour_and_a_surface_with_both_paths() -> None:
    flat, solid = shown(lesson.landscape).axes
    assert solid.name == "3d"
    assert len(solid.lines) == 2
    assert len(flat.lines) == 8, "of each path a line, its points, a ring and a dot"
    assert [(xs(flat.lines[i])[0], ys(flat.lines[i])[0]) for i in (0, 4)] == [
        pytest.approx(s) for s in lesson.STARTS
    ]
    assert any("Contour" in type(drawn).__name__ for drawn in flat.collections)


def test_where_pytorch_differs() -> None:
    zeros = torch.zeros(4, 3)
    ones = torch.ones(4, 3)
    for criterion, target, count in (
        (lesson.MSELoss, ones, 12),
        (lesson.BCEWithLogitsLoss, ones, 12),
    ):
        total, mean = (criterion(r).forward(zeros, target) for r in ("sum", "mean"))
        assert total / mean == pytest.approx(count)
    with pytest.warns(UserWarning, match="target size"):
        assert nn.MSELoss(reduction="none")(torch.zeros(5, 1), torch.zeros(5)).numel() == 25
    impossible = torch.tensor([0.0]), torch.tensor([1.0])
    assert nn.BCELoss()(*impossible).item() == 100
    assert lesson.binary_cross_entropy(torch.tensor([0.0]), torch.tensor([0.5])).item() == math.inf


def test_a_misspelt_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'mean', 'sum' or 'none'"):
        lesson.MSELoss("avg")


def test_the_pairs_notice_a_forgotten_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson.Loss, "share", lambda self, count, grad_loss: 1.0)
    broken = {p.name for p in lesson.PAIRS if any(d.problem for d in compare(p))}
    assert {"mse, mean", "binary, mean", "mse, none"} <= broken
