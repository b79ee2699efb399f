"""One engine learns MNIST: in the plain loop or in Lightning's."""

from curriculum.files import sweep
from curriculum.quiet import quiet_lightning
from models.jobs.loop import Loop, Training
from models.networks.engine import LoopEngine
from models.records.checkpoint import TrainingState, load_state, save_state


def train(training: Training, engine: LoopEngine | None) -> TrainingState:
    """One engine from its start, or from where it was stopped, to its result.

    engine: for the plain loop; None for Lightning, which makes its own.

    Raises:
        Stopped: by Ctrl-C or SIGTERM; the run is saved.
        UserError: a loss is not finite, or a file cannot be read or written.
    """
    sweep(training.folder.path)
    saved = load_state(training.folder.checkpoint)
    if saved is not None and saved.test_acc is not None:  # it was through before the run was stopped
        training.on_step(training.steps)
        return saved
    state = _with_lightning(training) if engine is None else Loop(training, engine).run()
    save_state(training.folder.checkpoint, state)
    return state


def _with_lightning(training: Training) -> TrainingState:
    with quiet_lightning():
        from models.jobs.lightning_loop import run_lightning  # takes seconds to import

        return run_lightning(training)
