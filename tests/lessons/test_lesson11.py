"""The numbers that lesson 11 states."""

import math

import pytest
import torch
from torch import Tensor, nn

from curriculum.pair import compare, training_pair
from lessons import lesson11_training as lesson
from lessons.lesson04_layers import mlp
from lessons.lesson05_losses import MSELoss
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from tests.support.lessons import shown, ys


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- B7: epochs and mini-batches


@pytest.mark.idea("B7")
@pytest.mark.parametrize(("count", "size"), [(10, 4), (12, 4), (1437, 32), (5, 9), (3, 1)])
def test_one_epoch_visits_each_example_once(count: int, size: int) -> None:
    batches = list(lesson.minibatches(count, size, generator()))
    assert torch.cat(batches).sort().values.tolist() == list(range(count))
    assert all(len(index) == size for index in batches[:-1])
    assert len(batches[-1]) == (count % size or size)


@pytest.mark.idea("B7")
def test_an_epoch_of_1437_has_45_steps() -> None:
    assert [len(index) for index in lesson.minibatches(1437, 32, generator())] == [32] * 44 + [29]
    assert 10 * 45 == 450
    assert 10 * 1437 == 14_370


@pytest.mark.idea("B7")
def test_every_epoch_has_another_order_and_a_seed_repeats_it() -> None:
    source = generator()
    first, second = (torch.cat(list(lesson.minibatches(100, 8, source))) for _ in range(2))
    again = torch.cat(list(lesson.minibatches(100, 8, generator())))
    assert not torch.equal(first, second)
    assert torch.equal(first, again)
    for _, *batches in shown(lesson.one_epoch_visits_each_once).rows:
        assert sorted(int(i) for batch in batches for i in batch.strip("[]").split(",")) == list(range(10))


@pytest.mark.idea("B7")
def test_noise_falls_with_the_root_of_the_batch_size() -> None:
    """σ / √B, times √((N − B) / (N − 1)) because we draw without putting back."""
    noise = {size: lesson.gradient_noise(size)[0] for size in (1, 4, 16, 32, 64, 256, 1024)}
    for size in (4, 16, 64):
        assert noise[size] == pytest.approx(noise[1] / size**0.5, rel=0.1)
    for size in (256, 1024):
        exact = noise[1] / size**0.5 * ((1437 - size) / 1436) ** 0.5
        assert noise[size] == pytest.approx(exact, rel=0.1)
    assert noise[1024] < 0.7 * noise[1] / 1024**0.5
    assert noise[32] > lesson.gradient_noise(32)[1]
    assert lesson.gradient_noise(1437)[0] < 1e-6


@pytest.mark.idea("B7")
def test_mini_batches_are_right_on_average() -> None:
    """The gradients of one epoch, weighted by their sizes, give the full gradient."""
    x, target, _, _ = lesson.digits()
    model, criterion = mlp(64, 32, 10, seed=0), CrossEntropyLoss()

    def gradient(index: Tensor) -> Tensor:
        criterion.forward(model.forward(x[index]), target[index])
        model.backward(criterion.backward())
        return torch.cat([grad.flatten() for grad in model.grads.values()])

    full = gradient(torch.arange(1437))
    epoch = lesson.minibatches(1437, 32, generator())
    shares = torch.stack([gradient(index) * len(index) / 1437 for index in epoch])
    assert torch.allclose(shares.sum(0), full, atol=1e-6)


@pytest.mark.idea("B7")
def test_sorted_by_class_learns_badly() -> None:
    """From every start, at a small rate and at the lesson's; worst at the lesson's."""
    rows = shown(lesson.sorted_by_class_learns_badly).rows
    low, high = {}, {}
    for rate, order, *_, last in rows:
        low[rate, order], high[rate, order] = (int(share.rstrip("%")) / 100 for share in last.split(" to "))
    assert low[0.3, "shuffled"] > 0.93
    assert high[0.3, "sorted"] < 0.4
    assert high[0.03, "sorted"] < low[0.03, "shuffled"]
    assert low[0.03, "sorted"] > high[0.3, "sorted"], "the order costs the most where the rate is large"


# ---------------------------------------------------------------- B7: the same examples in other batches


