"""Lightning without the lines that a reader of these lessons cannot act on."""

import contextlib
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_lightning(warnings_too: bool = True) -> Iterator[None]:
    """Keep back what Lightning says about hardware, seeds and its cloud service.

    Args:
        warnings_too: also keep back every warning that comes from Lightning's own modules.
    """
    import lightning  # noqa: F401 (its import sets the level that we change)

    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # No reader can mend these: its own use of PyTorch, that a tested run has a folder of its own, and
            # that a run which goes on finds its checkpoints.
            for message in (".*LeafSpec.* is deprecated", "The dirpath has changed", "Checkpoint directory"):
                warnings.filterwarnings("ignore", message=message)
            if warnings_too:
                warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
