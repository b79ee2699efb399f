"""The numbers that lesson 24 states."""

import shutil
import time
from collections.abc import Mapping
from functools import partial
from typing import cast

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from curriculum.data import load
from curriculum.pair import Case
from lessons import lesson24_speed as lesson
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson17_mnist import MLP, first_weights, torch_step
from tests.support.lessons import bars, shown

EAGER, BY_HAND, FAST, FLOOR = lesson.EAGER, "lesson 17 by hand", "FastMLP", lesson.FLOOR
BF16 = "by hand, bf16 products"


def fast(sizes: tuple[int, ...] = lesson.SIZES) -> lesson.FastMLP:
    model = lesson.FastMLP(sizes)
    model.load_state_dict(first_weights(sizes, 1))
    return model


def batch(count: int, n_in: int = 784) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, n_in, generator=generator), torch.randint(10, (count,), generator=generator)


def test_eight_products_are_14540800_multiplications() -> None:
    rows = shown(lesson.eight_products).rows
    assert [name for name, *_ in rows] == [
        "784→128 output", "784→128 grad_weight",
        "128→64 output", "128→64 grad_weight", "128→64 grad_input",
        "64→10 output", "64→10 grad_weight", "64→10 grad_input",
    ]  # fmt: skip
    counts = [int(count.replace(",", "")) for _, count, *_ in rows]
    assert sum(counts) == 14_540_800
    assert [share for _, _, share, *_ in rows[:2]] == ["44.2%", "44.2%"]
    assert round(2 * counts[0] / sum(counts), 3) == 0.883
    assert all(float(us) > 0 for *_, us, _ in rows)


def test_autograd_does_the_same_eight_products() -> None:
    """PyTorch's own count for its own step: multiplications and additions."""
    _, step = lesson.engines()[EAGER]
    with FlopCounterMode(display=False) as torchs:
        step(*batch(64), 0.1)
    with FlopCounterMode(display=False) as ours:
        for job in lesson.products(lesson.SIZES, 64).values():
            job()
    assert torchs.get_total_flops() == ours.get_total_flops() == 2 * 14_540_800


@pytest.mark.parametrize("count", [1, 64])
def test_no_new_tensor_but_columns_from_the_second_batch_on(count: int) -> None:
    model, (x, target) = fast(), batch(count)
    with lesson.Counter() as first:
        model.step(x, target, 0.1)
    with lesson.Counter() as second:
        model.step(x, target, 0.1)
    columns = 4 * count * x.element_size()  # largest logit, logit of the target, sum, −1
    assert second.new_bytes == columns + x.element_size(), "and the loss"
    buffers = 2 * (128 + 64) + 10 + 1
    assert first.new_bytes == second.new_bytes + buffers * count * x.element_size()


def test_operations_and_memory_fall_from_row_to_row() -> None:
    rows = {row[0]: (row[1], float(row[2])) for row in shown(lesson.one_step_four_ways).rows}
    assert list(rows) == [EAGER, BY_HAND, FAST, FLOOR]
    assert rows[FLOOR] == (8, 0.0)
    assert rows[FAST][1] == 1.0
    assert rows[EAGER][0] > rows[BY_HAND][0] > rows[FAST][0]
    assert min(rows[EAGER][1], rows[BY_HAND][1]) > 4 * 109_386 / 1024, "they store every gradient"


def test_the_counter_tells_new_memory_from_old() -> None:
    x = torch.zeros(100)
    with lesson.Counter() as counter:
        x.view(10, 10).t().add_(1)
        torch.add(x, 1, out=x)
    assert (counter.operations, counter.new_bytes) == (4, 0)
    with lesson.Counter() as counter:
        _, places = (x + 1).max(0)
    assert (counter.operations, counter.new_bytes) == (2, 100 * 4 + 4 + 8), (
        "a sum, a largest, its int64 place"
    )
    assert places.dtype == torch.int64


def test_buffers_stay_where_they_are() -> None:
    """Also when a smaller last batch comes in between."""
    model = fast()

    def places() -> dict[object, list[int]]:
        return {key: [t.data_ptr() for t in (*a, *b, c)] for key, (a, b, c) in model.buffers.items()}

    model.step(*batch(64), 0.1)
    before = places()
    model.step(*batch(45), 0.1)
    model.step(*batch(64), 0.1)
    assert len(places()) == 2
    assert before.items() <= places().items()
    weight = model.params["0.weight"]
    model.step(*batch(64), 0.1)
    assert model.params["0.weight"] is weight, "parameters change in place"


