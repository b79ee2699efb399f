"""How unlike all training digits a picture is: the sign that it may be no digit.

A network answers whatever it is shown, often with confidence. Two numbers give strangers away: how far a
picture is from the nearest training digits of the class that it is taken for, and how small the network's
logits are altogether (their logsumexp, the energy of Liu and others, arXiv 2010.03759). Each is measured in
standard deviations of the validation digits. Their weighted sum decides: above what 92 of 100 validation
digits stay below, a picture may be no digit. The distance counts twice: of drawn photographs of 150 digits
and 120 other things it put 99.6 pairs of 100 in the right order, the logits 96.9, both together 99.7.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from curriculum.data import Data

NEAREST = 3  # the third nearest: one odd training digit vouches for nobody
CALIBRATION = 1_000  # validation digits
WEIGHT = 2.0  # of the distance, beside that of the logits
LEAST = -2.0  # standard deviations: more certainty does not count
TYPICAL = 0.92  # the share of validation digits that counts as digits


@dataclass(frozen=True)
class Novelty:
    """Judges pictures (count, 784), pixels from 0 to 1, of the network and the data that it was fitted to.

    logits: pictures → (count, classes).
    examples: blurred training pictures by class, each (count, 784).
    mean, std: (2,), of the two numbers over the validation pictures.
    limit: the score from which on a picture may be none of the classes.
    """

    logits: Callable[[Tensor], Tensor]
    examples: list[Tensor]
    mean: Tensor
    std: Tensor
    limit: float

    @classmethod
    def fit(cls, logits: Callable[[Tensor], Tensor], data: Data) -> "Novelty":
        """Keep the training digits, and learn from validation digits what is usual."""
        train = _blurred(data.images(data.train.x).flatten(1))
        classes = int(data.train.target.max()) + 1
        examples = [train[data.train.target == number] for number in range(classes)]
        pictures = data.images(data.val.x[:CALIBRATION]).flatten(1)
        numbers = _numbers(logits(pictures), pictures, examples)
        mean = numbers.mean(0)
        std = numbers.std(0)
        limit = _together((numbers - mean) / std).quantile(TYPICAL).item()
        return cls(logits, examples, mean, std, limit)

    def scores(self, pictures: Tensor) -> Tensor:
        """(count,): 0 for the mean validation digit, larger for what is stranger."""
        numbers = _numbers(self.logits(pictures), pictures, self.examples)
        return _together((numbers - self.mean) / self.std)


def _together(numbers: Tensor) -> Tensor:
    """(count, 2), in standard deviations → (count,).

    Large logits are usual, larger ones prove nothing: a picture full of noise has the largest.
    """
    distance, energy = numbers.unbind(1)
    return WEIGHT * distance + energy.clamp(min=LEAST)


def _numbers(logits: Tensor, pictures: Tensor, examples: list[Tensor]) -> Tensor:
    """(count, 2): distance to the class that the network answers, and the logits' negative logsumexp."""
    blurred = _blurred(pictures)
    answers = logits.argmax(1)
    distances = torch.empty(len(pictures))
    for number, known in enumerate(examples):
        here = answers == number
        if here.any():
            nearest = torch.cdist(blurred[here], known).topk(min(NEAREST, len(known)), largest=False)
            distances[here] = nearest.values[:, -1]
    # More ink means larger distances, digit or not.
    distances = distances / pictures.norm(dim=1).clamp(min=1).sqrt()
    return torch.stack([distances, -logits.logsumexp(1)], 1)


def _blurred(pictures: Tensor) -> Tensor:
    """Twice the mean of 3×3 neighbours (weights 1 2 1): a stroke a pixel aside is nearly the same."""
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = (line[:, None] * line)[None, None]
    images = pictures.view(-1, 1, 28, 28)
    for _ in range(2):
        images = torch.nn.functional.conv2d(images, kernel, padding=1)
    return images.flatten(1)
