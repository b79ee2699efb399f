"""Weights to start from: of a checkpoint, a `.safetensors` file or a plain state dict."""

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from curriculum import UserError
from models.lightning.checkpoint import read

OF_THE_MODULE = "model."  # how Lightning's checkpoints begin the names


def load_weights(path: Path) -> dict[str, Tensor]:
    """Parameters and buffers by torch's names ("0.weight", …), whatever the file.

    Raises:
        UserError: there is no such file, it is damaged, would run code, or holds no weights.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}; expected a .ckpt, a .safetensors or a state dict (.pt)")
    if path.suffix == ".safetensors":
        return _of_safetensors(path)
    found = read(path)
    if isinstance(found, dict) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    is_state_dict = isinstance(found, Mapping) and all(isinstance(value, Tensor) for value in found.values())
    if not is_state_dict or not found:
        raise UserError(f"{path} holds no weights; expected a checkpoint, or a state dict: names and tensors")
    return {name.removeprefix(OF_THE_MODULE): value for name, value in found.items()}


def _of_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}); expected the weights of a run") from error


def sizes_of(weights: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Neurons per layer, input first, of the network that has these weights; () if none has."""
    matrices = [value for value in weights.values() if value.dim() == 2]
    if not matrices:
        return ()
    return (matrices[0].shape[1], *(matrix.shape[0] for matrix in matrices))


def fill(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Copy the weights into the network; `path` is where they come from, for the message.

    Raises:
        UserError: a name is missing or unknown, or a shape is another.
    """
    ours = model.state_dict()
    missing = sorted(ours.keys() - weights.keys())
    unknown = sorted(weights.keys() - ours.keys())
    if missing or unknown:
        lacks = f"lacks {', '.join(missing)}" if missing else ""
        has = f"has {', '.join(unknown)}" if unknown else ""
        raise UserError(
            f"{path} is of another network: it {' and '.join(filter(None, (lacks, has)))}; expected "
            f"{', '.join(ours)} (choose the network with --model.sizes, --model.batch_norm, --model.dropout)"
        )
    for name, value in weights.items():
        if value.shape != ours[name].shape:
            raise UserError(
                f"{path}: {name} is {tuple(value.shape)}, in this network {tuple(ours[name].shape)}; "
                f"expected --model.sizes [{','.join(map(str, sizes_of(weights)))}]"
            )
    model.load_state_dict(dict(weights))
