"""The numbers that lesson 16 states. They hold on MNIST and on the offline digits."""

from functools import cache
from statistics import mean
from typing import Any

import pytest
import torch
from torch import nn

from curriculum.data import load
from curriculum.pair import Case
from lessons import lesson16_overfitting as lesson
from lessons.lesson07_descent import numerical_gradient
from tests.support.lessons import shown, xs

pytestmark = pytest.mark.slow
MANY = range(24)


def on_mnist() -> bool:
    return lesson.setup().name == "MNIST"


# ---------------------------------------------------------------- E10: the gap


@pytest.mark.idea("E10")
def test_training_loss_falls_while_validation_loss_rises() -> None:
    step, train, val, new, _ = lesson.undefended().mean(0).T  # (15,) each
    assert step.tolist() == list(range(20, 301, 20))
    assert step[val.argmin()] == pytest.approx(40 if on_mnist() else 100, abs=20)
    assert val.argmin() < new.argmin() < 13, "the loss of new digits turns later"
    if on_mnist():
        assert step[new.argmin()] == pytest.approx(80, abs=20)
    assert train[-1] < 0.5 * train[val.argmin()], "the training loss falls on"
    assert val[-1] > 1.15 * val.min()
    assert new[-1] > 1.05 * new.min()
    (axis,) = shown(lesson.the_gap_opens).axes
    assert len(axis.lines) == 3


@pytest.mark.idea("E10")
def test_a_fifth_of_the_labels_is_wrong_in_training_and_validation() -> None:
    pool = lesson.setup().pool
    for seed in lesson.SEEDS:
        train, val, _ = lesson.drawn(seed)
        assert (len(train.x), len(val.x)) == (150, 50)
        for part, bad in ((train, 30), (val, 10)):
            truth = [pool.target[(pool.x == x).all(1)] for x in part.x]
            wrong = sum(label not in right for label, right in zip(part.target, truth, strict=True))
            assert wrong == bad
        removed = lesson.drawn(seed, labels="wrong ones removed")[0]
        corrected = lesson.drawn(seed, labels="corrected")[0]
        assert len(removed.x) == 120
        assert torch.equal(corrected.x, train.x)
        assert (corrected.target != train.target).sum() == 30
        assert torch.equal(val.target, lesson.drawn(seed, 1000)[1].target), "the same for all"


@pytest.mark.idea("E10")
def test_the_pictures_are_halved() -> None:
    data, halved = load(), lesson.setup()
    assert halved.pool.x.shape == (1197, 196)
    assert len(halved.new.x) == (1000 if on_mnist() else 300)
    small = nn.functional.avg_pool2d(data.train.x[:5].view(-1, 1, 28, 28), 2).flatten(1)
    assert torch.allclose(halved.pool.x[:5], small, atol=1e-6)
    assert torch.equal(halved.new.target, data.val.target[:1000])


@pytest.mark.idea("E10")
def test_the_parabola_and_the_line_are_the_best_fits() -> None:
    x, y = torch.tensor([0.0, 1, 2], dtype=torch.float64), torch.tensor([0.0, 1.3, 2], dtype=torch.float64)
    for degree, weights in ((1, [0.1, 1.0]), (2, [0.0, 1.6, -0.3])):
        powers = torch.stack([x**k for k in range(degree + 1)], 1)
        assert torch.linalg.lstsq(powers, y[:, None]).solution[:, 0].tolist() == pytest.approx(
            weights, abs=1e-9
        )


# ---------------------------------------------------------------- E11: the defences


@cache
def right(defence: str, seeds: range = MANY, **change: Any) -> list[float]:
    """Per cent of new digits that are read rightly, seed by seed."""
    options = {"every": 300} | lesson.DEFENCES.get(defence, {}) | change
    if "patience" in options:
        options["every"] = 20
    return [100 * lesson.learn(seed, **options)[0][-1].new_right for seed in seeds]


def gains(defence: str, **change: Any) -> list[float]:
    """Points more than without a defence, 24 seeds."""
    return [a - b for a, b in zip(right(defence, **change), right("none"), strict=True)]


# Means of 24 seeds, on MNIST and on the scans.
GAINS = {
    "control: wrong labels removed": (12, 15),
    "control: wrong labels corrected": (15, 16),
    "1,000 digits": (19, 16),
    "weight decay 0.1": (3, 2),
    "dropout 0.8": (5, 8),
    "augmentation": (5, 6),
    "early stopping": (4, 7),
    "16 hidden neurons": (-3, -3),
}


@pytest.mark.idea("E11")
@pytest.mark.parametrize("defence", GAINS)
def test_each_defence_gains_what_the_lesson_says(defence: str) -> None:
    assert mean(gains(defence)) == pytest.approx(GAINS[defence][0 if on_mnist() else 1], abs=1.2)


