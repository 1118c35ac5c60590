"""Where the network computes, and what suits it there."""

import torch
from torch import Tensor


def pick(name: str) -> torch.device:
    """Return the device of a name; `auto` is a GPU where there is one.

    Raises:
        RuntimeError: A GPU is asked for, and torch sees none.
    """
    seen = torch.cuda.is_available()
    if name == "cuda" and not seen:
        raise RuntimeError("torch sees no GPU here: --device cpu, or a build of torch with CUDA")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and seen) else "cpu")


def put(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy to the device without waiting for what it computes; the tensor may change at once."""
    return tensor.to(device, non_blocking=True)


def attention(device: torch.device) -> str:
    """Return the attention that trains fastest.

    On a CPU the backward pass of torch's fused one is a third slower than plain products (measured); on a GPU
    the plain one writes every weight of every pair of frames to memory.
    """
    return "eager" if device.type == "cpu" else "sdpa"


def bfloat16(device: torch.device) -> torch.autocast:
    """Compute products in 16 bits until the end of the block."""
    return torch.autocast(device.type, dtype=torch.bfloat16)


def settle(device: torch.device) -> None:
    """Set what belongs to the process: products in float32 may be rounded as those in 16 bits are."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
