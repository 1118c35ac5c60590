"""Weights of encoders from safetensors, under the names that checkpoints have given them over the years."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from thanosql_ctc.folders import invalid_checkpoint
from thanosql_ctc.weights import check_finite, weight_files

# Computed behind the encoder, from the first token; embeddings do without.
_UNUSED = "pooler."
_OLD_ENDINGS = {".gamma": ".weight", ".beta": ".bias"}


def require_weights_for(folder: Path, shapes: nn.Module) -> None:
    """Refuse a configuration that asks for more numbers than the files can hold.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT.
    """
    wanted = sum(weight.numel() for name, weight in shapes.named_parameters() if not _is_unused(name))
    held_bytes = sum(path.stat().st_size for path in weight_files(folder))
    if wanted > held_bytes:
        raise invalid_checkpoint(
            folder, f"config.json asks for {wanted} weights, more than its files of {held_bytes} bytes hold"
        )


def load_encoder_weights(folder: Path, model: nn.Module) -> None:
    """Fill an encoder; what a checkpoint has for other purposes, such as a head, is not read.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT: damaged files, tensors that are missing or of other shapes, layers
            that the configuration does not know, values that are no numbers.
    """
    expected = model.state_dict()
    parts = {name.partition(".")[0] for name in expected}
    buffers = {name for name, _buffer in model.named_buffers()}
    stored: dict[str, Tensor] = {}
    for name, tensor in _stored(folder, str(getattr(model, "base_model_prefix", ""))):
        if name in buffers or _is_unused(name):
            continue
        if name in expected:
            stored[name] = tensor.to(torch.float32, copy=True)
        elif name.partition(".")[0] in parts:
            raise invalid_checkpoint(folder, f"it holds {name}, which its config.json does not know")
    _require_all(folder, expected, stored)
    check_finite(folder, stored)
    model.load_state_dict(stored, strict=False)


def _require_all(folder: Path, expected: dict[str, Tensor], stored: dict[str, Tensor]) -> None:
    for name, wanted in expected.items():
        if _is_unused(name):
            continue
        if name not in stored:
            raise invalid_checkpoint(folder, f"its weights lack {name}")
        if stored[name].shape != wanted.shape:
            shapes = f"{list(stored[name].shape)}, its config.json asks for {list(wanted.shape)}"
            raise invalid_checkpoint(folder, f"{name} has shape {shapes}")


def _stored(folder: Path, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for path in weight_files(folder):
        try:
            # Any: the library has no types.
            opened: Any = safe_open(path, framework="pt")
            with opened as file:
                for name in file.keys():  # noqa: SIM118 - no mapping
                    yield _present_name(name, prefix), file.get_tensor(name)
        except (SafetensorError, OSError) as failure:
            raise invalid_checkpoint(folder, f"{path.name} is damaged ({failure})") from failure


def _present_name(name: str, prefix: str) -> str:
    """Without the name of the encoder within a larger model, and without the endings of old releases."""
    short = name.removeprefix(f"{prefix}.") if prefix else name
    for old, new in _OLD_ENDINGS.items():
        if short.endswith(old):
            return short.removesuffix(old) + new
    return short


def _is_unused(name: str) -> bool:
    return name.startswith(_UNUSED)