@pytest.mark.idea("E11")
def test_better_data_helps_most() -> None:
    for data in ("control: wrong labels removed", "control: wrong labels corrected", "1,000 digits"):
        assert min(gains(data)) > 0, "with every seed"
        for other in ("weight decay 0.1", "dropout 0.8", "augmentation", "early stopping"):
            assert mean(gains(data)) > mean(gains(other)) + 4


@pytest.mark.idea("E11")
def test_wrong_labels_teach_something_wrong() -> None:
    """120 digits with right labels teach more than the same and 30 with wrong ones."""
    removed, corrected = gains("control: wrong labels removed"), gains("control: wrong labels corrected")
    assert min(removed) > 5
    assert 0.3 < mean(corrected) - mean(removed) < 4


@pytest.mark.idea("E11")
def test_a_weak_dropout_gains_little_and_gains_do_not_add_up() -> None:
    weak = mean(gains("dropout 0.2", p=0.2))
    assert weak == pytest.approx(1 if on_mnist() else 2, abs=0.8)
    assert weak < mean(gains("dropout 0.8")) / 2
    both = mean(gains("both", p=0.8, patience=4))
    assert both == pytest.approx(5 if on_mnist() else 7, abs=1.2)
    alone = [mean(gains("dropout 0.8")), mean(gains("early stopping"))]
    assert both < sum(alone) - 2


@pytest.mark.idea("E11")
def test_weight_decay_harms_some_of_the_scans() -> None:
    harmed = sum(gain < 0 for gain in gains("weight decay 0.1")) / len(MANY)
    assert harmed < 0.1 if on_mnist() else 0.1 < harmed < 0.45


@pytest.mark.idea("E11")
@pytest.mark.parametrize("change", [{"steps": 100}, {"steps": 1000}, {"steps": 1000, "patience": 4}])
def test_the_smaller_model_reads_fewer_however_long_it_trains(change: dict[str, int]) -> None:
    options: dict[str, Any] = {"every": change["steps"]} | change
    small = right("small", lesson.SEEDS, hidden=16, **options)
    large = right("large", lesson.SEEDS, hidden=128, **options)
    assert mean(large) - mean(small) > 1


@pytest.mark.idea("E11")
def test_early_stopping_saves_more_than_a_hundred_steps() -> None:
    stops = [lesson.learn(seed, patience=4)[0][-1].after for seed in MANY]
    assert mean(stops) < 200


@pytest.mark.idea("E11")
@pytest.mark.parametrize(
    ("option", "tried", "chosen"),
    [("decay", (0.03, 0.06, 0.1, 0.2), 0.1), ("p", (0.5, 0.65, 0.8, 0.9), 0.8), ("shift", (1, 2, 3), 1)],
)
def test_the_strengths_were_chosen_by_the_validation_loss(
    option: str, tried: tuple[float, ...], chosen: float
) -> None:
    """On both data sets together, so each alone may differ a little: the lesson names all that were tried."""
    losses = {}
    for value in tried:
        change: dict[str, Any] = {option: value}
        runs = [lesson.learn(seed, every=300, **change)[0][-1] for seed in range(100, 108)]
        losses[value] = mean(run.val_loss for run in runs)
    order = sorted(losses, key=lambda value: losses[value])
    assert chosen in order[:2]


@pytest.mark.idea("E11")
def test_every_patience_stops_at_the_same_weights_mostly() -> None:
    """2, 4 or 8 looks made no difference to the validation loss of the eight seeds that chose."""
    losses = [
        mean(lesson.learn(seed, patience=patience)[0][-1].val_loss for seed in range(100, 108))
        for patience in (2, 4, 8)
    ]
    assert max(losses) - min(losses) < 0.05


@pytest.mark.idea("E11")
def test_table_and_figure_show_every_defence() -> None:
    table = shown(lesson.defences_in_numbers)
    assert [row[0] for row in table.rows] == ["none", *lesson.DEFENCES]
    assert len(lesson.DEFENCES) == 6 + 2, "six defences, and two controls"
    (axis,) = shown(lesson.seed_by_seed).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == list(lesson.DEFENCES)
    rings = [list(xs(line)) for line in axis.lines if line.get_markerfacecolor() == "none"]
    assert rings == [lesson.gains(name) for name in lesson.DEFENCES]
    for row in table.rows[1:]:
        assert row[3] == f"{mean(lesson.gains(row[0])):+.1f}"


