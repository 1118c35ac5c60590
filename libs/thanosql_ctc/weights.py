"""Weights from safetensors, checked against the model before use; nothing is ever unpickled."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from thanosql_ctc.folders import invalid_checkpoint, read_json

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
# Weight norm stores its two factors under other names since torch 2.
_RENAMED = {
    "conv.weight_g": "conv.parametrizations.weight.original0",
    "conv.weight_v": "conv.parametrizations.weight.original1",
}
# SpecAugment's filler: only training reads it, and published checkpoints lack it.
_OPTIONAL = ".masked_spec_embed"
_NONE: Mapping[str, str] = MappingProxyType({})


def load_weights(folder: Path, model: nn.Module, tied: Mapping[str, str] = _NONE) -> None:
    """Fill a model that was built on the meta device, in float32.

    Args:
        folder: The checkpoint.
        model: What is filled.
        tied: Tensors that may be absent because they are others, by their names.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT: no safetensors, damaged ones, missing or foreign tensors, shapes
            other than the configuration's, values that are no numbers.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    state: dict[str, Tensor] = {}
    for path in weight_files(folder):
        state |= _read(folder, path, expected)
    state |= {name: state[other] for name, other in tied.items() if name not in state and other in state}
    absent = [name for name in expected if name not in state]
    missing = [name for name in absent if not name.endswith(_OPTIONAL)]
    if missing:
        raise invalid_checkpoint(folder, f"its weights lack {_some(missing)}")
    for name in absent:
        state[name] = torch.zeros(expected[name]).uniform_(generator=torch.Generator().manual_seed(0))
    model.load_state_dict(state, assign=True)


def weight_files(folder: Path) -> list[Path]:
    """The files with the weights of a checkpoint.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT where there are none.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return [folder / WEIGHTS_FILE]
    if (folder / INDEX_FILE).is_file():
        names = set(map(str, read_json(folder, INDEX_FILE).get("weight_map", {}).values()))
        paths = [folder / name for name in sorted(names)]
        if paths and all(path.parent == folder and path.is_file() for path in paths):
            return paths
        raise invalid_checkpoint(folder, f"{INDEX_FILE} names files that are not in the folder")
    problem = f"it lacks {WEIGHTS_FILE}"
    if (folder / "pytorch_model.bin").exists():
        problem += (
            "; pytorch_model.bin is a pickle, which can run code, and is never read: convert it with"
            " from_pretrained(...).save_pretrained(...) of its class in transformers where you trust it"
        )
    raise invalid_checkpoint(folder, problem)


def _read(folder: Path, path: Path, expected: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as stored:
            names = {_present_name(name): name for name in stored.keys()}  # noqa: SIM118 - no mapping
            foreign = [name for name in names if name not in expected]
            if foreign:
                raise invalid_checkpoint(
                    folder, f"{path.name} holds tensors that the model lacks: {_some(foreign)}"
                )
            _check_shapes(
                folder,
                {name: tuple(stored.get_slice(old).get_shape()) for name, old in names.items()},
                expected,
            )
            # Copies: the file is mapped, and must be free to go while the model lives.
            weights = {name: _own(stored.get_tensor(old)) for name, old in names.items()}
    except (SafetensorError, OSError) as failure:
        raise invalid_checkpoint(folder, f"{path.name} is damaged ({failure})") from failure
    check_finite(folder, weights)
    return weights


def _own(tensor: Tensor) -> Tensor:
    # A batch norm counts its batches in whole numbers.
    return tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)


def _check_shapes(
    folder: Path, stored: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]
) -> None:
    for name, shape in stored.items():
        if shape != expected[name]:
            wanted = list(expected[name])
            raise invalid_checkpoint(
                folder, f"{name} has shape {list(shape)}, its config.json asks for {wanted}"
            )


def check_finite(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Raise INVALID_CHECKPOINT when a weight is no number."""
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise invalid_checkpoint(
                folder, f"{name} holds values that are no numbers; the training diverged"
            )


def _present_name(name: str) -> str:
    for old, new in _RENAMED.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(sorted(names)[:3]) + more