@pytest.mark.idea("B7")
def test_smaller_batches_learn_more_from_the_same_examples() -> None:
    lines = {line.get_label(): ys(line) for line in shown(lesson.same_examples_other_batches).axes[0].lines}
    one, eight, some, many, everything = (
        lines[name]
        for name in ("batches of 1", "batches of 8", "batches of 32", "batches of 128", "all at once")
    )
    assert all(len(line) == 4 for line in (one, eight, some, many, everything))
    assert one[1] > some[1] > many[1] > everything[1]
    assert eight[1] > some[1]
    assert min(one[-1], eight[-1], some[-1]) > 0.88
    assert max(one[-1], eight[-1], some[-1]) - min(one[-1], eight[-1], some[-1]) < 0.06
    assert everything[-1] < many[-1] - 0.1
    assert many[-1] < some[-1] - 0.05
    rows = shown(lesson.what_an_epoch_costs).rows
    assert [row[2] for row in rows] == [1437, 180, 45, 12, 1]
    assert [row[1] for row in rows] == [0.03, 0.2, 0.7, 0.5, 1.5]


@pytest.mark.idea("B7")
def test_the_rates_of_the_large_batches_are_the_best_of_those_tried() -> None:
    """So all at once is not behind because its rate is too small: with a larger one it breaks down."""

    def after_three_epochs(size: int, lr: float) -> float:
        return sum(lesson.learn_digits(seed, size, lr, 3)[1][-1] for seed in range(5)) / 5

    own = after_three_epochs(1437, lesson.RATES[1437])
    assert after_three_epochs(1437, 0.5) < own - 0.1
    assert after_three_epochs(1437, 3.0) < own - 0.1
    own = after_three_epochs(128, lesson.RATES[128])
    assert after_three_epochs(128, 1.5) < own - 0.2
    assert max(after_three_epochs(128, lr) for lr in (0.3, 1.0)) < own + 0.05


# ---------------------------------------------------------------- the loop


def test_two_examples_that_do_not_agree() -> None:
    """At w = 3.5: slopes of 4 and −1, and of the mean of both losses 1.5."""
    x, target = torch.tensor([2.0, 1.0]), torch.tensor([6.0, 4.0])
    assert (2 * (3.5 * x - target) * x).tolist() == [4.0, -1.0]
    assert (2 * (3.5 * x - target) * x).mean() == 1.5


def test_train_step_returns_the_loss_before_the_update() -> None:
    model, (x, target) = mlp(2, 16, 1, seed=0), lesson.sums()
    before = {name: param.clone() for name, param in model.params.items()}
    expected = MSELoss().forward(model.forward(x), target)
    loss = lesson.train_step(model, MSELoss(), SGD(model.params, lr=0.5), x, target)
    assert loss.item() == expected.item()
    assert all(torch.equal(p, before[n] - 0.5 * model.grads[n]) for n, p in model.params.items())


def test_accuracy_counts_the_largest_logit() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0], [1.0, 6.0]])
    assert lesson.accuracy(logits, torch.tensor([0, 1, 1, 1])) == 0.75


# ---------------------------------------------------------------- E7: the tiny program


@pytest.mark.idea("E7")
def test_the_tiny_program_takes_200_steps_and_learns_the_rule() -> None:
    losses, params = lesson.tiny_scratch()
    assert len(losses) == 200
    assert [len(index) for index in lesson.minibatches(256, 60, generator())] == [60] * 4 + [16]
    assert {name: tuple(p.shape) for name, p in params.items()} == {
        "0.weight": (16, 2), "0.bias": (16,), "2.weight": (1, 16), "2.bias": (1,),
    }  # fmt: skip
    assert sum(losses[-5:]) / 5 < 0.08 < 0.3 < losses[0]
    axes = shown(lesson.the_boundary_turns_into_place).axes
    titles = [axis.get_title() for axis in axes]
    assert [title.split(":")[0] for title in titles] == ["step 0", "step 5", "step 50", "step 200"] * 2
    right = [int(title.split()[2].rstrip("%")) for title in titles]
    assert right[0] < 70 < 90 < right[2]
    assert right[3] >= 98
    assert right[4] < 70 < 85 < right[7]


