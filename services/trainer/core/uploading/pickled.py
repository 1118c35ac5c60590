"""Weights that torch pickled, into safetensors: read by its loader of weights alone, which runs no code."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from services.trainer.core.uploading.gathering import PICKLES
from thanosql_ctc.folders import invalid_checkpoint
from thanosql_ctc.weights import WEIGHTS_FILE

_NESTED = "state_dict"
# A state_dict may have a weight under two names; it never has more of it than that.
_MOST_NAMES = 2
_DAMAGE = (EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def convert_pickled(folder: Path) -> None:
    """Put safetensors in the place of pickled weights, where a folder has those and no others.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT where they hold more than tensors, are damaged, or in several files.
    """
    pickled = sorted(path for path in folder.iterdir() if path.suffix in PICKLES)
    if not pickled:
        return
    if len(pickled) > 1:
        listed = ", ".join(path.name for path in pickled)
        raise invalid_checkpoint(
            folder, f"it has weights in {listed}; leave one of them, or bring safetensors"
        )
    weights = _tensors(folder, pickled[0])
    save_file(weights, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    pickled[0].unlink()


def _tensors(folder: Path, path: Path) -> dict[str, Tensor]:
    try:
        # weights_only: an unpickler of torch's own that knows tensors and containers, and calls nothing else.
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as failure:
        problem = (
            f"{path.name} holds more than weights, which could be code, or is no pickle; bring safetensors"
        )
        raise invalid_checkpoint(folder, problem) from failure
    except _DAMAGE as failure:
        why = str(failure).strip().split("\n", 1)[0][:200]
        problem = f"{path.name} is damaged ({why})"
        raise invalid_checkpoint(folder, problem) from failure
    named = _named(folder, path, content)
    _require_size(folder, path, [tensor for _, tensor in named])
    return {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in named}


def _require_size(folder: Path, path: Path, tensors: list[Tensor]) -> None:
    """Refuse views that repeat few numbers: written out they take many times their file."""
    size_bytes, file_bytes = sum(one.numel() * one.element_size() for one in tensors), path.stat().st_size
    if size_bytes > _MOST_NAMES * file_bytes:
        problem = f"{path.name} has {file_bytes} bytes and names {size_bytes} bytes of weights"
        raise invalid_checkpoint(folder, problem)


def _named(folder: Path, path: Path, content: Any) -> list[tuple[str, Tensor]]:  # Any: what somebody stored
    if isinstance(content, Mapping) and isinstance(content.get(_NESTED), Mapping):
        content = content[_NESTED]
    items = list(content.items()) if isinstance(content, Mapping) else []
    if not items or not all(isinstance(name, str) and _is_dense(value) for name, value in items):
        raise invalid_checkpoint(folder, f"{path.name} does not map names to tensors, as a state_dict does")
    return items


def _is_dense(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized
