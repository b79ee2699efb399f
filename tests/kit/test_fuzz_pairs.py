"""The fuzz campaign in short, and proof that it catches mistakes that only special inputs show."""

import pytest
import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results, layer_pair
from lessons.lesson03_activations import Activation, ReLU
from lessons.lesson06_cross_entropy import Softmax
from tests.torture.fuzz_pairs import (
    KINDS,
    Figures,
    Outcome,
    Trial,
    all_pairs,
    check,
    explore,
    infinities,
    smallest,
)


def test_the_lessons_stand_three_hundred_draws() -> None:
    figures = Figures()
    for outcome in explore(all_pairs(), 300, seed=0):
        figures.add(outcome)
    assert [(o.notes, o.trial.command()) for o in figures.defects] == []
    assert figures.tried == 300
    assert figures.kinds.keys() == KINDS.keys()
    assert figures.verdicts["agrees"] > 280, figures.verdicts
    assert figures.pairs.keys() == all_pairs().keys()


def test_the_same_seed_draws_the_same_trials() -> None:
    pairs = all_pairs()
    first, again, other = (explore(pairs, 5, seed) for seed in (1, 1, 2))
    assert [o.trial for o in first] == [o.trial for o in again] != [o.trial for o in other]


# ---------------------------------------------------------------- planted mistakes


class SoftmaxWithoutShift(Softmax):
    def forward(self, x: Tensor) -> Tensor:
        self.y = torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)
        return self.y


class SlopeAtMinusZero(ReLU):
    """Slope 1 at −0, as in a comparison of bits."""

    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * ((self.x > 0) | (self.x == 0) & self.x.signbit())


class SlopeAtZero(ReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * (self.x >= 0)


class OnlyContiguous(ReLU):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(-1)).view(x.shape)

    def backward(self, grad_y: Tensor) -> Tensor:
        self.x = self.x.view(grad_y.shape)
        return super().backward(grad_y)


class ReadsPastStrides(ReLU):
    """Takes the numbers as they lie in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.as_strided(x.shape, torch.empty(x.shape).stride()))


class ChangesAndRestores(ReLU):
    """Doubles every row in place and halves it afterwards. Rows in the same memory are doubled again."""

    def forward(self, x: Tensor) -> Tensor:
        for row in x:
            row *= 2
        y = super().forward(x) / 2
        for row in x:
            row /= 2
        return y


class FlushesTiny(ReLU):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.where(x.abs() > 1e-30, 0))


class TinyGradientLost(ReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(grad_y + 1e-20 - 1e-20)


class LosesDigits(ReLU):
    """Too little to see at 1, and 1e-6 of the value at 1e6."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1e-12 * x.detach() ** 2


class ArgmaxOfTies(Softmax):
    """Halves the shares where more than two tie for the first place."""

    def forward(self, x: Tensor) -> Tensor:
        first = (x == x.amax(-1, keepdim=True)) & (x != 0)
        y = super().forward(x)
        return y / torch.where(first.sum(-1, keepdim=True) > 2, 2.0, 1.0)


PLANTED: dict[type[Activation], tuple[str, str]] = {
    SoftmaxWithoutShift: ("logits", "worse than torch where not finite; ours nan"),
    SlopeAtMinusZero: ("zeros", "grad_x: off by"),
    SlopeAtZero: ("zeros", "grad_x: off by"),
    OnlyContiguous: ("transposed", "only ours raises RuntimeError: view size is not compatible"),
    ReadsPastStrides: ("strided", "worse than torch where not finite; ours nan"),
    ChangesAndRestores: ("expanded", "output: off by"),
    FlushesTiny: ("subnormal", "output: off by"),
    TinyGradientLost: ("subnormal upstream", "grad_x: off by"),
    LosesDigits: ("huge", "output: off by"),
    ArgmaxOfTies: ("constant", "output: off by"),
}


def planted(layer: type[Activation]) -> Pair:
    module = nn.Softmax(-1) if issubclass(layer, Softmax) else nn.ReLU()
    return layer_pair("planted", lambda case: layer(), lambda case: module)


@pytest.mark.parametrize("layer", PLANTED)
def test_planted_mistakes_are_caught(layer: type[Activation]) -> None:
    """Each agrees on a plain number, and the draws of its kind of input show it."""
    kind, seen = PLANTED[layer]
    pair = planted(layer)
    plain = check(Trial(0, "planted", batch=1, n_in=1), pair)
    assert (plain.verdict, plain.notes) == ("agrees", [])
    defects = [outcome for outcome in draws(pair, kind) if outcome.verdict == "defect"]
    assert any(seen in note for outcome in defects for note in outcome.notes)


def draws(pair: Pair, *kinds: str) -> list[Outcome]:
    return explore({(0, "planted"): pair}, 4 * len(kinds), seed=0, kinds=kinds)


@pytest.mark.parametrize("layer", [ReLU, Softmax])
def test_right_layers_pass_the_same_draws(layer: type[Activation]) -> None:
    assert {outcome.verdict for outcome in draws(planted(layer), *KINDS)} == {"agrees"}


class SlightlyTooLarge(ReLU):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (1 + 1e-8)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "zeros"])
def test_the_bound_is_tight_for_every_kind(kind: str) -> None:
    outcome = check(Trial(0, "planted", kind), planted(SlightlyTooLarge))
    assert outcome.verdict == "defect"
    assert [note.split(":")[0] for note in outcome.notes] == ["output"]


def test_a_finding_comes_in_its_smallest_form_with_what_repeats_it() -> None:
    pair = planted(OnlyContiguous)
    found = smallest(check(Trial(0, "planted", "transposed", 9, 9, 9, 7), pair), pair).trial
    assert found.command().endswith("--again 0 planted transposed 2 2 1 7 float64")


def test_what_torch_refuses_is_not_counted_against_us() -> None:
    def raises(case: Case) -> Results:
        raise ValueError("no")

    pair = Pair("refused", raises, raises)
    assert check(Trial(0, "refused"), pair).verdict == "refused"
    one_sided = check(Trial(0, "raises"), Pair("raises", raises, lambda case: {"y": torch.ones(1)}))
    assert (one_sided.verdict, one_sided.notes) == ("defect", ["only ours raises ValueError: no"])


@pytest.mark.parametrize(
    ("ours", "theirs", "relation"),
    [
        ([1.0, torch.inf, torch.nan], [2.0, torch.inf, torch.nan], "alike"),
        ([1.0, torch.nan], [1.0, 5.0], "worse"),
        ([1.0, 5.0], [1.0, torch.nan], "better"),
        ([1.0, torch.inf], [1.0, -torch.inf], "other"),
        ([1.0, torch.inf], [1.0, torch.nan], "other"),
    ],
)
def test_infinities_are_told_apart(ours: list[float], theirs: list[float], relation: str) -> None:
    assert infinities(torch.tensor(ours), torch.tensor(theirs)) == relation


@pytest.mark.parametrize(
    "trial",
    [
        Trial(9, "numbers: exp", "huge", seed=7),
        Trial(24, "two layers", "huge", 9, 4, 3, 978, "float32"),
    ],
)
def test_known_differences_are_still_there(trial: Trial) -> None:
    assert check(trial, all_pairs()[trial.lesson, trial.pair]).verdict == "known"