def test_a_loss_outlives_the_next_step() -> None:
    model = fast()
    first = model.step(*batch(8), 0.1)
    value = first.item()
    model.step(*batch(8), 0.1)
    assert first.item() == value
    assert first.shape == ()


def test_the_loss_is_the_one_before_the_step() -> None:
    model, (x, target) = fast(), batch(8)
    before = torch.nn.functional.cross_entropy(model.forward(x), target)
    torch.testing.assert_close(model.step(x, target, 0.5), before)


def test_using_the_model_between_two_steps_disturbs_nothing() -> None:
    used, left_alone, (x, target) = fast(), fast(), batch(8)
    for model in (used, left_alone):
        model.step(x, target, 0.1)
    logits = used.forward(x)
    copy = logits.clone()
    torch.testing.assert_close(logits, MLP.forward(left_alone, x), rtol=0, atol=0)
    for model in (used, left_alone):
        model.step(x, target, 0.1)
    assert torch.equal(logits, copy), "answers are not in a buffer"
    for name, value in used.params.items():
        assert torch.equal(value, left_alone.params[name])


def test_the_slope_at_exactly_0_is_0() -> None:
    """One neuron with weight and bias 0 stands at its kink: nothing may reach its weights."""
    model = fast((3, 2, 10))
    model.params["0.weight"][0], model.params["0.bias"][0] = 0.0, 0.0
    other = model.params["0.weight"][1].clone()
    model.step(*batch(64, 3), 0.5)
    assert model.params["0.weight"][0].abs().sum() == 0
    assert model.params["0.bias"][0] == 0
    assert not torch.equal(model.params["0.weight"][1], other)


@pytest.mark.parametrize("lr", [0.3, torch.tensor(0.3)])
def test_the_rate_may_be_a_number_or_a_tensor(lr: float | Tensor) -> None:
    model, (reference, step) = fast((784, 5, 10)), lesson.engines((784, 5, 10))[EAGER]
    model.load_state_dict(reference)
    model.step(*batch(7), lr)
    step(*batch(7), 0.3)
    for name, value in model.params.items():
        torch.testing.assert_close(value, reference[name], rtol=1e-5, atol=1e-6)


def test_a_rate_of_0_changes_nothing() -> None:
    model = fast()
    model.step(*batch(8), 0.0)
    for name, value in first_weights(lesson.SIZES, 1).items():
        assert torch.equal(model.params[name], value)


def test_sure_and_wrong_by_a_thousand_stays_finite() -> None:
    logits, target = torch.tensor([[1000.0, 0.0], [0.0, -1000.0]]), torch.tensor([1, 0])
    loss, slope = lesson.loss_and_slope(logits, target, torch.ones(2))
    assert loss.item() == 500
    assert slope.tolist() == [[1, -1], [0, 0]]


def test_buffers_are_where_and_of_what_the_digits_are() -> None:
    """The meta device has shapes and no numbers: a tensor made elsewhere would not mix."""
    with torch.device("meta"):
        model = lesson.FastMLP((4, 3, 2))
        loss = model.step(torch.ones(5, 4), torch.zeros(5, dtype=torch.int64), 0.1)
    assert loss.device.type == "meta"
    for name, param in model.params.items():
        param_in_double = torch.zeros(param.shape, dtype=torch.float64)
        model.layers[int(name[0])].params[name[2:]] = param_in_double
    loss = model.step(torch.ones(5, 4, dtype=torch.float64), torch.zeros(5, dtype=torch.int64), 0.1)
    assert (loss.dtype, loss.device.type) == (torch.float64, "cpu")


def test_other_dtypes_and_leaving_inference_mode_raise() -> None:
    model, (x, target) = fast(), batch(3)
    with pytest.raises(RuntimeError, match="dtype"):
        model.step(x.double(), target, 0.1)
    with torch.inference_mode():
        model.step(x, target, 0.1)
    with pytest.raises(RuntimeError, match="inference"):
        model.step(x, target, 0.1)


@pytest.mark.parametrize("name", [EAGER, BY_HAND, FAST])
@pytest.mark.slow
def test_a_profile_has_three_shares_and_products_are_one(name: str) -> None:
    product, other, between = lesson.torch_profile(lesson.engines()[name][1])
    assert product + other + between == pytest.approx(1)
    assert min(product, other, between) > 0