def best_line(x: Tensor, yes: Tensor) -> float:
    """The largest share that any straight line gets right: 720 directions, and all places between points."""
    best = 0.0
    for angle in torch.linspace(0, torch.pi, 720, dtype=torch.float64).tolist():
        along = x.double() @ torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        sides = yes[along.argsort()].double() * 2 - 1
        above = sides.sum() - torch.cat([torch.zeros(1, dtype=torch.float64), 2 * sides.cumsum(0)])
        best = max(best, 0.5 + above.abs().max().item() / 2 / len(x))
    return best


def test_no_line_finds_the_middle_and_one_finds_the_sign_of_the_sum() -> None:
    (x, positive), (_, middle) = lesson.sums(), lesson.near_the_middle()
    assert best_line(x, positive[:, 0]) > 0.99
    assert best_line(x, middle[:, 0]) == pytest.approx(0.66, abs=0.005)
    assert 1 - middle.mean().item() == pytest.approx(0.57, abs=0.005)


def test_the_middle_needs_hidden_neurons() -> None:
    """From each of eight starts: 16 do it, one or two do not."""
    axis = shown(lesson.what_the_hidden_neurons_are_for).axes[0]
    one, two, four, eight, sixteen = (ys(line) for line in axis.lines[:5])
    assert len(sixteen) == 8
    assert one.max() < 0.68
    assert two.max() < 0.85
    assert sixteen.min() > 0.88
    assert one.mean() < two.mean() < four.mean() < eight.mean()


@pytest.mark.idea("E7")
def test_the_target_is_whether_the_sum_is_positive() -> None:
    x, target = lesson.sums()
    assert x.shape == (256, 2)
    assert target.tolist() == [[float(a + b > 0)] for a, b in x.tolist()]


@pytest.mark.idea("E7")
def test_a_stale_gradient_spoils_the_training() -> None:
    cleared, stale = (torch.tensor(lesson.tiny_torch(clear=clear)[0]) for clear in (True, False))
    assert stale[:2].tolist() == cleared[:2].tolist()
    assert stale[2] < stale[0]
    assert stale[2] != cleared[2]
    assert stale[-50:].mean() > 3 * cleared[-50:].mean()
    cleared_row, forgotten_row = shown(lesson.the_comparison_finds_it).rows
    assert cleared_row[1:] == ("none", 0)
    assert forgotten_row[1:] == ("loss_2", 202)


# ---------------------------------------------------------------- A10: guess, measure, adjust


@pytest.mark.idea("A10", "B6")
def test_from_chance_to_reading() -> None:
    loss_axis, share_axis = shown(lesson.guess_measure_adjust).axes
    assert len(loss_axis.lines) == len(share_axis.lines) == 5
    for loss_line, share_line in zip(loss_axis.lines, share_axis.lines, strict=True):
        losses, right = ys(loss_line), ys(share_line)
        assert len(losses) == 450
        assert 0.04 <= right[0] <= 0.12
        assert 0.94 <= right[-1] <= 0.98
        assert sum(losses[-45:]) / 45 < 0.2 < 2 < losses[0]


@pytest.mark.idea("A10")
def test_the_kept_digits_are_not_learned_from() -> None:
    x, target, x_kept, target_kept = lesson.digits()
    assert (x.shape, target.shape, x_kept.shape, target_kept.shape) == (
        (1437, 64),
        (1437,),
        (360, 64),
        (360,),
    )
    assert (x.min(), x.max()) == (0, 1)
    assert not (x_kept[:, None] == x).all(2).any()


@pytest.mark.idea("A10")
def test_fit_agrees_with_torch_on_one_epoch_of_digits() -> None:
    def scratch(case: object) -> tuple[list[float], dict[str, Tensor]]:
        model, (x, target, _, _) = mlp(64, 32, 10, seed=0), lesson.digits()
        optimizer = SGD(model.params, 0.3)
        return lesson.fit(model, CrossEntropyLoss(), optimizer, x, target, 1, 32, generator()), model.params

    def with_torch(case: object) -> tuple[list[float], dict[str, Tensor]]:
        model, (x, target, _, _) = (
            nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
            lesson.digits(),
        )
        model.load_state_dict(mlp(64, 32, 10, seed=0).params)
        optimizer, losses = torch.optim.SGD(model.parameters(), 0.3), []
        for index in lesson.minibatches(1437, 32, generator()):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[index]), target[index])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, dict(model.named_parameters())

    differences = compare(training_pair("digits", scratch, with_torch))
    assert len(differences) == 45 + 4
    assert [d for d in differences if d.problem] == []
