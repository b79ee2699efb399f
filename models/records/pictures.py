"""Pictures of what a network has learned."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchvision.utils import make_grid

from curriculum.data import Data
from curriculum.draw import new_figure

LINE = 0.25  # inches for a row of the confusion matrix
LONGEST = 16  # letters of a class's name


def _label(name: str) -> str:
    """A class's name on a figure, where a dollar sign would begin a formula."""
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return short.replace("$", r"\$")


def first_layer(weight: Tensor, count: int = 64) -> Tensor:
    """Weights (units, 784) of the first units as one picture (3, height, width): black −, white +, grey 0."""
    pictures = weight[:count].reshape(-1, 1, 28, 28)
    return make_grid(pictures / (2 * pictures.abs().amax((1, 2, 3), keepdim=True) + 1e-12) + 0.5, 16)


def confusion(logits: Tensor, target: Tensor, classes: Sequence[str]) -> Figure:
    """How often each class (row) was read as each other class (column).

    logits: (count, classes); target: (count,), int64; both on the CPU. classes: their names.
    """
    counts = multiclass_confusion_matrix(logits, target, logits.shape[1]).cpu()
    side = max(4.2, LINE * len(classes))
    figure, axis = new_figure(1, 1, side + 0.4, side)
    mistakes = counts.clone().fill_diagonal_(0)
    axis.imshow(mistakes.numpy(), cmap="Oranges", vmin=0, vmax=max(1, mistakes.max().item()))
    for row, column in mistakes.nonzero().tolist():
        count = mistakes[row, column].item()
        colour = "white" if 2 * count > mistakes.max() else "black"
        axis.text(column, row, count, ha="center", va="center", fontsize=8, color=colour)
    names = [_label(name) for name in classes]
    axis.set(xlabel="read as", ylabel="is")
    axis.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 3 else 90)
    axis.set_yticks(range(len(names)), names)
    axis.set_title(f"{mistakes.sum()} of {len(target):,} misread", fontsize=10)
    return figure


def misread(logits: Tensor, target: Tensor, data: Data, count: int = 24) -> Figure:
    """The validation pictures that were misread with the most confidence, worst first.

    logits: (count, classes), for all validation pictures of `data`; target: (count,), int64; both on the CPU.
    """
    confidence, answer = logits.softmax(1).max(1)
    wrong = (answer != target).nonzero().flatten()
    wrong = wrong[confidence[wrong].argsort(descending=True)][:count]
    figure, axes = new_figure(2, count // 2, 0.8, 1.05)
    for axis in axes.flat:
        axis.axis("off")
    for axis, index in zip(axes.flat, wrong.tolist(), strict=False):
        axis.imshow(data.images(data.val.x[index].cpu())[0].numpy(), cmap="gray_r")
        said, right = (_label(data.classes[int(number[index])]) for number in (answer, target))
        axis.set_title(f"{said}, is {right}", fontsize=8)
    return figure
