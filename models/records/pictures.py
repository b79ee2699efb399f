"""Pictures of what a network has learned."""

from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchvision.utils import make_grid

from curriculum.data import Data
from curriculum.draw import new_figure


def first_layer(weight: Tensor, count: int = 64) -> Tensor:
    """Weights (units, 784) of the first units as one picture (3, height, width): black −, white +, grey 0."""
    pictures = weight[:count].reshape(-1, 1, 28, 28)
    return make_grid(pictures / (2 * pictures.abs().amax((1, 2, 3), keepdim=True) + 1e-12) + 0.5, 16)


def confusion(logits: Tensor, target: Tensor) -> Figure:
    """How often each digit (row) was read as each other digit (column).

    logits: (count, 10); target: (count,), int64; both on the CPU.
    """
    counts = multiclass_confusion_matrix(logits, target, logits.shape[1]).cpu()
    figure, axis = new_figure(1, 1, 4.6, 4.2)
    mistakes = counts.clone().fill_diagonal_(0)
    axis.imshow(mistakes.numpy(), cmap="Oranges", vmin=0, vmax=max(1, mistakes.max().item()))
    for row, column in mistakes.nonzero().tolist():
        count = mistakes[row, column].item()
        colour = "white" if 2 * count > mistakes.max() else "black"
        axis.text(column, row, count, ha="center", va="center", fontsize=8, color=colour)
    axis.set(xlabel="read as", ylabel="is", xticks=range(len(counts)), yticks=range(len(counts)))
    axis.set_title(f"{mistakes.sum()} of {len(target):,} misread", fontsize=10)
    return figure


def misread(logits: Tensor, target: Tensor, data: Data, count: int = 24) -> Figure:
    """The validation digits that were misread with the most confidence, worst first.

    logits: (count, 10), for all validation digits of `data`; target: (count,), int64; both on the CPU.
    """
    confidence, answer = logits.softmax(1).max(1)
    wrong = (answer != target).nonzero().flatten()
    wrong = wrong[confidence[wrong].argsort(descending=True)][:count]
    figure, axes = new_figure(2, count // 2, 0.8, 1.05)
    for axis in axes.flat:
        axis.axis("off")
    for axis, index in zip(axes.flat, wrong.tolist(), strict=False):
        axis.imshow(data.images(data.val.x[index].cpu())[0].numpy(), cmap="gray_r")
        axis.set_title(f"{answer[index].item()}, is {target[index].item()}", fontsize=8)
    return figure
