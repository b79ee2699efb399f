"""The numbers that lesson 11 states."""

import pytest
import torch
from torch import Tensor, nn

from curriculum.pair import compare, optimizer_pair, training_pair
from lessons import lesson11_training as lesson
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
    model, criterion = lesson.mlp(64, 32, 10, seed=0), CrossEntropyLoss()

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
    rows = shown(lesson.sorted_by_class_learns_badly).rows
    fast, fast_sorted, slow, slow_sorted = (row[2:] for row in rows)
    assert fast[-1] > 0.93
    assert max(fast_sorted) < 0.25
    assert slow[-1] > 0.9
    assert slow_sorted[0] < 0.5 < slow_sorted[-1] < slow[-1]


@pytest.mark.idea("B7")
def test_sorted_by_class_silences_every_hidden_neuron() -> None:
    x, target, _, _ = lesson.digits()
    model = lesson.mlp(64, 32, 10, seed=0)
    criterion, optimizer = CrossEntropyLoss(), lesson.Adam(model.params, 0.01)
    for _ in range(10):
        for index in target.argsort(stable=True).split(32):
            lesson.train_step(model, criterion, optimizer, x[index], target[index])
    assert (model.layers[0].forward(x) <= 0).all()
    assert (model.grads["0.weight"] == 0).all()
    assert len(model.forward(x).argmax(1).unique()) == 1


# ---------------------------------------------------------------- the loop


def test_train_step_returns_the_loss_before_the_update() -> None:
    model, (x, target) = lesson.mlp(2, 16, 1, seed=0), lesson.sums()
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
    assert sum(losses[-5:]) / 5 < 0.06 < 0.3 < losses[0]
    titles = [axis.get_title() for axis in shown(lesson.the_boundary_turns_into_place).axes]
    assert [title.split(":")[0] for title in titles] == ["step 0", "step 5", "step 25", "step 200"]
    right = [int(title.split()[2].rstrip("%")) for title in titles]
    assert right[0] < 70 < 85 < right[2] < 98 <= right[3]


@pytest.mark.idea("E7")
def test_the_target_is_whether_the_sum_is_positive() -> None:
    x, target = lesson.sums()
    assert x.shape == (256, 2)
    assert target.tolist() == [[float(a + b > 0)] for a, b in x.tolist()]


@pytest.mark.idea("E7")
def test_a_stale_gradient_spoils_the_training() -> None:
    cleared, stale = (torch.tensor(lesson.tiny_torch(clear)[0]) for clear in (True, False))
    assert stale[:10] == pytest.approx(cleared[:10], abs=0.05)
    assert stale[-50:].mean() > 5 * cleared[-50:].mean()
    assert stale[-50:].mean() > stale[0]


# ---------------------------------------------------------------- A10: guess, measure, adjust


@pytest.mark.idea("A10", "B6")
def test_from_chance_to_reading() -> None:
    loss_axis, share_axis = shown(lesson.guess_measure_adjust).axes
    assert len(loss_axis.lines) == len(share_axis.lines) == 3
    for loss_line, share_line in zip(loss_axis.lines, share_axis.lines, strict=True):
        losses, right = ys(loss_line), ys(share_line)
        assert len(losses) == 450
        assert 0.04 <= right[0] <= 0.12
        assert 0.95 <= right[-1] <= 0.98
        assert sum(losses[-45:]) / 45 < 0.15 < 2 < losses[0]


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
        model, (x, target, _, _) = lesson.mlp(64, 32, 10, seed=0), lesson.digits()
        optimizer = lesson.Adam(model.params, 0.01)
        return lesson.fit(model, CrossEntropyLoss(), optimizer, x, target, 1, 32, generator()), model.params

    def with_torch(case: object) -> tuple[list[float], dict[str, Tensor]]:
        model, (x, target, _, _) = (
            nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
            lesson.digits(),
        )
        model.load_state_dict(lesson.mlp(64, 32, 10, seed=0).params)
        optimizer, losses = torch.optim.Adam(model.parameters(), 0.01), []
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


# ---------------------------------------------------------------- Adam and the shrinking rate


@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-2}, {"betas": (0.0, 0.0)}]
)
def test_adam_is_torch_adam(settings: dict) -> None:
    pair = optimizer_pair(
        "adam", lambda p: lesson.Adam(p, **settings), lambda p: torch.optim.Adam(p, **settings), (1, 10, 100)
    )
    differences = compare(pair)
    assert len(differences) == 6
    assert [d for d in differences if d.problem] == []


def test_adam_ignores_the_scale_and_damps_contradictions() -> None:
    def moved(gradients: list[float]) -> float:
        params = {"w": torch.zeros(1)}
        optimizer = lesson.Adam(params, lr=0.001)
        for gradient in gradients:
            optimizer.step({"w": torch.tensor([gradient])})
        return -params["w"].item()

    assert moved([100.0] * 100) == pytest.approx(0.1, rel=1e-3)
    assert moved([0.001] * 100) == pytest.approx(0.1, rel=1e-3)
    assert abs(moved([1.0, -1.0] * 50)) < 0.005
    assert moved([0.0] * 10) == 0


def test_linear_decay_ends_just_above_zero() -> None:
    assert [lesson.linear_decay(0.5, step, 4) for step in range(4)] == [0.5, 0.375, 0.25, 0.125]


def test_a_shrinking_rate_settles() -> None:
    """10,000 weights, 300 steps of plain descent on w², seen through noise of size 1."""
    off = []
    for decay in (False, True):
        noise = generator()
        params = {"w": torch.full((10_000,), 3.0)}
        optimizer = SGD(params, lr=0.2)
        for step in range(300):
            optimizer.lr = lesson.linear_decay(0.2, step, 300) if decay else 0.2
            optimizer.step({"w": 2 * (params["w"] + torch.randn(10_000, generator=noise))})
        off.append(params["w"].square().mean().sqrt().item())
    assert off == pytest.approx([0.5, 0.13], abs=0.01)
