"""Columns of embeddings as numbers: which rows can be compared, and how near they are."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

USABLE, MISSING, UNUSABLE = 0, 1, 2
"""States of a row: it can be compared; it has no embedding; it has one that has no cosine."""

_DECIMALS = 6

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
States = npt.NDArray[np.int8]


def matrix(embeddings: pa.Array, dimension: int) -> tuple[Numbers, Mask]:
    """The embeddings of the right length as rows, and which rows of the column these are."""
    fitting = pc.fill_null(pc.equal(pc.list_value_length(embeddings), dimension), False)
    values = embeddings.filter(fitting).flatten().to_numpy(zero_copy_only=False)
    return values.astype(np.float64).reshape(-1, dimension), fitting.to_numpy(zero_copy_only=False)


def states(embeddings: pa.Array, fitting: Mask, is_usable: Mask) -> States:
    """The state of each row.

    Args:
        embeddings: The column.
        fitting: Which rows have an embedding of the right length.
        is_usable: Which of these have a cosine.
    """
    state = np.full(len(embeddings), UNUSABLE, np.int8)
    state[embeddings.is_null().to_numpy(zero_copy_only=False)] = MISSING
    state[fitting] = np.where(is_usable, USABLE, UNUSABLE)
    return state


def cosines(embeddings: pa.Array, wanted: Numbers) -> tuple[Numbers, States]:
    """The cosine of each embedding with the one wanted, not a number where there is none; and the states."""
    rows, fitting = matrix(embeddings, len(wanted))
    with np.errstate(all="ignore"):  # What overflows or is zero has no cosine, and is told.
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows)) * np.linalg.norm(wanted)
        found = np.round(np.clip(rows @ wanted / lengths, -1.0, 1.0), _DECIMALS)
    scores = np.full(len(embeddings), np.nan)
    scores[fitting] = found
    return scores, states(embeddings, fitting, np.isfinite(found))
