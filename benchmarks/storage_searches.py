"""Searches at the storage service: for words, against reading every row; for embeddings, against NumPy.

Recall is the share of the ten best rows, as comparing every row finds them, that the search has answered.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks import keyword_search
from benchmarks.reporting import Contest, in_turn, timed
from benchmarks.storage_service import StorageClient, StorageServer
from thanosql.v1 import storage_pb2

_BAR_S = 0.1
_TOP = 10
_NUMBERS = 256

Embeddings = npt.NDArray[np.float32]


def searches(folder: Path, rows: int, rounds: int) -> tuple[list[Contest], float]:
    """Each kind of search once; and the least recall of all."""
    with StorageServer(folder) as server, server.client() as client:
        by_words, word_recalls = _by_words(server, client, rows, rounds)
        nearest, recall = _nearest(client, rows, rounds)
    contests = [contest.asking(most_s=_BAR_S) for contest in (*by_words, nearest)]
    return contests, min(*word_recalls, recall)


def _by_words(
    server: StorageServer, client: StorageClient, rows: int, rounds: int
) -> tuple[list[Contest], list[float]]:
    keyword_search.table(rows).to_parquet(server.workspace / "spoken.parquet")
    client.copy("spoken", "spoken.parquet")
    _found(client, "w00000", "SELECT * FROM spoken")
    keyword_search.wait_for_index(server.home)
    contests, recalls = [], []
    for name, words in keyword_search.INPUTS.items():
        ours = partial(_found, client, words, "SELECT * FROM spoken")
        theirs = partial(_found, client, words, keyword_search.READING)
        contests.append(in_turn(name, "reading every row", timed(ours), timed(theirs), rounds))
        recalls.append(_recall(ours(), theirs()))
    return contests, recalls


def _found(client: StorageClient, words: str, sql: str) -> Sequence[str]:
    search = storage_pb2.KeywordSearch(search_input=words, text_col="text", result_col="score", top_k=_TOP)
    paths: Sequence[str] = client.rows(sql, "spoken", search=search).column("audio_path").to_pylist()
    return paths


def _nearest(client: StorageClient, rows: int, rounds: int) -> tuple[Contest, float]:
    made = np.random.default_rng(7).normal(size=(rows, _NUMBERS)).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(made.ravel()), _NUMBERS)
    table = pa.table({"row": range(rows), "embedding": column})
    client.write("embedded", table, storage_pb2.WRITE_MODE_CREATE)
    wanted = made[rows // 2] + 1
    ours, theirs = partial(_nearest_rows, client, wanted), partial(_nearest_in_memory, made, wanted)
    contest = in_turn("nearest_embedding", "NumPy in memory", timed(ours), timed(theirs), rounds)
    return contest, _recall(ours(), theirs())


def _nearest_rows(client: StorageClient, wanted: Embeddings) -> Sequence[int]:
    search = storage_pb2.VectorSearch(
        embedding=wanted.tolist(), emb_col="embedding", result_col="score", top_k=_TOP
    )
    numbers: Sequence[int] = (
        client.rows("SELECT * FROM embedded", "embedded", vector_search=search).column("row").to_pylist()
    )
    return numbers


def _nearest_in_memory(made: Embeddings, wanted: Embeddings) -> Sequence[int]:
    scores = made @ wanted / np.linalg.norm(made, axis=1)
    best: Sequence[int] = np.argsort(-scores)[:_TOP].tolist()
    return best


def _recall(found: Sequence[object], best: Sequence[object]) -> float:
    return len(set(best) & set(found)) / max(1, len(best))
