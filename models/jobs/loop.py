"""The plain loop: one engine learns, is logged, saved after every epoch, and stopped between two steps."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from curriculum import UserError
from curriculum.data import Data
from curriculum.shell import quoted
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import Step, learn
from models.jobs.options import Options, sizes_for
from models.networks.engine import LoopEngine, first_nonfinite_layer, make_engine
from models.records.checkpoint import TrainingState, load_state, save_state
from models.records.folder import RunFolder
from models.records.log import EVERY, RunLog, event_writer
from models.records.resume import BEGINNING, Mark, log_sizes, take_back
from models.records.stop import Stop


@dataclass(frozen=True)
class Training:
    """One engine's part of the job.

    engine: its name.
    start: the first weights, by torch's names, on the device where it is to learn.
    data: the digits, on that device.
    folder: where its logs and checkpoints go.
    stop: hears Ctrl-C.
    on_step: is told how many steps are done.
    """

    engine: str
    start: dict[str, Tensor]
    data: Data
    options: Options
    folder: RunFolder
    stop: Stop
    on_step: Callable[[int], None]

    @property
    def steps_per_epoch(self) -> int:
        return self.options.steps_per_epoch(len(self.data.train.x))

    @property
    def steps(self) -> int:
        return self.options.epochs * self.steps_per_epoch

    def how_to_go_on(self, steps: int) -> str:
        """One line for the user of a run that was stopped after so many steps."""
        command = f"curriculum mnist --resume --log-dir {quoted(self.options.log_dir)}"
        if self.engine == "mine":
            unknown = "what your optimiser remembers is not known"
            return f"stopped: {unknown}, so this begins the run anew: {command}"
        return f"stopped: {self.engine} has taken {steps:,} steps and all is saved; go on with: {command}"


class Loop:
    """Lesson 17's loop around one engine, from its start or from where it was stopped.

    Args:
        training: what is learned, and how.
        engine: learns; not yet brought to where it was stopped.
    """

    def __init__(self, training: Training, engine: LoopEngine) -> None:
        self.training = training
        self.engine = engine
        self.losses: list[Tensor] = []
        self.val_acc = 0.0
        self._seconds_before = 0.0  # of training, until it was stopped
        self._mark = BEGINNING  # where it was stopped
        self._begin = 0.0

    def run(self) -> TrainingState:
        """Learn to the end, and read the test digits once.

        Raises:
            Stopped: by Ctrl-C or SIGTERM; the run is saved.
            UserError: a loss is not finite, or a file cannot be read or written.
        """
        options = self.training.options
        folder = self.training.folder.path
        self._restore_checkpoint()
        take_back(folder, self._mark)
        every = min(EVERY, self.training.steps_per_epoch)
        with event_writer(folder, options.log) as writer:
            self.log = RunLog(
                writer,
                options.log,
                self.training.data,
                options.hparams(self.training.engine, self.training.data),
                every,
            )
            if not self.losses:
                self.log.start(self.engine)
            self._begin = time.perf_counter()
            for loss in self._learn(self._logged_step):
                self._after_step(loss)
            return self._finish()

    # ------------------------------------------------------------ a step, an epoch, the end

    def _learn(self, step: Step) -> Iterator[Tensor]:
        """The losses of the steps that are left, as they are taken. Seed and step decide the batches."""
        options = self.training.options
        generator = torch.Generator().manual_seed(options.seed)
        return learn(
            step,
            self.training.data.train,
            options.epochs,
            options.batch_size,
            options.lr,
            generator,
            done=len(self.losses),
        )

    def _logged_step(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
        number = len(self.losses)
        self.log.before_step(number, self.engine)
        loss = self.engine.step(x, target, lr)
        self.log.after_step(number, self.engine)
        if self.log.is_due(number):
            self.log.scalars(number, train_loss=loss, lr=lr)
        return loss

    def _after_step(self, loss: Tensor) -> None:
        if not loss.isfinite():
            raise UserError(self._nonfinite(loss))
        self.losses.append(loss)
        self.training.on_step(len(self.losses))
        if len(self.losses) % self.training.steps_per_epoch == 0:
            self._end_epoch()
        if self.training.stop.signal:
            self._save_checkpoint()
            raise self.training.stop.stopped(self.training.how_to_go_on(len(self.losses)))

    def _end_epoch(self) -> None:
        val = self.training.data.val
        logits = self.engine.logits(val.x)
        self.val_acc = accuracy(logits, val.target)
        val_loss = torch.nn.functional.cross_entropy(logits, val.target)
        last_step = len(self.losses) - 1
        self.log.scalars(last_step, val_loss=val_loss, val_acc=self.val_acc)
        self.log.after_epoch(last_step, self.engine)
        self._save_checkpoint()

    def _finish(self) -> TrainingState:
        state = self._state()  # before the test, which is not part of the training time
        test = self.training.data.test
        test_acc = accuracy(self.engine.logits(test.x), test.target)
        self.log.scalars(len(self.losses), test_acc=test_acc)
        self.log.finish(len(self.losses), self.engine)
        return replace(state, test_acc=test_acc)

    def _state(self) -> TrainingState:
        return TrainingState(
            losses=torch.stack(self.losses),
            weights=dict(self.engine.weights()),
            val_acc=self.val_acc,
            seconds=self._seconds_before + time.perf_counter() - self._begin,
        )

    # ------------------------------------------------------------ a run that was stopped

    def _save_checkpoint(self) -> None:
        self.log.flush()
        if self.training.engine == "mine":
            return  # what a learner's optimiser remembers is not known: such a run begins anew
        folder = self.training.folder
        save_state(folder.checkpoint, replace(self._state(), log=log_sizes(folder.path)))

    def _restore_checkpoint(self) -> None:
        """Bring the engine to where it was stopped, if it was."""
        saved = load_state(self.training.folder.checkpoint)
        if saved is None:
            return
        self.engine.load_weights(saved.weights)
        device = next(iter(self.engine.weights().values())).device
        self.losses = list(saved.losses.to(device))
        self.val_acc = saved.val_acc
        self._seconds_before = saved.seconds
        self._mark = Mark(len(self.losses), saved.log)

    # ------------------------------------------------------------ a loss that is not finite

    def _nonfinite(self, loss: Tensor) -> str:
        """What is wrong, in the words of a message."""
        step = len(self.losses)
        lr = self.training.options.lr
        layer = self._first_nonfinite_layer()
        where = f", and layer {layer} gave the first non-finite value" if layer else ""
        return (
            f"{self.training.engine}: the loss of step {step} is {loss.item()}{where}; "
            f"the learning rate {lr} is too large, try --lr {lr / 10:g} (lesson 07)"
        )

    def _first_nonfinite_layer(self) -> str | None:
        """The layer that was the first to give an infinity or nan, up to the step after the losses so far.

        The step that showed it has spoilt all weights. So the steps since the last checkpoint are taken
        again: the same seed gives the same batches and the same bits.
        """
        training = self.training
        engine = make_engine(training.engine, sizes_for(training.data), training.start, training.options.mine)
        again = Loop(self.training, engine)
        again._restore_checkpoint()
        watched = WatchedStep(engine)
        steps = len(self.losses) + 1 - len(again.losses)
        for _ in itertools.islice(again._learn(watched), steps):
            if watched.nonfinite_layer:
                break
        return watched.nonfinite_layer


class WatchedStep:
    """An engine's step, and before it a look at what every layer makes of the batch."""

    def __init__(self, engine: LoopEngine) -> None:
        self.engine = engine
        self.nonfinite_layer: str | None = None  # the first that showed

    def __call__(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
        """x: (batch, 784), target: (batch,), int64 → the loss before the step, ()."""
        self.nonfinite_layer = self.nonfinite_layer or first_nonfinite_layer(self.engine, x)
        return self.engine.step(x, target, lr)
