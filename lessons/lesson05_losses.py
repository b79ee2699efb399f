# %% [markdown]
# # Lesson 05 · Loss functions
#
# *How does a network find out how wrong it is?*
#
# Needs: lessons 01, 03, 04 · Time: 25 minutes

# %%
import torch
from torch import Tensor, nn

from curriculum.pair import loss_pair

# %% [markdown]
# ## From scratch


# %%
class Loss:
    """What all losses share: how the numbers of the batch become one (`reduction`)."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def reduce(self, losses: Tensor) -> Tensor:
        """One loss per entry of `losses` → their mean, their sum, or themselves ("none")."""
        if self.reduction == "none":
            return losses
        return losses.mean() if self.reduction == "mean" else losses.sum()

    def share(self, count: int, grad_loss: Tensor | None) -> Tensor | float:
        """∂(final number)/∂(one entry): 1/count for a mean, 1 for a sum, else what comes from above."""
        if grad_loss is not None:
            return grad_loss
        return 1 / count if self.reduction == "mean" else 1.0


class MSELoss(Loss):
    """Mean squared error. prediction and target have the same shape."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        self.error = prediction - target
        return self.reduce(self.error**2)

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """∂ error² / ∂prediction = 2 · error."""
        return 2 * self.error * self.share(self.error.numel(), grad_loss)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of sigmoid(prediction); target of the same shape, from 0 to 1."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        self.prediction, self.target = prediction, target
        small = torch.exp(-prediction.abs())  # never overflows
        return self.reduce(prediction.clamp(min=0) - prediction * target + torch.log1p(small))

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        probability = 1 / (1 + torch.exp(-self.prediction))
        return (probability - self.target) * self.share(self.target.numel(), grad_loss)


class CrossEntropyLoss(Loss):
    """Cross-entropy of softmax(prediction) with class indices (batch,) or probabilities (batch, classes)."""

    def __init__(self, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(reduction)
        self.label_smoothing = label_smoothing

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        shifted = prediction - prediction.amax(1, keepdim=True)
        log_p = shifted - torch.log(torch.exp(shifted).sum(1, keepdim=True))  # (batch, classes)
        q = target if target.is_floating_point() else torch.zeros_like(log_p).scatter_(1, target[:, None], 1)
        if self.label_smoothing:
            q = (1 - self.label_smoothing) * q + self.label_smoothing / prediction.shape[1]
        self.p, self.q = torch.exp(log_p), q
        return self.reduce(-(q * log_p).sum(1))

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        if grad_loss is not None:
            grad_loss = grad_loss[:, None]
        return (self.p * self.q.sum(1, keepdim=True) - self.q) * self.share(len(self.p), grad_loss)


PAIRS = [
    loss_pair("mse", lambda case: MSELoss(), lambda case: nn.MSELoss()),
]
