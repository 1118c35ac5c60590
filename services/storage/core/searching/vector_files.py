"""The embeddings of one column, packed: each scaled to length 1, one behind the other, in mapped files.

They are compared many times faster than rows are read. They are made from a table, and may be deleted.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.storage.core.searching.embeddings import USABLE, matrix, states

FORMAT = 1
_FACTS = "facts.json"
_ADDRESSES = "addresses.bin"
_STATES = "states.bin"
_VECTORS = "vectors.bin"
_BATCH_ROWS = 8192

Addresses = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class VectorFacts:
    """What an index holds: the parts of the table, rows, numbers of an embedding."""

    fragments: Mapping[str, str]
    rows: int
    dimension: int
    format: int = FORMAT


@dataclass(frozen=True, kw_only=True, eq=False)
class Packed:
    """Some rows: where in the table they are, whether they can be compared, their vectors of length 1."""

    addresses: Addresses
    states: npt.NDArray[np.int8]
    vectors: npt.NDArray[np.float32]


class VectorIndex:
    """An index that was written before.

    Raises:
        OSError: It is gone.
        ValueError: It is not whole, or of another release.
    """

    def __init__(self, folder: Path) -> None:
        self.facts = VectorFacts(**json.loads((folder / _FACTS).read_text()))
        if self.facts.format != FORMAT:
            raise ValueError(f"the index in {folder} is of another release")
        rows, dimension = self.facts.rows, self.facts.dimension
        self.packed = Packed(
            addresses=np.memmap(folder / _ADDRESSES, np.uint64, mode="r", shape=(rows,)),
            states=np.memmap(folder / _STATES, np.int8, mode="r", shape=(rows,)),
            vectors=np.memmap(folder / _VECTORS, np.float32, mode="r", shape=(rows, dimension)),
        )

    @property
    def fragments(self) -> Mapping[str, str]:
        """The parts of the table that it holds."""
        return self.facts.fragments


def write_vectors(
    parts: Iterable[Packed], dimension: int, fragments: Mapping[str, str], folder: Path
) -> None:
    """Write an index; its facts come last, so that one without facts is none."""
    rows = 0
    with (
        (folder / _ADDRESSES).open("wb") as addresses,
        (folder / _STATES).open("wb") as usable,
        (folder / _VECTORS).open("wb") as vectors,
    ):
        for part in parts:
            part.addresses.tofile(addresses)
            part.states.tofile(usable)
            part.vectors.tofile(vectors)
            rows += len(part.addresses)
    facts = VectorFacts(fragments=dict(fragments), rows=rows, dimension=dimension)
    (folder / _FACTS).write_text(json.dumps(asdict(facts)))


def packed_rows(
    dataset: Any, column: str, fragments: Sequence[Any], is_stopped: Callable[[], bool] = lambda: False
) -> Iterator[Packed]:
    """Pack the embeddings of some parts of a table.

    Args:
        dataset: The table.
        column: Its column of embeddings, a fixed-size list.
        fragments: The parts.
        is_stopped: Whether nobody wants them any more.

    Raises:
        RuntimeError: They were stopped.
    """
    dimension = dataset.schema.field(column).type.list_size
    scanner = dataset.scanner(
        columns=[column], with_row_id=True, fragments=list(fragments), batch_size=_BATCH_ROWS
    )
    for batch in scanner.to_reader():
        if is_stopped():
            raise RuntimeError("the service stops")
        yield _pack(batch.column(column), batch.column("_rowid"), dimension)


def _pack(embeddings: pa.Array, addresses: pa.Array, dimension: int) -> Packed:
    rows, fitting = matrix(embeddings, dimension)
    with np.errstate(all="ignore"):  # What has no length is not usable, and is marked so.
        units = rows / np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    state = states(embeddings, fitting, np.isfinite(units).all(axis=1))
    vectors = np.zeros((len(embeddings), dimension), np.float32)
    vectors[fitting] = units
    vectors[state != USABLE] = 0.0
    return Packed(
        addresses=addresses.to_numpy(zero_copy_only=False).astype(np.uint64), states=state, vectors=vectors
    )
