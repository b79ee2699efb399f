"""What a run writes for TensorBoard. One module for every engine: same tags, same steps, same charts.

Steps count from 0. A point that belongs to an epoch carries the number of the epoch's last step, a point
that belongs to the whole run the number of steps done. Three levels:

- "off": nothing.
- "basic": losses, accuracies, learning rate; what was run; hyperparameters with their results.
- "full": also norms, histograms, dead units, pictures, PR curves, the graph and the projector.
"""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from curriculum.data import Data
from curriculum.data_names import in_words
from lessons.lesson11_training import accuracy
from models.networks.engine import Engine
from models.records.pictures import confusion, first_layer, misread
from models.records.versions import versions

Level = Literal["off", "basic", "full"]
EVERY = 10  # steps between two points of the curves
SELDOM = 10  # curves' points between two points of the norms
SAMPLE = 10_000  # training digits that `train_acc` looks at
METRICS = ("train_loss", "val_loss", "val_acc", "test_acc")  # what stands beside hyperparameters
VERSIONS = ("Python", "torch", "torchvision", "lightning", "tensorboard")  # that the text tells
LOOK = 1_000  # validation digits behind histograms, dead units and the projector
ENGINES_ON_ONE_CHART = {
    "Engines": {
        "training loss": ["Multiline", ["^train_loss$"]],
        "validation loss": ["Multiline", ["^val_loss$"]],
        "accuracy: training and validation": ["Multiline", ["^train_acc$", "^val_acc$"]],
    },
    "Layers": {
        "size of the gradients": ["Multiline", ["^grad_norm/"]],
        "size of an update beside its weights": ["Multiline", ["^update_ratio/"]],
        "dead units": ["Multiline", ["^dead_units/"]],
    },
    "Scratch beside PyTorch": {"largest difference of a parameter": ["Multiline", ["^parity/"]]},
}