@pytest.mark.idea("E11")
def test_shifting_moves_each_picture_by_one_pixel_at_most() -> None:
    x = torch.full((200, 14, 14), lesson.setup().background)
    x[:, 7, 5] = 9.0
    moved = lesson.shifted(x.flatten(1), torch.Generator().manual_seed(0)).view(-1, 14, 14)
    assert torch.equal(moved.flatten(1).sort().values, x.flatten(1).sort().values), "only moved"
    places = {tuple((picture == 9.0).nonzero()[0].tolist()) for picture in moved}
    assert places == {(row, column) for row in (6, 7, 8) for column in (4, 5, 6)}


@pytest.mark.idea("E11")
def test_no_number_of_neurons_between_is_best() -> None:
    shares = lesson.width_sweep().mean(1).tolist()
    assert len(shares) == len(lesson.WIDTHS) == 5
    assert shares[0] + 0.05 < shares[1] < shares[2] < shares[3]
    level = shares[3:] if on_mnist() else shares[2:]
    assert max(level) - min(level) < 0.035


@pytest.mark.idea("E11")
@pytest.mark.parametrize("change", [{"lr": 0.03}, {"lr": 0.3}, {"wrong": 0.0}, {"wrong": 0.4}])
def test_nor_is_one_best_at_other_rates_and_with_other_labels(change: dict[str, float]) -> None:
    options: dict[str, Any] = {"every": 300} | change
    few, many, most = (mean(right("width", range(5), hidden=n, **options)) for n in (16, 128, 512))
    assert most > many - 3
    assert most > few - 3


@pytest.mark.idea("E11")
@pytest.mark.parametrize("lr", [0.03, 0.3])
def test_at_other_rates_other_defences_help(lr: float) -> None:
    """Eight seeds; the strengths stay as they were chosen for the rate 0.1."""
    seeds = range(8)
    none = mean(right("none", seeds, lr=lr))
    found = {name: mean(right(name, seeds, lr=lr)) - none for name in lesson.DEFENCES}
    data = [found.pop(name) for name in list(found)[:3]]
    assert min(data) > 4
    assert min(data) > max(found.values())
    assert found["early stopping"] > -0.3
    assert found["16 hidden neurons"] < -1
    if lr == 0.03:
        assert found["augmentation"] < 0
        assert found["dropout 0.8"] < 2.5
    else:
        assert found["weight decay 0.1"] < 0
        assert found["dropout 0.8"] < -30 or on_mnist()


