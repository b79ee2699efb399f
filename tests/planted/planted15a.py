"""Answers to exercise 15a as learners write them."""

import torch


class Base:
    def __init__(self, n, eps=1e-5):
        self.params, self.grads, self.eps = {"weight": torch.ones(n)}, {}, eps

    def forward(self, x):
        self.x = x.clone()
        self.inverse = torch.rsqrt(torch.einsum("bi,bi->b", x, x)[:, None] / x.shape[1] + self.eps)
        return self.params["weight"] * x * self.inverse

    def backward(self, grad_y):
        """dx = g/r − x (g·x)/(n r³)"""
        self.grads["weight"] = torch.einsum("bi,bi,bo->i", grad_y, self.x, self.inverse)
        g = self.params["weight"] * grad_y
        dot = torch.einsum("bi,bi->b", g, self.x)[:, None]
        return self.inverse * g - self.inverse**3 * self.x * dot / self.x.shape[1]


class RowByRow(Base):
    """The whole matrix of slopes of each row, in a loop."""

    def backward(self, grad_y):
        rows, n = [], self.x.shape[1]
        weight = torch.zeros(n)
        for x, inverse, grad in zip(self.x, self.inverse, grad_y, strict=True):
            slopes = inverse * torch.eye(n) - inverse**3 * torch.outer(x, x) / n
            rows.append(slopes @ (self.params["weight"] * grad))
            weight = weight + grad * x * inverse
        self.grads = {"weight": weight}
        return torch.stack(rows)


class LayerNormWithoutBias(Base):
    def forward(self, x):
        return super().forward(x - x.sum(1, keepdim=True) / x.shape[1])

    def backward(self, grad_y):
        n = self.x.shape[1]
        return super().backward(grad_y) @ (torch.eye(n) - 1 / n)


class EpsAfterTheRoot(Base):
    def forward(self, x):
        self.size = x.pow(2).mean(dim=1, keepdim=True).sqrt().add(self.eps)
        self.normed = x.div(self.size)
        return self.normed.mul(self.params["weight"])

    def backward(self, grad_y):
        self.grads["weight"] = torch.sum(grad_y * self.normed, dim=0)
        blame = grad_y * self.params["weight"]
        through = self.normed * torch.mean(blame * self.normed, dim=1, keepdim=True)
        return blame / self.size - through / self.size


class Length(Base):
    """Divides by the length of the row."""

    def forward(self, x):
        self.x = x.clone()
        self.inverse = (x.norm(dim=1, keepdim=True) ** 2 + self.eps) ** -0.5
        return x * self.inverse * self.params["weight"]

    def backward(self, grad_y):
        n = self.x.shape[1]
        straight = self.inverse * self.params["weight"] * grad_y
        return straight + n * (super().backward(grad_y) - straight)


class Constant(Base):
    def backward(self, grad_y):
        super().backward(grad_y)
        return self.inverse * self.params["weight"].expand_as(grad_y) * grad_y


class BareUpstream(Base):
    def backward(self, grad_y):
        self.grads["weight"] = (grad_y * self.x * self.inverse).sum(dim=0)
        dot = (grad_y * self.x).mean(dim=1, keepdim=True)
        return self.inverse * (grad_y - self.x * dot * self.inverse**2)


class WrongSign(Base):
    def backward(self, grad_y):
        straight = self.inverse * self.params["weight"] * grad_y
        return 2 * straight - super().backward(grad_y)


RIGHT = [Base, RowByRow]
WRONG = [
    ("row centred as in layer norm", LayerNormWithoutBias),
    ("epsilon outside the root", EpsAfterTheRoot),
    ("mean forgotten", Length),
    ("road through the root forgotten", Constant),
    ("weight forgotten in backward", BareUpstream),
    ("", WrongSign),
]
