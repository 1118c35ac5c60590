"""Memory that ran out while a model computes: told apart from every other failure."""

import contextlib
from collections.abc import Iterator

import torch

# The allocators of processors and of cuBLAS raise a plain RuntimeError.
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")


class PassesTooLargeError(Exception):
    """Memory ran out, and nothing was changed: smaller passes may fit."""


def is_out_of_memory(failure: BaseException) -> bool:
    """Whether a failure is one of memory, of the device or of the machine."""
    if isinstance(failure, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(failure, RuntimeError) and any(sign in str(failure) for sign in _SIGNS)


@contextlib.contextmanager
def passes_that_fit() -> Iterator[None]:
    """Do what changes nothing until it has succeeded.

    Raises:
        PassesTooLargeError: Memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as failure:
        if not is_out_of_memory(failure):
            raise
        raise PassesTooLargeError(str(failure)) from None


def free_memory() -> None:
    """Give what nobody uses back to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
