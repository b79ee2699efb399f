"""Solution of exercise 15a."""

from torch import Tensor, nn

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise15a_rms_norm as stub

ANSWER = "RMSNorm"
REREAD = ("lesson15_normalization.py", "Three ways back")
HINTS = (
    "Lesson 15 finds three ways back from the loss to xᵢ. Which of them is missing here?",
    "One road is x̂ᵢ itself, gᵢ/r with g = γ·grad_y. The other leads through r: ∂r/∂xᵢ = xᵢ/(n·r) = x̂ᵢ/n, and "
    "∂x̂ⱼ/∂r = −x̂ⱼ/r. γ is shared by the rows, so its gradient is summed over the batch.",
    "γ gets (grad_y · x̂).sum(0), and x gets (g − x̂ · mean(g · x̂)) / r, with the mean over the row.",
)
AFTER = (
    "A row is divided by its own size, so each of its numbers is part of every output.",
    "Multiply the row by 10. What becomes of y, and what of the gradient of x? "
    "First on paper.",
)


class RMSNorm(stub.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        self.root = ((x**2).mean(1, keepdim=True) + self.eps).sqrt()  # (batch, 1)
        self.x_hat = x / self.root
        return self.x_hat * self.params["weight"]

    def backward(self, grad_y: Tensor) -> Tensor:
        """With g = γ · grad_y, two roads lead from xᵢ to L: x̂ᵢ itself, gᵢ / r, and r, which is in every x̂ⱼ.

        ∂r/∂xᵢ = xᵢ / (n·r) = x̂ᵢ / n and ∂x̂ⱼ/∂r = −x̂ⱼ / r: together −x̂ᵢ · mean(g·x̂) / r.
        """
        self.grads = {"weight": (grad_y * self.x_hat).sum(0)}
        g = grad_y * self.params["weight"]  # (batch, n)
        return (g - self.x_hat * (g * self.x_hat).mean(1, keepdim=True)) / self.root


def pairs(answer: type[stub.RMSNorm]) -> list[Pair]:
    return [
        layer_pair(
            "RMSNorm",
            lambda case: answer(case.n_in),
            lambda case: nn.RMSNorm(case.n_in, 1e-5),
        ),
        layer_pair(
            "large eps",
            lambda case: answer(case.n_in, 0.5),
            lambda case: nn.RMSNorm(case.n_in, 0.5),
        ),
    ]


class _Centred(RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(1, keepdim=True))

    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        return grad_x - grad_x.mean(1, keepdim=True)


class _EpsOutside(RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        self.root = (x**2).mean(1, keepdim=True).sqrt() + self.eps
        self.x_hat = x / self.root
        return self.x_hat * self.params["weight"]


class _SumOfSquares(RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        self.root = ((x**2).sum(1, keepdim=True) + self.eps).sqrt()
        self.x_hat = x / self.root
        return self.x_hat * self.params["weight"]

    def backward(self, grad_y: Tensor) -> Tensor:
        super().backward(grad_y)
        g = grad_y * self.params["weight"]
        return (g - self.x_hat * (g * self.x_hat).sum(1, keepdim=True)) / self.root


class _OneRoad(RMSNorm):
    def backward(self, grad_y: Tensor) -> Tensor:
        super().backward(grad_y)
        return grad_y * self.params["weight"] / self.root


class _WeightForgotten(RMSNorm):
    def backward(self, grad_y: Tensor) -> Tensor:
        super().backward(grad_y)
        return (
            grad_y - self.x_hat * (grad_y * self.x_hat).mean(1, keepdim=True)
        ) / self.root


MISTAKES = {
    "row centred as in layer norm": _Centred,
    "epsilon outside the root": _EpsOutside,
    "mean forgotten": _SumOfSquares,
    "road through the root forgotten": _OneRoad,
    "weight forgotten in backward": _WeightForgotten,
}