class RunLog:
    """Writes one run.

    Args:
        writer: where to; not needed where the level is "off". The run log does not close it.
        level: how much, see above.
        data: what is learned.
        hparams: what was chosen, by name.
        every: steps between two points of `train_loss` and `lr`. Norms come ten times less often.
    """

    def __init__(
        self,
        writer: SummaryWriter | None,
        level: str,
        data: Data,
        hparams: Mapping[str, Any],
        every: int = EVERY,
    ) -> None:
        self.writer: Any = writer
        self.data = data
        self.every = every
        self.hparams = {name: _plain(value) for name, value in hparams.items() if not name.startswith("_")}
        self.basic = level != "off"
        self.full = level == "full"
        self._before: dict[str, Tensor] = {}

    def start(self, engine: Engine) -> None:
        """What is run, as text; the charts that show all engines; the graph of one picture's way through."""
        first = next(iter(engine.weights().values()))
        if self.basic:
            facts = describe(self.data) | self.hparams | {"device": first.device}
            rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
            self.writer.add_text("run", f"| | |\n|---|---|\n{rows}")
            self.writer.add_custom_scalars(ENGINES_ON_ONE_CHART)
        if self.full:
            forward = engine.traceable()
            module = forward if isinstance(forward, nn.Module) else ByHand(forward)
            with warnings.catch_warnings():  # the writer still uses torch.jit, which is deprecated
                warnings.simplefilter("ignore", FutureWarning)
                # The shapes of this one picture are looked at, as those of every batch are.
                warnings.simplefilter("ignore", torch.jit.TracerWarning)
                self.writer.add_graph(module, self.data.val.x[:1].to(first))

    def scalars(self, step: int, **values: float | Tensor) -> None:
        """Any numbers, under their names."""
        if self.basic:
            for tag, value in values.items():
                self.writer.add_scalar(tag, value, step)

    def flush(self) -> None:
        """Bring to the disk what was written: the log must not lie behind the weights."""
        if self.basic:
            self.writer.flush()

    def is_due(self, step: int) -> bool:
        """Whether `train_loss` and `lr` of this step are written."""
        return self.basic and (step + 1) % self.every == 0

    def before_step(self, step: int, engine: Engine) -> None:
        """Remember the weights, where the size of the coming update will be asked for."""
        if self._norms_are_due(step):
            self._before = {name: weight.clone() for name, weight in engine.weights().items()}

    def after_step(self, step: int, engine: Engine) -> None:
        """Per parameter: the norms of gradient and weight, and the update's size beside the weight's.

        A ratio near 1e-3 is healthy by a rule of thumb (A. Karpathy's lectures): much less learns slowly,
        much more is unstable.
        """
        if not self._norms_are_due(step):
            return
        grads = engine.grads()
        for name, weight in engine.weights().items():
            size = weight.norm()
            update = (weight - self._before[name]).norm()
            self.writer.add_scalar(f"grad_norm/{name}", grads[name].norm(), step)
            self.writer.add_scalar(f"weight_norm/{name}", size, step)
            self.writer.add_scalar(f"update_ratio/{name}", update / size if size else math.nan, step)

    def after_epoch(self, step: int, engine: Engine) -> None:
        """`train_acc` on the first 10,000 training digits; histograms, dead units, PR curves, weights."""
        if self.basic:
            x = self.data.train.x[:SAMPLE]
            target = self.data.train.target[:SAMPLE]
            self.scalars(step, train_acc=accuracy(_logits(engine, x), target.cpu()))
        if self.full:
            self._histograms(step, engine)
            self._answers(step, engine)

    def finish(self, step: int, engine: Engine) -> None:
        """Hyperparameters, which TensorBoard shows beside this run's results; the last hidden layer as a
        map; which digits were misread (figures take a quarter of a second each, too long for every epoch).
        """
        if self.basic:
            _write_hparams(self.writer, self.hparams, step)
        if self.full:
            x = self.data.val.x
            target = self.data.val.target.cpu()
            *_, hidden, logits = [x, *engine.outputs(x).values()]  # without a hidden layer, x is the map
            pictures = 1 - self.data.images(x[:LOOK])[:, None]
            names = [self.data.classes[number] for number in target[:LOOK].tolist()]
            self.writer.add_embedding(hidden[:LOOK], names, pictures, step)
            confused = confusion(logits.cpu(), target, self.data.classes)
            self.writer.add_figure("answers/confusion", confused, step, close=False)
            worst = misread(logits.cpu(), target, self.data)
            self.writer.add_figure("answers/misread", worst, step, close=False)

    def _norms_are_due(self, step: int) -> bool:
        return self.full and (step + 1) % (self.every * SELDOM) == 0

    def _histograms(self, step: int, engine: Engine) -> None:
        for kind, values in (("weights", engine.weights()), ("grads", engine.grads())):
            for name, value in values.items():
                self.writer.add_histogram(f"{kind}/{name}", value, step)
        for name, value in engine.outputs(self.data.val.x[:LOOK]).items():
            self.writer.add_histogram(f"activations/{name}", value, step)
            if not name.endswith((".Linear", ".Dropout")):
                # A unit that says the same to every digit tells the next layer nothing.
                silent = (value.amax(0) == value.amin(0)).float().mean()
                self.writer.add_scalar(f"dead_units/{name}", silent, step)

    def _answers(self, step: int, engine: Engine) -> None:
        logits = _logits(engine, self.data.val.x)
        target = self.data.val.target.cpu()
        probabilities = logits.softmax(1)
        for number, name in enumerate(self.data.classes):
            self.writer.add_pr_curve(f"pr/{name}", target == number, probabilities[:, number], step)
        first = next(iter(engine.weights().values()))
        self.writer.add_image("weights/first_layer", first_layer(first), step)


def describe(data: Data) -> dict[str, Any]:
    """What a run ran on, in lines that a reader needs to repeat it."""
    return {
        "data": data.name,
        "pictures": in_words(data.pictures),
        "data_sha256": data.sha256,
        "classes": len(data.classes),
        "dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        **{name: versions()[name] for name in VERSIONS},
    }


@contextlib.contextmanager
def event_writer(run: Path, level: str) -> Iterator[SummaryWriter | None]:
    """A writer into a run's folder, closed in the end; None where the level is "off"."""
    if level == "off":
        yield None
        return
    with SummaryWriter(str(run)) as writer:
        yield writer


class ByHand(nn.Module):
    """A forward pass by hand as the module that TensorBoard's graph writer asks for; names its box there."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 784) → (batch, classes)."""
        return self.function(x)


def _logits(engine: Engine, x: Tensor) -> Tensor:
    """x: (batch, 784) → (batch, classes), on the CPU."""
    *_, logits = engine.outputs(x).values()
    return logits.cpu()


def _write_hparams(writer: SummaryWriter, hparams: Mapping[str, Any], step: int) -> None:
    """Into this run. `writer.add_hparams` would start a second run beside it.

    step: so that a run that is stopped now takes them back with all that follows.
    """
    from torch.utils.tensorboard.summary import hparams as summaries

    file_writer = writer._get_file_writer()
    for summary in summaries(dict(hparams), dict.fromkeys(METRICS, 0.0)):
        file_writer.add_summary(summary, step)


def _plain(value: Any) -> int | float | str:
    """What TensorBoard takes as a hyperparameter; sizes become 784–128–64–10."""
    if isinstance(value, list | tuple):
        return "–".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"  # torch would write 1.0 or 0.0
    return value if isinstance(value, int | float | str) else str(value)
