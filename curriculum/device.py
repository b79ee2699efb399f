"""Where to compute."""

import torch

from curriculum import UserError


def usable(name: str) -> torch.device:
    """The device of that name, like "cpu" or "cuda".

    Raises:
        UserError: this machine or this torch has no such device.
    """
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name} cannot be used ({reason}); try --device cpu") from error
    return torch.device(name)