@pytest.mark.slow
def test_products_are_a_larger_share_of_larger_batches() -> None:
    """Over a hundred times as many digits, so that no busy moment can hide it."""
    _, step = lesson.engines()[EAGER]
    small = lesson.torch_profile(step, batch=8)
    large = lesson.torch_profile(step, batch=1024, times=2)
    assert large[0] > small[0] + 0.1


@pytest.mark.slow
def test_the_profile_is_drawn_for_both_batch_sizes() -> None:
    left, right = shown(lesson.the_profile).axes
    for axis, title in ((left, "64 digits"), (right, "512 digits")):
        assert axis.get_title() == title
        assert len(bars(axis)) == 9
        assert axis.get_xscale() == "linear"


def test_every_way_is_a_row_with_both_batch_sizes() -> None:
    table = shown(lesson.every_way)
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(table.columns)[1::2] == ["64 digits: µs", "512 digits: µs"]
    assert set(rows) == {
        EAGER, "torch, fused SGD", "torch, bf16 products", BY_HAND, FAST, BF16, FLOOR, FLOOR + ", bf16",
    }  # fmt: skip
    assert (rows[FLOOR][1], rows[FLOOR][3]) == ("1.00", "1.00")
    assert all(len(cells) == 4 for cells in rows.values())
    times = [[float(cell.replace(",", "")) for cell in cells] for cells in rows.values()]
    assert all(large > small > 0 for small, _, large, _ in times)


def test_slow_jobs_are_called_less_often() -> None:
    calls: dict[str, int] = {"fast": 0, "slow": 0}

    def job(name: str, seconds: float) -> None:
        calls[name] += 1
        time.sleep(seconds)

    jobs = {"fast": partial(job, "fast", 0), "slow": partial(job, "slow", 2 * lesson.LONGEST_ROUND)}
    lesson.timed(jobs, calls=20, rounds=1)
    assert calls["slow"] < 8 < 20 <= calls["fast"]


def test_products_by_hand_in_bf16_are_near_autocast_and_near_float32() -> None:
    """A sum near 0 may fall on the other side of a ReLU's bend: some gradients change as a whole."""
    x, target = batch(64)
    start = first_weights(lesson.SIZES, 1)
    by_hand, exact, theirs = lesson.bf16_mlp(lesson.SIZES), MLP(lesson.SIZES), lesson.TorchMLP(lesson.SIZES)
    for model in (by_hand, exact, theirs):
        model.load_state_dict(start)
    grads = []
    for model in (by_hand, exact):
        criterion = CrossEntropyLoss()
        criterion.forward(model.forward(x), target)
        model.backward(criterion.backward())
        grads.append(torch.cat([grad.flatten() for grad in model.grads.values()]))
        assert grads[-1].dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        torch.nn.functional.cross_entropy(theirs(x), target).backward()
    autocast = torch.cat([p.grad.flatten() for p in theirs.parameters() if p.grad is not None])
    assert autocast.dtype == torch.float32
    for other in (grads[1], autocast):
        apart = (grads[0] - other).norm() / other.norm()
        assert 1e-4 < apart < 0.15
    assert all(param.dtype == torch.float32 for param in by_hand.params.values())


def test_steps_smaller_than_half_a_distance_are_lost_in_bf16() -> None:
    for lr in (0.02, 0.005):
        wide, short = lesson.both_formats(lr)
        assert min(moved for moved, _ in wide) > 0.99
        assert max(moved for moved, _ in short) < 0.5
        for (_, loss), (_, coarse) in zip(wide, short, strict=True):
            assert coarse > loss + 0.02, "from each start"
    rows = [row[2] for row in shown(lesson.weights_in_bf16).rows]
    assert rows[::2] == ["100 to 100"] * 2


def test_at_a_large_rate_most_steps_are_large_enough() -> None:
    wide, short = lesson.both_formats(0.2)
    assert all(0.7 < moved < 0.93 for moved, _ in short)
    sides = [sorted(loss for _, loss in side) for side in (wide, short)]
    assert sides[0][0] < sides[1][2] < sides[0][-1], "the middle one lies among those of float32"


