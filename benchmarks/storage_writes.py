"""COPY, and commits of many writers at once."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

import lance
import pyarrow as pa

from benchmarks import copying
from benchmarks.reporting import Contest, in_turn
from benchmarks.storage_service import StorageServer
from thanosql.v1 import storage_pb2

WRITERS = 8
_COPY_RATIO = 1 / 1.5
_ROW = pa.table({"writer": ["w"], "text": ["HELLO LINE BILL THANKS"], "duration_s": [2.5]})


def copies(rows: int, rounds: int) -> list[Contest]:
    """COPY of a csv, each way in a process of its own."""
    runs = copying.runs(rows, rounds)
    bars = {copying.PEERS[0]: _COPY_RATIO}
    return [
        Contest(
            name="copy_csv" if peer in bars else "copy_csv_to_parquet",
            peer=peer,
            ours_s=[run.seconds for run in runs["ours"]],
            peer_s=[run.seconds for run in runs[peer]],
            least_ratio=bars.get(peer, 0.0),
        )
        for peer in copying.PEERS
    ]


def commits(folder: Path, each: int, rounds: int) -> Contest:
    """Writers that append a row and commit, all to one table, against Lance without a service."""
    numbers = count()
    with StorageServer(folder) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(WRITERS)]

        def ours() -> float:
            table = f"written_{next(numbers)}"
            clients[0].write(table, _ROW, storage_pb2.WRITE_MODE_CREATE)
            append = [partial(client.write, table, _ROW, storage_pb2.WRITE_MODE_APPEND) for client in clients]
            seconds = _together(append, each)
            _require(clients[0].rows(f"SELECT count(*) AS n FROM {table}", table).to_pylist()[0]["n"], each)
            return seconds

        def theirs() -> float:
            uri = str(folder / f"peer_{next(numbers)}.lance")
            lance.write_dataset(_ROW, uri)
            seconds = _together([partial(lance.write_dataset, _ROW, uri, mode="append")] * WRITERS, each)
            _require(lance.dataset(uri).count_rows(), each)
            return seconds

        return in_turn("commits", "Lance without a service", ours, theirs, rounds)


def _together(writes: Sequence[Callable[[], object]], each: int) -> float:
    def repeat(write: Callable[[], object]) -> None:
        for _ in range(each):
            write()

    begun_s = time.perf_counter()
    with ThreadPoolExecutor(len(writes)) as pool:
        list(pool.map(repeat, writes))
    return time.perf_counter() - begun_s


def _require(rows: int, each: int) -> None:
    if rows != 1 + WRITERS * each:
        raise AssertionError(f"{rows} rows are there, {1 + WRITERS * each} were written")
