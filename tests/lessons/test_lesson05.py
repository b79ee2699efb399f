"""The numbers that lesson 05 states."""

import pytest
import torch
from torch import nn

from curriculum.pair import Case, compare
from lessons import lesson05_losses as lesson
from tests.support.lessons import shown


@pytest.mark.idea("B1")
def test_the_cat_costs_04489_00025_and_0() -> None:
    rows = shown(lesson.squared_error_of_a_cat).rows
    assert [row[1] for row in rows] == pytest.approx([0.4489, 0.0025, 0.0], abs=1e-6)
    assert [row[2] for row in rows] == pytest.approx([-1.34, -0.10, 0.0], abs=1e-6)


@pytest.mark.idea("E4")
def test_the_pairs_cover_losses_reductions_and_targets() -> None:
    kinds = ["mse", "binary", "binary, large", "binary, weighted"]
    wanted = {f"{kind}, {reduction}" for kind in kinds for reduction in ("mean", "sum", "none")}
    assert {pair.name for pair in lesson.PAIRS} == wanted


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


@pytest.mark.idea("E4")
def test_the_squared_error_hardly_moves_when_sure_and_wrong() -> None:
    squared, cross_entropy = lesson.slopes(torch.tensor([-8.0]))[:, 0].tolist()
    assert (round(squared, 5), round(cross_entropy, 4)) == (-0.00067, -0.9997)
    history = lesson.rescue()
    right_after = [int((history[:, i] > 0.5).nonzero()[0]) for i in (0, 1)]
    assert right_after[1] == 9
    assert right_after[0] == pytest.approx(1500, abs=50)


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
def test_two_close_starts_end_in_two_valleys() -> None:
    for start, floor in (((-1.0, 2.5), (1.0, 1.5)), ((-1.5, 2.5), (-1.0, -1.5))):
        path = lesson.walk(start)
        assert path[-1, :2].tolist() == pytest.approx(floor, abs=0.1)
        assert path[-1, 2] < 1e-3 < 8 < path[0, 2]


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
    assert len(flat.lines) == 4
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


def test_a_misspelt_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'mean', 'sum' or 'none'"):
        lesson.MSELoss("avg")


def test_the_pairs_notice_a_forgotten_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson.Loss, "share", lambda self, count, grad_loss: 1.0)
    broken = {p.name for p in lesson.PAIRS if any(d.problem for d in compare(p))}
    assert {"mse, mean", "binary, mean", "mse, none"} <= broken
