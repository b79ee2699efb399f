"""Answers to exercise 20a as learners write them."""

import torch

from lessons.lesson20_probes import saliency


def slopes(model, x, digit, baseline, weights):
    """The slopes at baseline · (1 − a) + x · a: (steps, batch, n_in)."""
    return torch.stack([saliency(model, torch.lerp(baseline.expand_as(x), x, a), digit) for a in weights])


def middles(steps):
    return [(2 * i + 1) / (2 * steps) for i in range(steps)]


def one_batch(model, x, digit, baseline, steps):
    a = torch.tensor(middles(steps), dtype=x.dtype)[:, None, None]
    way = (1 - a) * baseline + a * x
    slope = saliency(model, way.flatten(0, 1), digit.repeat(steps)).view(way.shape)
    return torch.einsum("bi,sbi->bi", x - baseline, slope) / steps


def piece_by_piece(model, x, digit, baseline, steps):
    result, step = torch.zeros_like(x), (x - baseline) / steps
    for a in middles(steps):
        result += step * saliency(model, x - (1 - a) * (x - baseline), digit)
    return result


def slope_times_moved(model, x, digit, baseline, steps):
    logits = model.forward(x)
    return model.backward(torch.eye(logits.shape[1], dtype=x.dtype)[digit]) * (x - baseline)


def total(model, x, digit, baseline, steps):
    return (x - baseline) * slopes(model, x, digit, baseline, middles(steps)).sum(0)


def only_the_mean_slope(model, x, digit, baseline, steps):
    return slopes(model, x, digit, baseline, middles(steps)).mean(0)


def from_black(model, x, digit, baseline, steps):
    return x * slopes(model, x, digit, torch.zeros_like(baseline), middles(steps)).mean(0)


def from_the_left(model, x, digit, baseline, steps):
    return (x - baseline) * slopes(model, x, digit, baseline, [i / steps for i in range(steps)]).mean(0)


def its_own_answer(model, x, digit, baseline, steps):
    result = torch.zeros_like(x)
    for a in middles(steps):
        point = x * a + baseline * (1 - a)
        result += saliency(model, point, model.forward(point).max(1).indices) / steps
    return result * (x - baseline)


def moved_in_place(model, x, digit, baseline, steps):
    slope = slopes(model, x.clone(), digit, baseline, middles(steps)).mean(0)
    return x.sub_(baseline) * slope


def times_x(model, x, digit, baseline, steps):
    return x * slopes(model, x, digit, baseline, middles(steps)).mean(0)


def from_the_right(model, x, digit, baseline, steps):
    return (x - baseline) * slopes(model, x, digit, baseline, [(i + 1) / steps for i in range(steps)]).mean(0)


RIGHT = [one_batch, piece_by_piece]
WRONG = [
    ("slope at x only", slope_times_moved),
    ("mean forgotten", total),
    ("distance forgotten", only_the_mean_slope),
    ("baseline taken for 0", from_black),
    ("left ends instead of middles", from_the_left),
    ("digit chosen anew at each point", its_own_answer),
    ("input changed in place", moved_in_place),
    ("", times_x),
    ("", from_the_right),
]
