"""Queries at the storage service, over a real socket, against DuckDB on parquet."""

import time
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.reporting import Contest, in_turn, timed
from benchmarks.storage_service import StorageClient, StorageServer

_LEAST_RATIO = 1 / 1.3
_LIMIT_S = 0.02
_THREADS = 2
_EXTRACT_S = 120.0
_CALLS = """
SELECT 'calls/' || lpad(i::VARCHAR, 8, '0') || '.wav' AS audio_path,
  'HELLO LINE BILL THANKS NUMBER ' || i * 7919 % 1000003 AS text,
  hash(i) % 200 AS speaker, (hash(i + 1) % 3000) / 100.0::DOUBLE + 0.5 AS duration_s
FROM range({rows}) r(i)
"""
# About a kilobyte a row that hardly shrinks: what a LIMIT must not read.
_WIDE = f"""
SELECT i, {", ".join(f"md5((i * {n} + 13)::VARCHAR) AS text_{n}" for n in range(1, 25))},
  {", ".join(f"hash(i * {n}) / 1e18 AS number_{n}" for n in range(1, 25))}
FROM range({{rows}}) r(i)
"""
_QUERIES = {
    "point": "SELECT * FROM calls WHERE audio_path = 'calls/{middle:08}.wav'",
    "filter": "SELECT audio_path, duration_s FROM calls WHERE duration_s > 30.4",
    "group_by": "SELECT speaker, count(*) AS n, avg(duration_s) AS mean_s FROM calls GROUP BY speaker",
    "count": "SELECT count(*) FROM calls",
    "limit": "SELECT * FROM calls LIMIT 10",
    "wide_limit": "SELECT * FROM wide LIMIT 10",
}


def queries(folder: Path, rows: int, rounds: int) -> list[Contest]:
    """Queries of each kind, against DuckDB in this process on the parquet file that COPY read."""
    with StorageServer(folder) as server, server.client() as client, _peer(server, rows) as peer:
        for table in ("calls", "wide"):
            client.copy(table, f"{table}.parquet")
        _read_until_there_is_an_extract(server, client)
        return [
            _query(name, sql.format(middle=rows // 2), client, peer, rounds) for name, sql in _QUERIES.items()
        ]


def _read_until_there_is_an_extract(server: StorageServer, client: StorageClient) -> None:
    """Ask as often as it takes until the service has made what a table is read by, when it is read again."""
    until_s = time.monotonic() + _EXTRACT_S
    while not list(server.home.glob("table_extracts/tables/calls/*.db")):
        if time.monotonic() > until_s:
            raise TimeoutError("the service has made no extract of the table")
        client.rows(_QUERIES["group_by"], "calls")


def _query(
    name: str, sql: str, client: StorageClient, peer: duckdb.DuckDBPyConnection, rounds: int
) -> Contest:
    table = "wide" if name == "wide_limit" else "calls"
    ours, theirs = partial(client.rows, sql, table), partial(_collected, peer, sql)
    # Any ten rows are an answer to a LIMIT.
    if "limit" not in name and _sorted(ours()) != _sorted(theirs()):
        raise AssertionError(f"the two answer other rows to {sql}")
    contest = in_turn(name, "DuckDB on parquet", timed(ours), timed(theirs), rounds)
    # DuckDB takes a count from the end of the parquet file; there is no bar for that.
    least_ratio = 0.0 if name == "count" else _LEAST_RATIO
    return contest.asking(least_ratio=least_ratio, most_s=_LIMIT_S if "limit" in name else 0.0)


def _collected(peer: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return peer.sql(sql).to_arrow_table()


def _peer(server: StorageServer, rows: int) -> duckdb.DuckDBPyConnection:
    """Parquet as DuckDB writes it, with statistics to prune by, and a connection that stays open."""
    peer = duckdb.connect(config={"threads": _THREADS})
    for name, sql in (("calls", _CALLS), ("wide", _WIDE)):
        path = server.workspace / f"{name}.parquet"
        peer.execute(f"COPY ({sql.format(rows=rows)}) TO '{path}' (FORMAT parquet)")
        peer.execute(f"CREATE VIEW {name} AS SELECT * FROM '{path}'")
    return peer


def _sorted(table: pa.Table) -> list[tuple[object, ...]]:
    columns = [
        [round(value, 6) if isinstance(value, float) else value for value in column.to_pylist()]
        for column in table.columns
    ]
    return sorted(zip(*columns, strict=True))
