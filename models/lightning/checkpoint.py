"""Lightning's checkpoints, made so that a run can be stopped at any moment and go on with the same bits."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.loops.loop import _Loop

from curriculum import UserError
from curriculum.files import write_whole
from models.records.folder import RunFolder
from models.records.resume import Mark, log_sizes
from models.records.stop import Stop

OURS = "curriculum"  # what `KeepLast` adds to a checkpoint


class SafeCheckpoints(TorchCheckpointIO):
    """Writes whole files or none, and reads no file that is damaged or that would run code.

    Lightning itself writes to the system's folder for temporary files and moves the result. From one disk to
    another a move is a copy, and a copy can be cut off.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_whole(Path(path), buffer.getvalue())
        except OSError as error:
            raise UserError(
                f"cannot write {path} ({error.strerror}); make room, or choose another --log_dir"
            ) from error

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> Any:
        return load(Path(path), map_location)


def load(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """A Lightning checkpoint of ours.

    Raises:
        UserError: as `read`, or it is another kind of file.
    """
    found = read(path, map_location)
    if not isinstance(found, dict) or not {"state_dict", "hyper_parameters", "global_step"} <= found.keys():
        raise UserError(f"{path} is no checkpoint of ours; expected one that curriculum fit has made")
    return found


def read(path: Path, map_location: Any = "cpu") -> Any:
    """What `torch.save` has written. Only tensors and plain values are read; code in the file is never run.

    Raises:
        UserError: it cannot be read, is damaged, or holds more than that.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums
            damaged = archive.testzip()
        found = torch.load(path, map_location, weights_only=True)
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); expected a checkpoint") from error
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} holds more than tensors and plain values, so it is not opened") from error
    except Exception as error:  # whatever a broken archive brings about
        raise UserError(
            f"{path} is damaged or no checkpoint; expected one that curriculum fit has made"
        ) from error
    if damaged:
        raise UserError(f"{path} is damaged (wrong checksum of {damaged}); take another checkpoint")
    return found


def mark_of(path: Path) -> Mark:
    """How far the run was when the checkpoint was made.

    Raises:
        UserError: as `load`.
    """
    found = load(path)
    return Mark(int(found["global_step"]), found.get(OURS, {}).get("log"))


def kept_by_callbacks(path: Path) -> set[str]:
    """The names of the other checkpoints that the last one's callbacks know of.

    Raises:
        UserError: as `load`.
    """
    names = set()
    for state in load(path)["callbacks"].values():
        if isinstance(state, dict) and "best_k_models" in state:
            kept = [*state["best_k_models"], state["best_model_path"], state["last_model_path"]]
            names |= {Path(file).name for file in kept if file}
    return names


class KeepLast(Checkpoint):
    """Saves a run after every epoch, and between two steps when it is asked to stop; then ends it.

    It has to be the last of the trainer's callbacks, so that what it saves knows what the others have done.
    Lightning itself forgets three things: that an early stop was decided, which epoch it is where `max_steps`
    is given, and what a scheduler is to look at that lowers the rate when nothing gets better.

    Args:
        path: of the checkpoint; None: `checkpoints/last.ckpt` in the run's folder.
        stop: what has been asked for.
        how_to_go_on: makes one line for the user from the number of steps taken.
        goes_on: the checkpoint that is read is the run's own, whose folder may have been moved.
    """

    def __init__(
        self,
        path: Path | None,
        stop: Stop,
        how_to_go_on: Callable[[int, Path], str],
        goes_on: bool = False,
    ) -> None:
        self.goes_on = goes_on
        self.path = path
        self.stop = stop
        self.how_to_go_on = how_to_go_on
        self._is_saving = False  # and not one of Lightning's own callbacks
        self._is_saved = False
        self._measured: dict[str, float] = {}  # at the end of an epoch

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint[OURS] = {
            "should_stop": trainer.should_stop,
            "measured": self._measured,
            # Within an epoch the steps tell what is to be kept: the rate of the next step is written already.
            "log": log_sizes(Path(trainer.log_dir)) if trainer.log_dir and self._measured else None,
        }

        if self._is_saving and not self._measured:
            _finish_batch(checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"])

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        kept = checkpoint.get(OURS, {})  # none in older ones, and in those of Lightning's own
        trainer.should_stop = kept.get("should_stop", False)
        self._measured = kept.get("measured", {})
        if self._measured:
            _complete_epoch(checkpoint["loops"]["fit_loop"]["epoch_progress"])
        if self.goes_on:
            for callback in trainer.callbacks:
                if isinstance(callback, ModelCheckpoint) and callback.state_key in checkpoint["callbacks"]:
                    _move(checkpoint["callbacks"][callback.state_key], str(callback.dirpath))

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.stop.listen()  # Lightning has put its own handlers in their place
        folder = trainer.log_dir or trainer.default_root_dir  # every process must ask
        self.path = self.path or RunFolder(Path(folder)).fit_checkpoint
        loop = trainer.fit_loop.epoch_loop
        if self._measured:
            # A new epoch begins, also where there is `max_steps`.
            _Loop.restarting.fset(trainer.fit_loop, False)  # type: ignore[attr-defined]
            _lower_rates(trainer, self._measured)
        elif loop.restarting and loop._should_check_val_fx(trainer.fit_loop._data_fetcher):
            # Lightning passes by a validation that was made, and counts a step for it.
            loop._batches_that_stepped -= 1

    def on_train_batch_end(self, *_: Any) -> None:
        self._measured = {}
        self._is_saved = False

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._measured = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._save(trainer)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """The end comes here, when all that belongs to the step before is done and written.

        A checkpoint holds no gradients, so a step over accumulated batches is finished first.
        """
        if batch_idx % trainer.accumulate_grad_batches or not self._asked(trainer):
            return
        if not self._is_saved:
            self._save(trainer)
        # The first process speaks; Lightning kills it where another one ends with an error.
        if not trainer.is_global_zero:
            os._exit(0)
        raise self.stop.stopped(self.how_to_go_on(trainer.global_step, self.path or Path()))

    def on_train_end(self, *_: Any) -> None:
        self.stop.restore()  # what follows is short, and Ctrl-C may end it

    def _asked(self, trainer: Any) -> bool:
        """Whether to stop, for all processes or for none."""
        asked = self.stop.signal is not None
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        return asked

    def _save(self, trainer: Any) -> None:
        if trainer.fast_dev_run:
            return
        for logger in trainer.loggers:
            if hasattr(logger.experiment, "flush"):
                logger.experiment.flush()  # the log must not lie behind the weights
        self._is_saving = True
        trainer.save_checkpoint(self.path)
        self._is_saving = False
        self._is_saved = True


def _finish_batch(progress: dict[str, Any]) -> None:
    """Of a checkpoint from before a batch: Lightning has counted that already.

    It would log a step late, and leave out the last batch of an epoch.
    """
    for counts in (progress["total"], progress["current"]):
        counts["ready"] = counts["completed"]
    progress["is_last_batch"] = False


def _complete_epoch(progress: dict[str, Any]) -> None:
    """Of a checkpoint from the end of an epoch: where there is `max_steps`, Lightning counts that twice."""
    for counts in progress.values():
        counts["completed"] = counts["processed"]


def _lower_rates(trainer: Any, measured: dict[str, float]) -> None:
    """The step that `ReduceLROnPlateau` takes at the end of an epoch, and that a checkpoint comes before."""
    for config in trainer.lr_scheduler_configs:
        is_due = config.interval == "epoch" and trainer.current_epoch % config.frequency == 0
        if config.reduce_on_plateau and is_due and config.monitor in measured:
            config.scheduler.step(measured[config.monitor])


def _move(state: dict[str, Any], folder: str) -> None:
    """What a `ModelCheckpoint` remembers, in the folder where its files lie now."""
    before = state["dirpath"]
    state["dirpath"] = folder
    state["best_k_models"] = {
        _moved(path, before, folder): score for path, score in state["best_k_models"].items()
    }
    for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
        state[name] = _moved(state[name], before, folder)


def _moved(path: str, before: str, folder: str) -> str:
    return os.path.join(folder, os.path.relpath(path, before)) if path else path
