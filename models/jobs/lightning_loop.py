"""Lightning in the place of the plain loop, for `curriculum mnist`."""

from typing import Any

import torch
from lightning.pytorch.callbacks import LearningRateMonitor

from models.jobs.loop import Training
from models.jobs.options import sizes_for
from models.lightning.checkpoint import KeepLast, mark_of
from models.lightning.data import MNISTDataModule
from models.lightning.log import LogRun, LossRecorder, logger_of_run
from models.lightning.module import MLPModule
from models.lightning.trainer import plain_trainer
from models.records.checkpoint import TrainingState
from models.records.resume import BEGINNING, take_back


def run_lightning(training: Training) -> TrainingState:
    """Learn to the end, from the start or from where it was stopped, and read the test digits once.

    Raises:
        Stopped: by Ctrl-C or SIGTERM; the run is saved.
        UserError: a loss is not finite, or a file cannot be read or written.
    """
    options = training.options
    folder = training.folder
    module = MLPModule(sizes_for(training.data), lr=options.lr)
    module.model.load_state_dict(training.start)
    digits = MNISTDataModule(batch_size=options.batch_size, seed=options.seed)
    digits.data = training.data

    checkpoint = folder.lightning_checkpoint if folder.lightning_checkpoint.exists() else None
    take_back(folder.path, mark_of(checkpoint) if checkpoint else BEGINNING)
    recorder = LossRecorder(training.on_step)
    log = LogRun(options.log, options.hparams("lightning", training.data))
    log.goes_on = checkpoint is not None
    keep = KeepLast(
        folder.lightning_checkpoint, training.stop, lambda steps, path: training.how_to_go_on(steps)
    )
    trainer: Any = plain_trainer(
        options.epochs,
        callbacks=[recorder, LearningRateMonitor(), log],
        logger=logger_of_run(folder.path, options.log),
        device=options.device,
    )
    trainer.callbacks.append(keep)
    trainer.fit(module, digits, ckpt_path=checkpoint)
    log.finish(trainer, module)
    (tested,) = trainer.test(module, digits, verbose=False)
    return TrainingState(
        losses=torch.stack(recorder.losses),
        weights=module.weights(),
        val_acc=log.measured["val_acc"],
        seconds=log.train_seconds,
        test_acc=tested["test_acc"],
    )
