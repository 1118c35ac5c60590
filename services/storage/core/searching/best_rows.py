"""The best rows of a stream, in bounded memory."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from thanosql_runtime.errors import Reason, error

Scores = npt.NDArray[np.float64]
_SLACK_ROWS = 8192


class BestRows:
    """Keeps the rows with the highest scores; of equal ones, those that came first.

    Args:
        schema: Of the rows.
        count: How many are wanted.
        memory_bytes: What they may take; while they are collected, twice that.
    """

    def __init__(self, schema: pa.Schema, count: int, memory_bytes: int) -> None:
        self._schema = schema
        self._count = count
        self._memory_bytes = memory_bytes
        self._batches: list[pa.RecordBatch] = []
        self._scores: list[Scores] = []
        self._rows = 0
        self._bytes = 0
        self._least = -np.inf

    def add(self, batch: pa.RecordBatch, scores: Scores) -> None:
        """Take the rows of a batch that are among the best so far; those whose score is no number never are.

        Raises:
            ThanosqlError: QUERY_TOO_LARGE when the best rows take more than they may.
        """
        better = np.flatnonzero(scores > self._least)
        if not len(better):
            return
        taken = batch.take(pa.array(better))
        self._batches.append(taken)
        self._scores.append(scores[better])
        self._rows += len(better)
        self._bytes += taken.nbytes
        if self._rows > 2 * self._count + _SLACK_ROWS or self._bytes > 2 * self._memory_bytes:
            self._cut()

    def table(self) -> tuple[pa.Table, Scores]:
        """The rows with their scores, best first."""
        self._cut()
        scores = np.concatenate([np.empty(0), *self._scores])
        return pa.Table.from_batches(self._batches, schema=self._schema), scores

    def _cut(self) -> None:
        """Sort what is held and give up what is not among the best any more."""
        if not self._batches:
            return
        scores = np.concatenate(self._scores)
        # Stable, and what is held from before stands first: of equal rows the earlier one wins.
        order = np.argsort(-scores, kind="stable")[: self._count]
        held = pa.Table.from_batches(self._batches, schema=self._schema).take(pa.array(order))
        self._batches = held.combine_chunks().to_batches()
        self._scores = [scores[order]]
        self._rows, self._bytes = len(order), held.nbytes
        if len(order) == self._count:
            self._least = float(scores[order[-1]])
        if self._bytes > self._memory_bytes:
            limit_mib = self._memory_bytes >> 20
            message = f"the {len(order)} best rows take more than {limit_mib} MiB"
            advice = "set a smaller top_k, or select fewer columns"
            raise error(Reason.QUERY_TOO_LARGE, f"{message}; {advice}")
