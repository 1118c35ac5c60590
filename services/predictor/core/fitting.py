"""Checkpoints that pass every check, and whose files do not fit together all the same."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from services.predictor.core.types import ModelRecord
from thanosql_runtime.errors import Reason, ThanosqlError, error


@contextmanager
def fitting_together(record: ModelRecord) -> Iterator[None]:
    """Compute for the first time.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT in place of whatever a model raises that cannot compute.
    """
    try:
        yield
    except (ThanosqlError, torch.OutOfMemoryError):
        raise
    except Exception as failure:
        problem = f"the model {record.full_name} cannot compute: its files do not fit together"
        raise error(Reason.INVALID_CHECKPOINT, f"{problem} ({failure})", model=record.name) from failure
