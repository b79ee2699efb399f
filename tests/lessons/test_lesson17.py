"""The numbers that lesson 17 states."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from curriculum.data import load
from curriculum.data_names import OFFLINE_DIGITS
from curriculum.pair import compare, layer_pair
from lessons import lesson17_mnist as lesson
from lessons.lesson11_training import accuracy
from tests.support.lessons import shown, xs, ys

SEEDS = range(5)


def on_mnist() -> Any:
    data = lesson.data_set()
    if data.name == OFFLINE_DIGITS:
        pytest.skip("needs MNIST")
    return data


# ---------------------------------------------------------------- both sides learn the same


@pytest.mark.idea("D9", "B6")
@pytest.mark.slow
def test_both_sides_learn_to_read() -> None:
    data, scratch, torch_side = lesson.trained_both()
    lowest = 0.85 if data.name == OFFLINE_DIGITS else 0.97
    for side in (scratch, torch_side):
        assert side.val_acc[0] < 0.3, "untrained, it guesses"
        assert accuracy(side.logits(data.test.x), data.test.target) > lowest


@pytest.mark.slow
@pytest.mark.idea("D9", "B6")
def test_fifteen_epochs_read_98_of_100_test_digits() -> None:
    data = on_mnist()
    side = lesson.trained_by_hand(15)
    assert side.val_acc[-1] > 0.978
    assert accuracy(side.logits(data.test.x), data.test.target) > 0.978


@pytest.mark.slow
def test_the_losses_are_equal_at_first_and_the_accuracy_to_the_end() -> None:
    _, scratch, torch_side = lesson.trained_both()
    assert (scratch.losses[:20] - torch_side.losses[:20]).abs().max() <= 1e-5
    assert abs(scratch.val_acc[-1] - torch_side.val_acc[-1]) < 0.005
    for _, ours, theirs, apart in shown(lesson.the_first_losses).rows:
        assert abs(float(ours) - float(theirs)) <= 1e-5
        assert apart <= 1e-5


@pytest.mark.slow
def test_three_epochs_have_2346_steps() -> None:
    assert 3 * -(-50_000 // lesson.BATCH_SIZE) == 2346
    data, scratch, _ = lesson.trained_both()
    assert len(scratch.losses) == 3 * -(-len(data.train.x) // lesson.BATCH_SIZE)


# ---------------------------------------------------------------- the nearest picture


def test_the_nearest_picture_on_paper() -> None:
    stored = torch.tensor([[9.0, 0, 9, 0], [9, 9, 0, 0]])
    assert lesson.nearest(torch.tensor([[8.0, 1, 7, 1], [0, 9, 0, 9]]), stored).tolist() == [0, 1]


def test_nearest_is_what_all_distances_say() -> None:
    generator = torch.Generator().manual_seed(0)
    x, stored = (torch.randn(n, 20, generator=generator, dtype=torch.float64) for n in (300, 70))
    assert torch.equal(lesson.nearest(x, stored), torch.cdist(x, stored).argmin(1))


@pytest.mark.slow
def test_the_nearest_neighbour_misreads_288() -> None:
    """The number that the lesson keeps, because counting takes too long."""
    assert lesson.misread_by_nearest(on_mnist()) == pytest.approx(lesson.NEAREST_ON_MNIST, abs=1)


@pytest.mark.slow
def test_the_blurred_nearest_neighbour_misreads_217() -> None:
    assert lesson.misread_by_nearest(on_mnist(), blur=True) == pytest.approx(lesson.BLURRED_ON_MNIST, abs=1)


def test_on_the_small_scans_the_nearest_neighbour_misreads_5_and_the_blurred_one_8() -> None:
    assert lesson.misread_by_nearest(load("digits")) == 5
    assert lesson.misread_by_nearest(load("digits"), blur=True) == pytest.approx(8, abs=1)


def test_blurring_gives_a_neighbour_061_and_makes_all_pictures_equally_long() -> None:
    dot = torch.zeros(2, 28, 28)
    dot[0, 10, 12] = 1
    dot[1, 10, 12] = 5
    soft = lesson.blurred(dot)
    assert torch.allclose(soft.norm(dim=1), torch.ones(2))
    assert torch.allclose(soft[0], soft[1])
    picture = soft[0].view(28, 28)
    assert (picture[10, 13] / picture[10, 12]).item() == pytest.approx(0.61, abs=0.005)
    assert (picture[9, 12] / picture[10, 12]).item() == pytest.approx(0.61, abs=0.005)


def test_blurred_the_moved_stroke_is_near_again() -> None:
    one, moved, seven = torch.zeros(3, 28, 28)
    one[8:20, 13] = moved[8:20, 14] = 1
    seven[8, 8:20] = 1
    stored = torch.stack([one, seven])
    ours = lesson.blurred(torch.stack([moved, one, seven]))
    assert torch.cdist(ours[:1], ours[1:]).argmin() == 0
    plain = (moved - stored).square().sum((1, 2))
    blurred = torch.cdist(ours[:1], ours[1:])[0].square()
    assert blurred[0] / blurred[1] < plain[0] / plain[1] / 2


# ---------------------------------------------------------------- errors beside baselines


@pytest.mark.idea("D9", "B6")
@pytest.mark.slow
def test_the_mlp_stands_below_its_baselines() -> None:
    data = on_mnist()
    axis = shown(lesson.errors_beside_baselines).axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names[:3] == ["always says 1", "linear, 784–10", "nearest neighbour"]
    assert names[3:] == ["the same, blurred", "MLP, by hand", "MLP, PyTorch"]
    rings = [xs(line)[0] for line in axis.lines if len(xs(line)) == 1]
    bars = [xs(line) for line in axis.lines if len(xs(line)) == 2]
    assert rings[0] == pytest.approx(100 * (data.val.target != 1).double().mean().item())
    assert rings[1] > 2 * rings[2]
    for mlp in rings[4:]:
        assert mlp < 0.9 * rings[2]
    ends = [float(end) for bar in bars for end in bar]
    assert ends == pytest.approx([7.05, 7.22, 2.24, 2.4, 2.24, 2.4])


@pytest.mark.slow
def test_errors_of_five_starts() -> None:
    data = on_mnist()
    x = data.val.x
    for seed in SEEDS:
        by_hand = lesson.misread(lesson.trained_by_hand(3, seed).logits(x), data.val)
        by_torch = lesson.misread(lesson.trained_by_torch(seed).logits(x), data.val)
        linear = lesson.misread(lesson.trained_by_hand(3, seed, (784, 10)).logits(x), data.val)
        assert 212 <= by_hand <= 252, seed
        assert 212 <= by_torch <= 252, seed
        assert 695 <= linear <= 735, seed


@pytest.mark.slow
def test_twice_the_rate_reads_better_with_the_mlp_and_15_epochs_beat_every_neighbour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = on_mnist()
    after_15 = lesson.misread(lesson.trained_by_hand(15).logits(data.val.x), data.val)
    assert after_15 < lesson.BLURRED_ON_MNIST - 10
    monkeypatch.setattr(lesson, "LR", 0.4)
    for seed in (0, 1):
        misread, _ = lesson.after_three_epochs(lesson.MLP(lesson.SIZES), data, seed)
        assert 205 <= misread <= 233


@pytest.mark.slow
def test_the_linear_networks_rate_is_the_best_of_those_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    data = on_mnist()
    found = {}
    for lr in (0.05, 0.1, 0.2, 0.5, 1.0):
        monkeypatch.setattr(lesson, "LR", lr)
        model = lesson.MLP((784, 10))
        model.load_state_dict(lesson.first_weights((784, 10), 0))
        side = lesson.run(lesson.scratch_step(model), model.forward, model.params, 3)
        found[lr] = lesson.misread(side.logits(data.val.x), data.val)
    assert found[0.2] <= min(found.values()) + 10


def test_the_work_for_one_digit() -> None:
    weights = sum(p.numel() for name, p in lesson.MLP(lesson.SIZES).params.items() if "weight" in name)
    assert round(weights, -3) == 109_000
    assert round(50_000 * 784, -6) == 39_000_000


def test_the_roots_of_the_counts() -> None:
    assert round(237**0.5) == 15
    assert round(288**0.5) == 17
    assert round((237 + 288) ** 0.5) == 23
    assert 288 - 237 > 2 * 23


@pytest.mark.slow
def test_on_the_small_scans_ranks_turn_with_the_epochs() -> None:
    data = load("digits")
    short = [lesson.after_three_epochs(lesson.MLP(lesson.SIZES), data, seed)[0] for seed in range(8)]
    long = [lesson.after_three_epochs(lesson.MLP(lesson.SIZES), data, seed, 39)[0] for seed in range(8)]
    assert 14 <= min(short) <= max(short) <= 29
    assert 3 <= min(long) <= max(long) <= 10


# ---------------------------------------------------------------- do both give the same answers?


def test_the_misread_ones_are_validation_digits_and_misread() -> None:
    data, scratch, _ = lesson.trained_both()
    wrong = lesson.misread(scratch.logits(data.val.x), data.val)
    titles = [text.get_text() for text in shown(lesson.the_misread_ones).axes[0].texts]
    assert len(titles) == min(24, wrong)
    said, right = zip(*(title.split(", is ") for title in titles), strict=True)
    assert all(one != other for one, other in zip(said, right, strict=True))


@pytest.mark.slow
def test_the_engines_start_equal() -> None:
    for line in shown(lesson.the_engines_drift_apart).axes[0].lines:
        assert len(ys(line)) == min(400, len(lesson.trained_by_hand().losses))
        assert ys(line)[20] <= 1e-5


def test_start_3_jumps_after_some_200_steps() -> None:
    on_mnist()
    start_3 = shown(lesson.the_engines_drift_apart).axes[0].lines[1]
    assert start_3.get_label() == "start 3"
    assert ys(start_3)[150] < 1e-5
    assert ys(start_3)[-1] > 1e-4


def test_no_jump_comes_before_a_sum_falls_on_different_sides_of_the_bend() -> None:
    """Both engines in step: the weights stay equal to 1e-5 until some ReLU is on for one side only."""
    data = on_mnist()
    ours, theirs = lesson.MLP(lesson.SIZES), lesson.TorchMLP(lesson.SIZES)
    for model in (ours, theirs):
        model.load_state_dict(lesson.first_weights(lesson.SIZES, 3))
    steps = (lesson.scratch_step(ours), lesson.torch_step(theirs))
    split = False
    batches = lesson.minibatches(len(data.train.x), lesson.BATCH_SIZE, torch.Generator().manual_seed(3))
    for count, rows in enumerate(itertools.islice(batches, 300)):
        x, target = data.train.x[rows], data.train.target[rows]
        with torch.no_grad():
            one, other = x, x
            for index, layer in enumerate(ours.layers[:-1]):
                one, other = layer.forward(one), theirs[index](other)
                if index % 2 == 0:
                    split = split or bool(((one > 0) != (other > 0)).any())
        lr = lesson.linear_decay(lesson.LR, count, 2346)
        for step in steps:
            step(x, target, lr)
        pairs = zip(ours.params.values(), theirs.parameters(), strict=True)
        apart = max((a - b.detach()).abs().max().item() for a, b in pairs)
        assert split or apart < 1e-5, count
    assert split
    assert apart > 1e-5


@pytest.mark.slow
def test_how_many_answers_differ_in_float32() -> None:
    x = on_mnist().val.x
    counts = []
    for seed in SEEDS:
        ours, theirs = lesson.trained_by_hand(3, seed), lesson.trained_by_torch(seed)
        counts.append(int((ours.logits(x).argmax(1) != theirs.logits(x).argmax(1)).sum()))
    assert max(counts) <= 60
    assert sum(counts) > 0


@pytest.mark.slow
def test_in_float64_no_answer_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    on_mnist()
    torch.set_default_dtype(torch.float64)
    try:
        data = load("mnist")
        monkeypatch.setattr(lesson, "data_set", lambda: data)
        for seed in (1, 2, 3):
            ours = lesson._by_hand.__wrapped__(3, seed, lesson.SIZES)
            theirs = lesson._by_torch.__wrapped__(seed)
            assert (ours.losses - theirs.losses).abs().max() < 1e-9
            assert torch.equal(ours.logits(data.val.x).argmax(1), theirs.logits(data.val.x).argmax(1))
    finally:
        torch.set_default_dtype(torch.float32)


# ---------------------------------------------------------------- a ReLU too many


def test_a_relu_too_many_is_caught() -> None:
    def pair(kind: Any) -> Any:
        return layer_pair(
            "mlp",
            lambda case: kind((case.n_in, 7, 6, case.n_out), True),
            lambda case: lesson.TorchMLP((case.n_in, 7, 6, case.n_out)),
        )

    assert [found for found in compare(pair(lesson.MLP)) if found.problem] == []
    assert [found for found in compare(pair(lesson.ReLUOnTheLogits)) if found.problem]


def test_a_relu_too_many_loses_digits_on_the_small_scans() -> None:
    right, wrong = shown(lesson.a_relu_too_many).rows
    assert int(right[1].split(" to ")[1]) < 32 < int(wrong[1].split(" to ")[0])
    assert right[2:] == ("0 to 0", "0 results differ")
    fewest, most = map(int, wrong[2].split(" to "))
    assert 1 <= fewest <= most <= 4
    assert int(wrong[3].split()[0]) > 0


@pytest.mark.slow
def test_on_mnist_four_of_five_starts_hide_it() -> None:
    data = on_mnist()
    *hidden, seen = (
        lesson.after_three_epochs(lesson.ReLUOnTheLogits(lesson.SIZES), data, seed) for seed in SEEDS
    )
    for misread, never in hidden:
        assert 207 <= misread <= 249
        assert never == 0
    assert 1150 <= seen[0] <= 1290
    assert seen[1] == 1


# ---------------------------------------------------------------- the test, and the pieces


def test_the_exam_counts_the_test_digits() -> None:
    data, *sides = lesson.trained_both()
    for (*_, words, wrong), side in zip(shown(lesson.final_exam).rows, sides, strict=True):
        assert wrong == lesson.misread(side.logits(data.test.x), data.test)
        right = accuracy(side.logits(data.test.x), data.test.target)
        assert words == f"{right:.2%} ± {200 * wrong**0.5 / len(data.test.x):.2f}"


def test_the_pixels_gradient_is_left_out_unless_asked_for() -> None:
    x, grad = torch.randn(5, 784), torch.randn(5, 10)
    full, short = lesson.MLP(lesson.SIZES, input_grad=True), lesson.MLP(lesson.SIZES)
    short.load_state_dict(full.params)
    for model in (full, short):
        model.forward(x)
    assert full.backward(grad).shape == (5, 784)
    assert short.backward(grad).shape == (5, 128)
    for name, value in full.grads.items():
        assert torch.equal(value, short.grads[name])


def test_shared_parameters_are_not_copied() -> None:
    model, other = lesson.MLP((4, 3, 2)), lesson.MLP((4, 3, 2))
    other.share(model.params)
    model.params["0.weight"].zero_()
    assert other.params["0.weight"].abs().sum() == 0


def test_a_run_that_was_stopped_goes_on_with_its_own_batches() -> None:
    digits = load("digits").train

    def losses(done: int) -> list[tuple[Tensor, float]]:
        seen: list[tuple[Tensor, float]] = []

        def step(x: Tensor, target: Tensor, lr: float) -> Tensor:
            seen.append((x, lr))
            return x.sum()

        list(lesson.learn(step, digits, 2, 500, 0.2, torch.Generator().manual_seed(0), done))
        return seen

    whole, rest = losses(0), losses(4)
    assert len(whole) == 6
    assert [lr for _, lr in rest] == [lr for _, lr in whole[4:]]
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(rest, whole[4:], strict=True))