@pytest.mark.idea("E10")
def test_with_right_labels_validation_turns_when_new_digits_do(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = lesson.drawn

    def clean(seed: int, *options: Any) -> Any:
        train, val, generator = drawn(seed, *options)
        kept = torch.randperm(1197, generator=torch.Generator().manual_seed(seed))[:50]
        assert torch.equal(lesson.setup().pool.x[kept], val.x)
        return train, lesson.Split(val.x, lesson.setup().pool.target[kept]), generator

    noisy = torch.tensor([lesson.learn(seed)[0] for seed in range(12)]).mean(0)
    monkeypatch.setattr(lesson, "drawn", clean)
    right_labels = torch.tensor([lesson.learn(seed)[0] for seed in range(12)]).mean(0)
    turn = {
        name: int(run[run[:, 2].argmin(), 0]) for name, run in (("noisy", noisy), ("right", right_labels))
    }
    new = int(noisy[noisy[:, 3].argmin(), 0])
    assert turn["noisy"] < new
    assert abs(turn["right"] - new) <= 40


@pytest.mark.idea("E11")
def test_the_exact_fit_descends_twice() -> None:
    shares, lengths = lesson.exact_sweep().mean(1).T.tolist()
    by_width = dict(zip(lesson.FITTED, shares, strict=True))
    first = max(by_width[width] for width in (32, 64))
    assert max(by_width[width] for width in lesson.FITTED if width <= 130) == first
    lowest = min((32, 64, 100, 130, 150, 170, 200, 300), key=lambda width: by_width[width])
    assert lowest in (150, 170)
    assert by_width[lowest] == pytest.approx(0.13 if on_mnist() else 0.19, abs=0.06)
    assert by_width[1024] > first - 0.02
    assert by_width[lowest] < by_width[200] < by_width[300] < by_width[600] < by_width[1024]
    length = dict(zip(lesson.FITTED, lengths, strict=True))
    assert length[150] > 5 * length[64] > 10 * length[1024]
    if on_mnist():
        assert [length[64], length[150], length[1024]] == pytest.approx([14, 271, 2.1], rel=0.3)


@pytest.mark.idea("E11")
def test_notes_that_were_not_copied_are_found() -> None:
    cloned, not_copied = shown(lesson.notes_that_were_not_copied).rows
    assert (cloned[1] == cloned[2], cloned[3]) == (True, "equal")
    assert not_copied[2] > not_copied[1] + 0.01
    assert not_copied[3] != "equal"


@pytest.mark.idea("E11")
@pytest.mark.parametrize("p", [0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_dropout_is_torchs_to_the_last_bit(p: float) -> None:
    x = torch.randn(64, 33, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        ours = [lesson.Dropout(p).forward(x) for _ in range(2)]
        torch.manual_seed(5)
        theirs = [nn.functional.dropout(x, p) for _ in range(2)]
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)


@pytest.mark.idea("E11")
def test_dropout_keeps_the_mean_and_rests_in_eval() -> None:
    x = torch.full((1000, 100), 3.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = lesson.Dropout(0.5)
        y = layer.forward(x)
        grad = layer.backward(torch.ones_like(x))
    assert set(y.unique().tolist()) == {0.0, 6.0}
    assert y.mean().item() == pytest.approx(3, abs=0.05)
    assert torch.equal(grad, y / 3), "a silenced neuron gets no gradient"
    assert torch.equal(layer.eval().forward(x), x)
    assert not layer.training
    assert layer.train().training
    assert isinstance(lesson.Dropout(0.5).train(False), lesson.Dropout)


@pytest.mark.idea("E11")
def test_weight_decay_is_the_slope_of_the_squares() -> None:
    with Case().defaults():
        w, target, decay = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.3, 0.0, 1.0]), 0.7
        slope = numerical_gradient(lambda v: ((v - target) ** 2).sum() + decay / 2 * (v**2).sum(), w)
        moved = w.clone()
        lesson.DecayingSGD({"w": moved}, 1.0, decay).step({"w": 2 * (w - target)})
    assert (w - moved).tolist() == pytest.approx(slope.tolist(), abs=1e-8)


@pytest.mark.idea("E11")
def test_early_stopping_keeps_the_best_weights() -> None:
    w = torch.zeros(1)
    stopping = lesson.EarlyStopping({"w": w}, patience=2)
    answers = []
    for loss in (0.9, 0.5, 0.6, 0.4, 0.4, 0.45):
        answers.append(stopping.should_stop(loss))
        w += 1
    assert answers == [False] * 5 + [True], (
        "an equal loss is no new best, and a new best starts the count anew"
    )
    stopping.restore()
    assert w.item() == 3


# ---------------------------------------------------------------- E12: memorising


@pytest.mark.idea("E12")
def test_a_million_parameters_memorise_random_labels() -> None:
    _, right, on_new = lesson.memorise(True)
    assert right == 1.0
    assert on_new < 0.2, "chance is 0.1"


@pytest.mark.idea("E12")
def test_with_true_labels_the_same_network_reads() -> None:
    epochs, right, on_new = lesson.memorise(False)
    assert right == 1.0
    assert on_new > 0.8
    assert epochs < lesson.memorise(True)[0]


# ---------------------------------------------------------------- E13: standardise


@pytest.mark.idea("E13")
def test_standardised_houses_are_learned_and_raw_ones_are_not() -> None:
    raw, standardised = shown(lesson.houses_raw_and_standardised).rows
    assert raw[-1] == pytest.approx(0.28, abs=0.005)
    assert standardised[-1] < 1e-10
    for row, standardise in ((raw, False), (standardised, True)):
        others = [lesson.learn_houses(standardise, 10 ** (k / 2))[-1] for k in range(-20, 1)]
        assert min(loss for loss in others if loss == loss) >= row[-1], "the best of many rates"


@pytest.mark.idea("E13")
def test_the_data_are_standardised_with_training_digits_only() -> None:
    data = load()
    assert data.train.x.double().mean().item() == pytest.approx(0, abs=1e-3)
    assert data.train.x.double().std().item() == pytest.approx(1, abs=1e-3)
    assert abs(data.val.x.double().mean().item()) > 1e-6


# ---------------------------------------------------------------- E14: seeds


@pytest.mark.idea("E14")
def test_the_same_seed_gives_the_same_bits() -> None:
    again, other = shown(lesson.seeds_repeat_a_run).rows
    assert again[1:] == (0.0, True)
    assert other[1] > 0.01
    assert other[2] is False


@pytest.mark.idea("E14")
def test_only_the_seed_matters_and_the_global_generator_is_left_alone() -> None:
    runs = []
    for elsewhere in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(elsewhere)
            before = torch.get_rng_state()
            runs.append(lesson.learn(3, p=0.5, shift=1, steps=50))
            assert torch.equal(before, torch.get_rng_state())
    (looks, first), (looks_again, again) = runs
    assert looks == looks_again
    assert all(torch.equal(first[name], again[name]) for name in first)
