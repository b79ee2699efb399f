"""Answers to exercise 06a as learners write them."""

import torch

from lessons.lesson05_losses import Loss


class LogSumExp(Loss):
    """Right: ln Σ e^z − z of the right class, with torch's own shifted logarithm of the sum."""

    def logits(self, prediction):
        return prediction

    def forward(self, prediction, target):
        z = self.logits(prediction)
        self.rows, self.target, log_sum = torch.arange(len(z)), target, torch.logsumexp(z, 1)
        self.p = torch.exp(z - log_sum[:, None])
        return self.reduce(log_sum - z[self.rows, target])

    def backward(self, grad_loss=None):
        grad = self.p.clone()
        grad[self.rows, self.target] -= 1
        return grad * self.share(len(grad), None if grad_loss is None else grad_loss.unsqueeze(1))


class RowByRow(LogSumExp):
    """Right: one example after the other."""

    def forward(self, prediction, target):
        self.rows, self.target, losses, p = torch.arange(len(target)), target, [], []
        for z, t in zip(prediction, target, strict=True):
            top = z.max()
            total = sum(torch.exp(value - top) for value in z)
            losses.append(torch.log(total) + (top - z[t]))
            p.append(torch.exp(z - top) / total)
        self.p = torch.stack(p)
        return self.reduce(torch.stack(losses))


class ThroughTheSoftmax(LogSumExp):
    def softmax(self, z):
        return (z - z.max(1, keepdim=True).values).exp()

    def log(self, p):
        return p.log()

    def forward(self, prediction, target):
        self.rows, self.target = torch.arange(len(target)), target
        e = self.softmax(prediction)
        self.p = e / e.sum(1)[:, None]
        return self.reduce(-self.log(self.p)[self.rows, target])


class StillTheFormula(ThroughTheSoftmax):
    def softmax(self, z):
        return z.exp()


class Floor(ThroughTheSoftmax):
    def log(self, p):
        return torch.maximum(p, torch.tensor(1e-12)).log()


class OneMaximum(ThroughTheSoftmax):
    def softmax(self, z):
        return (z - z.flatten().sort().values[-1]).exp()


class AboveZeroOnly(ThroughTheSoftmax):
    def forward(self, prediction, target):
        self.rows, self.target = torch.arange(len(target)), target
        z = prediction - torch.relu(prediction.max(dim=1, keepdim=True)[0])
        total = torch.exp(z).sum(dim=1)
        self.p = torch.exp(z) / total[:, None]
        return self.reduce(torch.log(total) - z[self.rows, target])


class Clipped(LogSumExp):
    def logits(self, prediction):
        return torch.clip(prediction, min=-50.0, max=50.0)


class ShiftsTheInput(LogSumExp):
    def logits(self, prediction):
        prediction -= prediction.max(1, keepdim=True)[0]
        return prediction


class AddsEpsilon(ThroughTheSoftmax):
    def log(self, p):
        return torch.log(p + 1e-8)


class DividesByTheLargest(LogSumExp):
    def logits(self, prediction):
        return prediction / prediction.abs().amax(1, keepdim=True)


RIGHT = [LogSumExp, RowByRow]
WRONG = [
    ("softmax not shifted", StillTheFormula),
    ("logarithm of a probability that became 0", ThroughTheSoftmax),
    ("probability held above 1e-12", Floor),
    ("shifted by the largest logit of the whole batch", OneMaximum),
    ("rows with no logit above 0 not shifted", AboveZeroOnly),
    ("logits held between −50 and 50", Clipped),
    ("input changed in place", ShiftsTheInput),
    ("", AddsEpsilon),
    ("", DividesByTheLargest),
]
