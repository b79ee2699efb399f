"""Answers to exercise 02b as learners write them."""

import torch

from lessons.exercises import exercise02b_ladder as stub


class InPlace(stub.Ladder):
    """Right: one table of gradients, each neuron adds to the columns it has heard."""

    def backward(self, grad_y):
        grad = torch.cat((torch.zeros(len(grad_y), self.n_in), grad_y), 1)
        for k in reversed(range(len(self.neurons))):
            self.add(grad, self.n_in + k, self.neurons[k].backward(grad[:, self.n_in + k, None]))
        return grad[:, : self.n_in]

    def add(self, grad, column, part):
        grad[:, :column] += part


class ByFormula(stub.Ladder):
    """Right: the gradient of each neuron's sum, collected from those after it by their weights."""

    def forward(self, x):
        self.x, self.y = x, super().forward(x)
        return self.y

    def backward(self, grad_y):
        deltas, n = torch.zeros_like(grad_y), self.n_in
        for k in reversed(range(len(self.neurons))):
            total = grad_y[:, k].clone()
            for j in range(k + 1, len(self.neurons)):
                total += deltas[:, j] * self.neurons[j].params["weight"][0, n + k]
            deltas[:, k] = self.slope(self.y[:, k]) * total
            heard = torch.cat((self.x, self.y[:, :k]), 1)
            self.neurons[k].grads = {"weight": deltas[:, k][None] @ heard, "bias": deltas[:, k].sum()[None]}
        return sum(deltas[:, [k]] @ neuron.params["weight"][:, :n] for k, neuron in enumerate(self.neurons))

    def slope(self, y):
        return y * (1 - y)


class StillReplaced(InPlace):
    def add(self, grad, column, part):
        grad[:, :column] = part


class InputReplaced(InPlace):
    def add(self, grad, column, part):
        grad[:, self.n_in : column] += part[:, self.n_in :]
        grad[:, : self.n_in] = part[:, : self.n_in]


class TakenAway(InPlace):
    def add(self, grad, column, part):
        grad[:, :column] -= part


class Averaged(InPlace):
    def add(self, grad, column, part):
        grad[:, :column] = torch.stack((grad[:, :column], part)).mean(0)


class CutOff(stub.Ladder):
    def backward(self, grad_y):
        grad = torch.cat((torch.zeros(len(grad_y), self.n_in), grad_y), 1)
        for neuron in self.neurons[::-1]:
            neuron.backward(grad[:, -1:])
            grad = grad[:, :-1]
        return grad


class StartsFromOnes(ByFormula):
    def backward(self, grad_y):
        return super().backward(torch.full_like(grad_y, 1.0))


class NoSlope(ByFormula):
    def slope(self, y):
        return torch.ones_like(y)


class FirstToLast(stub.Ladder):
    def backward(self, grad_y):
        parts = [neuron.backward(grad_y[:, [k]]) for k, neuron in enumerate(self.neurons)]
        return torch.stack([part[:, : self.n_in] for part in parts]).sum(0)


RIGHT = [InPlace, ByFormula]
WRONG = [
    ("gradient not accumulated", StillReplaced),
    ("gradient of the input not accumulated", InputReplaced),
    ("sign", TakenAway),
    ("mean of the parts instead of their sum", Averaged),
    ("what a neuron hands back left out", CutOff),
    ("upstream gradient ignored", StartsFromOnes),
    ("", NoSlope),
    ("", FirstToLast),
]
