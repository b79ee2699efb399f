"""The numbers that lesson 16 states. They hold on MNIST and on the offline digits."""

import pytest
import torch
from torch import nn

from curriculum.pair import Case
from lessons import lesson16_overfitting as lesson
from lessons.lesson07_descent import numerical_gradient
from tests.support.lessons import shown

pytestmark = pytest.mark.slow


def mean_of(defence: str) -> tuple[float, float, float]:
    """Training loss, validation loss and validation accuracy at the end, mean of the three seeds."""
    return tuple(lesson.measured()[list(lesson.DEFENCES).index(defence), :, -1].mean(0).tolist())


# ---------------------------------------------------------------- E10: the gap


@pytest.mark.idea("E10")
def test_training_loss_falls_while_validation_loss_rises() -> None:
    train, val, _ = lesson.measured()[0].mean(0).T  # (20,) each
    lowest = int(val.argmin())
    assert 1 <= lowest < 15, "the validation loss turns round on the way"
    assert train[-1] < 0.5 * train[lowest], "the training loss falls on"
    assert val[-1] > 1.05 * val[lowest]
    assert val[-1] > 5 * train[-1], "the gap"


@pytest.mark.idea("E10")
def test_the_parabola_and_the_line_are_the_best_fits() -> None:
    x, y = torch.tensor([0.0, 1, 2], dtype=torch.float64), torch.tensor([0.0, 1.3, 2], dtype=torch.float64)
    for degree, weights in ((1, [0.1, 1.0]), (2, [0.0, 1.6, -0.3])):
        powers = torch.stack([x**k for k in range(degree + 1)], 1)
        assert torch.linalg.lstsq(powers, y[:, None]).solution[:, 0].tolist() == pytest.approx(
            weights, abs=1e-9
        )


# ---------------------------------------------------------------- E11: the defences


@pytest.mark.idea("E11")
def test_better_data_helps_most() -> None:
    data = [mean_of(name) for name in ("right labels", "1,000 examples", "augmentation")]
    other = [
        mean_of(name) for name in ("none", "weight decay 0.03", "dropout 0.5", "early stopping", "16 neurons")
    ]
    assert max(row[1] for row in data) < mean_of("none")[1]
    assert min(row[2] for row in data) > max(row[2] for row in other) + 0.01


@pytest.mark.idea("E11")
def test_early_stopping_helps_less_and_saves_steps() -> None:
    stopped = lesson.measured()[list(lesson.DEFENCES).index("early stopping")]
    assert (stopped[:, -1] == stopped[:, -2]).all(), "it stopped before the end"
    assert mean_of("none")[2] < mean_of("early stopping")[2] < mean_of("augmentation")[2]
    assert mean_of("early stopping")[1] < mean_of("none")[1]


@pytest.mark.idea("E11")
def test_weight_decay_and_dropout_change_little() -> None:
    for name in ("weight decay 0.03", "dropout 0.5"):
        assert mean_of(name)[1] < mean_of("none")[1]
        assert -0.01 < mean_of(name)[2] - mean_of("none")[2] < 0.04


@pytest.mark.idea("E11")
def test_the_smaller_model_does_not_help() -> None:
    assert mean_of("16 neurons")[1] > mean_of("none")[1]
    assert mean_of("16 neurons")[2] < mean_of("none")[2]


@pytest.mark.idea("E11")
def test_table_and_figure_show_every_defence() -> None:
    assert lesson.measured().shape == (8, 3, 20, 3)
    table = shown(lesson.defences_in_numbers)
    assert [row[0] for row in table.rows] == list(lesson.DEFENCES)
    loss, spread = (part[:, 1].tolist() for part in torch.std_mean(lesson.measured()[:, :, -1], 1)[::-1])
    assert [row[2] for row in table.rows] == [f"{m:.2f} ± {s:.2f}" for m, s in zip(loss, spread, strict=True)]
    labels = [label.get_text() for label in shown(lesson.gap_and_defences).axes[1].get_yticklabels()]
    assert labels == list(lesson.DEFENCES)


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
    data = lesson.data_set()
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
            runs.append(lesson.learn(3, p=0.5, augment=True, steps=50))
            assert torch.equal(before, torch.get_rng_state())
    (looks, first), (looks_again, again) = runs
    assert torch.equal(looks, looks_again)
    assert all(torch.equal(first[name], again[name]) for name in first)
