"""The numbers that lesson 22 states."""

import itertools
from statistics import mean
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from curriculum.data import load
from lessons import lesson22_finetuning as lesson
from lessons.lesson17_mnist import MLP, SIZES, TorchMLP, first_weights
from tests.support.lessons import shown, ys

pytestmark = pytest.mark.slow

SEEDS = range(5)
CACHED = ("data_set", "tasks", "result", "new_task", "on_new_task", "asked", "forget")


@pytest.fixture
def on_mnist() -> None:
    if lesson.tasks().name != "MNIST":
        pytest.skip("needs MNIST")


@pytest.fixture
def on_scans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The lesson as it is without MNIST."""
    monkeypatch.setattr(lesson, "load", lambda name="digits": load("digits"))
    for name in CACHED:
        getattr(lesson, name).cache_clear()
    yield
    for name in CACHED:
        getattr(lesson, name).cache_clear()


def results(name: str, count: int) -> list[float]:
    return [lesson.result(name, count, seed) for seed in SEEDS]


def left(name: str) -> list[float]:
    """Old digits that are still read, %."""
    return [lesson.forget(name, seed)[0][-1][1] for seed in SEEDS]


def learned(name: str) -> list[float]:
    return [lesson.forget(name, seed)[0][-1][0] for seed in SEEDS]


# ---------------------------------------------------------------- what is frozen, what it costs


@pytest.mark.idea("E16")
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_frozen_weights_stay_bit_identical_and_the_others_move(frozen: int) -> None:
    way = lesson.WAYS["all"]._replace(frozen=frozen)
    tuned, before = lesson.tune(way, 20, 0).params, lesson.tasks().params
    kept = {name for name in before if torch.equal(tuned[name], before[name])}
    assert kept == {name for name in before if int(name[0]) < 2 * frozen}


@pytest.mark.idea("E16")
def test_old_gradients_of_frozen_layers_are_not_handed_out() -> None:
    model = MLP(SIZES)
    model.forward(torch.ones(2, 784))
    model.backward(torch.ones(2, 10))
    assert model.grads.keys() == model.params.keys()
    assert list(lesson.Frozen(model, 1).grads) == ["2.weight", "2.bias", "4.weight", "4.bias"]


@pytest.mark.idea("E16")
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_operations_saved_are_those_that_torch_counts(frozen: int) -> None:
    model, target = MLP(SIZES), TorchMLP(SIZES)
    lesson.torch_tuning_step(target, frozen)  # freezes
    tuned = lesson.Frozen(model, frozen)
    with FlopCounterMode(display=False) as by_torch:
        target(torch.ones(1, 784)).sum().backward()
    with FlopCounterMode(display=False) as by_hand:
        tuned.backward(torch.ones_like(tuned.forward(torch.ones(1, 784))))
    assert by_torch.get_total_flops() == by_hand.get_total_flops() == sum(lesson.operations(frozen))


@pytest.mark.idea("E16")
def test_frozen_features_can_be_kept() -> None:
    """The last layer on kept features learns what the whole frozen network learns, for 177 times less."""
    assert 454_400 // (2 * 2 * 64 * 10) == 177
    torch.set_default_dtype(torch.float64)
    try:
        whole, head = MLP(SIZES), MLP((64, 10))
        whole.load_state_dict(first_weights(SIZES, 0))
        head.load_state_dict({name: whole.params[f"4.{name[2:]}"] for name in head.params})
        part = lesson.few(load("digits").train, 60, 0)
        features = part.x
        for layer in whole.layers[:-1]:
            features = layer.forward(features)
        losses = lesson.sixty_digits(lesson.tuning_step(whole, 2))
        kept = lesson.Split(features, part.target)
        step = lesson.tuning_step(head, 0)
        again = [x.item() for x in lesson.learn(step, kept, 10, 20, 0.1, torch.Generator().manual_seed(0))]
        assert again == pytest.approx(losses, rel=1e-9)
        assert torch.allclose(head.params["0.weight"], whole.params["4.weight"], rtol=1e-9)
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_new_head_keeps_the_old_layers_and_nothing_of_the_old_head() -> None:
    model = MLP(SIZES)
    tuned = lesson.new_head(model, 5, 1)
    assert tuned.params["4.weight"].shape == (5, 64)
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
        assert torch.equal(tuned.params[name], model.params[name])
        assert tuned.params[name] is not model.params[name]


# ---------------------------------------------------------------- the same task, another hand


@pytest.mark.idea("E16")
def test_without_an_example_the_pretrained_network_is_as_it_was() -> None:
    model = MLP(SIZES)
    model.load_state_dict(lesson.tasks().params)
    before = lesson.percent(model, lesson.tasks().val)
    rows = shown(lesson.few_examples).rows
    assert [row[0] for row in rows] == list(lesson.counts())
    for name in lesson.WAYS:
        if name != "from nothing":
            assert set(results(name, 0)) == {before}
    assert before > 60
    assert max(results("from nothing", 0)) < 25
    assert rows[0][2] == f"{before:.0f}"


@pytest.mark.idea("E16")
def test_a_pretrained_start_wins_with_few_examples() -> None:
    """On either old task, and less so the more examples there are."""
    lead = []
    for count in lesson.counts():
        whole, nothing = results("all", count), results("from nothing", count)
        lead.append(mean(whole) - mean(nothing))
    assert lead[0] > lead[1] > lead[2] > lead[3]
    assert lead[1] > 10
    assert -1 < lead[3] < 4


@pytest.mark.idea("E16")
def test_the_numbers_from_mnist(on_mnist: None) -> None:
    everything = len(lesson.tasks().pool.x)
    wanted = {
        ("all", 0): 80.3,
        ("from nothing", 20): 66,
        ("from nothing", 100): 87,
        ("from nothing", everything): 95.6,
        ("last layer", 20): 83,
        ("last layer", everything): 94.8,
        ("all", 20): 86,
        ("all", everything): 98,
    }
    for (name, count), value in wanted.items():
        assert mean(results(name, count)) == pytest.approx(value, abs=2.5 if count < 50 else 1.2), name
    for name, lower, upper in (("from nothing", 96.5, 99), ("last layer", 96, 97.7), ("all", 97.7, 99.5)):
        for seed in range(3):
            longer = lesson.tune(lesson.WAYS[name], everything, seed, steps=2000)
            assert lower < lesson.percent(longer, lesson.tasks().val) < upper, name
    for seed in SEEDS:
        diverged = lesson.tune(lesson.WAYS["all"]._replace(lr=0.2), 100, seed)
        assert lesson.percent(diverged, lesson.tasks().val) < 85
        assert lesson.result("all, s = 0.1", 100, seed) > 90


@pytest.mark.idea("E16")
def test_each_ways_rate_is_near_the_best_of_those_tried() -> None:
    for name, way in lesson.WAYS.items():
        found = {}
        for lr in (0.02, 0.05, 0.1, 0.2):
            models = [lesson.tune(way._replace(lr=lr), 100, seed) for seed in range(3)]
            found[lr] = mean(lesson.percent(model, lesson.tasks().val) for model in models)
        assert found[way.lr] > max(found.values()) - 1.5, name


@pytest.mark.idea("E16")
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_all_layers_at_the_largest_rate_diverge(seed: int) -> None:
    model, part = MLP(SIZES), lesson.few(lesson.tasks().pool, 100, seed)
    model.load_state_dict(lesson.tasks().params)
    order = torch.Generator().manual_seed(seed)
    steps = lesson.learn(lesson.tuning_step(model, 0), part, 60, lesson.BATCH_SIZE, 0.2, order)
    losses = [loss.item() for loss in itertools.islice(steps, 20)]
    assert max(losses) > 10 * losses[0]


# ---------------------------------------------------------------- a truly new task


def on_new(name: str, count: int) -> tuple[list[float], list[float]]:
    found = [lesson.on_new_task(name, count, seed) for seed in SEEDS]
    return [new for new, _ in found], [old for _, old in found]


def a_new_task_gains_little() -> None:
    for count in (20, 500):
        nothing, _, last, whole = (mean(on_new(name, count)[0]) for name in lesson.NEW_WAYS)
        assert abs(whole - nothing) < 6
        assert last < min(whole, nothing) - 5
        old = on_new("last layer", count)[1]
        model, part = lesson.new_task().model, lesson.new_task().old
        assert set(old) == {lesson.percent(model, part)}, "frozen layers forget nothing"
        assert max(on_new("all", count)[1]) < old[0]


def test_a_new_task_gains_little_from_five_other_classes() -> None:
    a_new_task_gains_little()


def test_the_new_task_on_the_scans(on_scans: None) -> None:
    a_new_task_gains_little()
    for count, loss in ((20, 4), (100, 1), (500, 1)):
        lost = mean(on_new("from nothing", count)[0]) - mean(on_new("all", count)[0])
        assert lost == pytest.approx(loss, abs=2), count
    for count, noise, last in ((20, 78, 64), (500, 93, 90)):
        found = [mean(on_new(name, count)[0]) for name in ("last layer, the others random", "last layer")]
        assert found == pytest.approx((noise, last), abs=2), count
        assert found[0] > found[1] + 1, "random layers serve the head better"


def test_the_new_task_on_mnist(on_mnist: None) -> None:
    wanted = {
        20: (63, 46, 50, 62),
        100: (84.4, 66, 73.4, 85.1),
        500: (91.2, 75.4, 82.2, 92.3),
    }
    for count, values in wanted.items():
        found = [mean(on_new(name, count)[0]) for name in lesson.NEW_WAYS]
        assert found == pytest.approx(values, abs=1.5), count
        nothing, noise, last, whole = found
        assert abs(whole - nothing) < 1.7
        assert last > noise + 2
    assert lesson.percent(lesson.new_task().model, lesson.new_task().old) == pytest.approx(98, abs=0.3)
    old = on_new("all", 500)[1]
    assert 88 < min(old) < max(old) < 96


def test_other_rates_say_the_same_of_the_new_task(on_mnist: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = dict(lesson.NEW_WAYS)
    for lr in (0.05, 0.2):
        lesson.on_new_task.cache_clear()
        changed = {name: ways[name]._replace(lr=lr) for name in ("from nothing", "all")}
        monkeypatch.setattr(lesson, "NEW_WAYS", ways | changed)
        for count in (20, 100):
            lead = mean(on_new("all", count)[0]) - mean(on_new("from nothing", count)[0])
            assert abs(lead) < 1.9, (lr, count)
    lesson.on_new_task.cache_clear()


def test_heads_on_frozen_layers_have_learned_all_they_can(on_mnist: None) -> None:
    """Four times as many steps bring nothing: it is the layers that are measured."""
    for name in ("last layer, the others random", "last layer"):
        way = lesson.NEW_WAYS[name]
        for count in (20, 500):
            gains = []
            for seed in range(3):
                part = lesson.few(lesson.new_task().pool, count, seed)
                ends = []
                for steps in (1000, 4000):
                    start = lesson.new_task().model
                    if not way.pretrained:
                        start = MLP((*SIZES[:-1], 5))
                        start.load_state_dict(first_weights((*SIZES[:-1], 5), 200 + seed))
                    model = lesson.new_head(start, 5, 100 + seed)
                    lesson.practise_head(model, way.lr, part, seed, steps)
                    ends.append(lesson.percent(model, lesson.new_task().val))
                gains.append(ends[1] - ends[0])
            assert abs(mean(gains)) < 2, (name, count)


# ---------------------------------------------------------------- forgetting


def test_freezing_does_not_limit_forgetting_on_mnist(on_mnist: None) -> None:
    before = lesson.forget("all", 0)[0][0]
    assert before == pytest.approx((80.4, 97.75), abs=2)
    last, two, slow, whole = (left(name) for name in ("last layer", "last two", "all, s = 0.1", "all"))
    assert mean(last) < mean(two) < mean(slow) < mean(whole)
    assert mean(last) == pytest.approx(75.2, abs=2)
    assert mean(two) == pytest.approx(81.3, abs=1.5)
    assert mean(whole) == pytest.approx(87.9, abs=1)
    for name in lesson.FORGETTING:
        assert mean(learned(name)) == pytest.approx(97.9, abs=1.2), name
        assert min(learned(name)) > 94.5, name


def test_the_old_digits_are_known_and_not_said(on_mnist: None) -> None:
    for name in lesson.FORGETTING:
        for seed in SEEDS:
            assert lesson.among_five(name, seed) == pytest.approx(98.7, abs=1.0), name


def test_when_the_new_digits_are_learned_freezing_makes_no_difference(on_mnist: None) -> None:
    then = {name: [lesson.when_enough(name, seed) for seed in SEEDS] for name in ("last layer", "all")}
    for values in then.values():
        assert 87 < min(values) < max(values) < 97.5
    assert abs(mean(then["last layer"]) - mean(then["all"])) < 2.5
    for name, values in then.items():
        assert mean(values) > mean(left(name)) + 3, name


def test_a_small_rate_and_rehearsal_limit_it_on_mnist(on_mnist: None) -> None:
    assert mean(left("all, η = 0.01")) == pytest.approx(93.1, abs=1)
    assert mean(left("all, with 100 old digits")) == pytest.approx(94.4, abs=1)


def test_what_is_lost_is_called_5_to_9() -> None:
    old = lesson.only(lesson.tasks().old, range(5))
    for name in ("last layer", "last two", "all"):
        answer = lesson.forget(name, 0)[1].forward(old.x).argmax(1)
        wrong = answer != old.target
        share = (answer[wrong] > 4).double().mean().item()
        assert share > 0.95, name


def test_forgetting_on_the_scans(on_scans: None) -> None:
    for name in ("last layer", "last two", "all, s = 0.1", "all"):
        assert 13 < min(left(name)) < max(left(name)) < 46, name
        for seed in SEEDS:
            assert lesson.among_five(name, seed) > 93, name
    assert mean(left("all")) == pytest.approx(34, abs=4)
    assert mean(left("all, η = 0.01")) == pytest.approx(61, abs=4)
    assert mean(left("all, with 100 old digits")) == pytest.approx(94, abs=2.5)
    assert lesson.forgetting().columns[2].endswith("90")


def test_table_and_figure_show_what_was_measured() -> None:
    rows = {row[0]: row[1:] for row in shown(lesson.forgetting).rows}
    assert list(rows) == ["before", *lesson.FORGETTING]
    ends = [lesson.forget("all", seed)[0][-1][1] for seed in lesson.SEEDS]
    assert rows["all"][2] == f"{min(ends):.0f} to {max(ends):.0f}"
    assert len(rows["all"]) == len(rows["before"]) == 4
    new, old = shown(lesson.what_is_forgotten).axes
    for axis in (new, old):
        assert [len(ys(line)) for line in axis.lines] == [len(lesson.LOOKS)] * 4
    assert ys(old.lines[0])[-1] < ys(old.lines[0])[0] - 10
    assert ys(new.lines[0])[-1] > ys(new.lines[0])[0] + 10


# ---------------------------------------------------------------- the bug, and torch


def test_compare_finds_the_head_that_nobody_trains() -> None:
    rows = shown(lesson.a_head_that_nobody_trains).rows
    found = {(row[0], row[1]): row for row in rows}
    for learns in ("last layer", "all"):
        assert found[learns, "after the head"][4].startswith("0 of ")
        assert not found[learns, "before the head"][4].startswith("0 of ")
    for made, value in (("after", 0.20), ("before", 0.32)):
        first, last = found["all", f"{made} the head"][2:4]
        assert (first, last) == (pytest.approx(0.69, abs=0.01), pytest.approx(value, abs=0.02))
    assert found["last layer", "before the head"][3] > 0.68


@pytest.mark.idea("E16")
def test_torch_applies_a_gradient_left_from_before_the_freezing() -> None:
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    layer.requires_grad_(False)
    before = layer.weight.clone()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    assert not torch.equal(layer.weight, before)


def test_a_frozen_batch_norm_goes_on_averaging() -> None:
    norm = nn.BatchNorm1d(2).requires_grad_(False)
    norm(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert norm.running_mean is not None
    assert norm.running_mean.tolist() != [0.0, 0.0]