def test_products_grow_with_the_batch_and_what_is_between_them_hardly() -> None:
    """Of the step by hand; as times, not as shares."""
    _, step = lesson.engines()[BY_HAND]
    times = []
    for count in (64, 512):
        x, target = batch(count)
        seconds = lesson.timed({"step": partial(step, x, target, 0.01)}, calls=20, rounds=3)["step"]
        times.append([seconds * share for share in lesson.torch_profile(step, count)])
    grown = [large / small for small, large in zip(*times, strict=True)]
    assert grown[0] > 1.5 * grown[2]


def test_the_moved_shares_and_losses_are_as_told() -> None:
    for lr, moved, losses in ((0.02, (20, 35), (1.27, 1.46)), (0.005, (5, 11), (2.18, 2.28))):
        for share, loss in lesson.both_formats(lr)[1]:
            assert moved[0] < 100 * share < moved[1]
            assert losses[0] < loss < losses[1]


@pytest.mark.slow
def test_torch_compile_is_a_row() -> None:
    if not shutil.which("g++") and not shutil.which("clang++"):
        pytest.skip("needs a C++ compiler")
    rows = {row[0]: row for row in lesson.speed_table(compiler=True, batches=(64,)).rows}
    assert float(rows["torch.compile"][2]) > 0.5


def test_all_rungs_of_the_ladder_find_the_same_losses() -> None:
    with Case(dtype=torch.float64).defaults():
        assert (len(load("digits").train.x), 18 * 64 + 45) == (1197, 1197)
        *others, reference = (torch.tensor(run()) for run in lesson.ladder().values())
    assert len(others) == 4
    assert len(reference) == 19
    for losses in others:
        torch.testing.assert_close(losses, reference, rtol=1e-9, atol=1e-9)
    assert reference[-1] < reference[0] - 0.5, "and they learn"


def test_converted_pictures_are_the_tensors() -> None:
    data = load("digits")
    pictures = lesson.TorchPictures(data)
    assert len(pictures) == len(data.train.x)
    for index in (0, 700, 1196):
        x, target = pictures[index]
        torch.testing.assert_close(x, data.train.x[index], rtol=0, atol=1e-5)
        assert target == data.train.target[index]


def test_the_figure_has_a_bar_and_a_gain_for_every_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(jobs: Mapping[str, object], calls: int, rounds: int) -> dict[str, float]:
        return dict(zip(jobs, (0.4, 0.1, 0.05, 0.04, 0.02), strict=True))

    monkeypatch.setattr(lesson, "timed", made_up)
    (axis,) = lesson.the_ladder().axes
    assert axis.get_xscale() == "linear", "bars on a log axis mislead"
    assert [bar.get_width() for bar in bars(axis)] == pytest.approx([400, 100, 50, 40, 20])
    assert [text.get_text() for text in axis.texts] == [
        "400.0 ms",
        "100.0 ms · 4.0 × faster",
        "50.0 ms · 2.0 × faster",
        "40.0 ms · 1.2 × faster",
        "20.0 ms · 2.0 × faster",
    ]


def test_times_are_the_quickest_and_jobs_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    jobs = {name: partial(calls.append, name) for name in "ab"}
    seconds = lesson.timed(jobs, calls=1, rounds=3)
    assert list(seconds) == ["a", "b"]
    assert all(value > 0 for value in seconds.values())
    turns = [name for i, name in enumerate(calls) if i == 0 or calls[i - 1] != name]
    assert turns == ["a", "b"] * 4, "the first tells how often to call"
    found = iter((1.0, 1.0, 5.0, 6.0, 3.0, 4.0))  # how often to call; then two rounds of two jobs
    monkeypatch.setattr(lesson, "seconds_a_call", lambda job, calls: next(found))
    assert lesson.timed(jobs, calls=1, rounds=2) == {"a": 3.0, "b": 4.0}


def test_compiled_gradients_are_the_eager_ones() -> None:
    """`torch.compile` without a compiler: its capture of both passes, run as it was taken down."""
    models = [lesson.TorchMLP((6, 5, 10)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    compiled = cast(torch.nn.Module, torch.compile(models[1], backend="aot_eager"))
    steps = torch_step(models[0]), torch_step(compiled)
    for step in steps:
        for count in (4, 3):
            step(*batch(count, 6), 0.1)
    for name, value in models[0].state_dict().items():
        torch.testing.assert_close(value, models[1].state_dict()[name])
