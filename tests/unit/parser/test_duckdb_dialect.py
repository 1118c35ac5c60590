"""What the parser gives to storage is SQL that DuckDB itself reads as one query."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import duckdb
import pytest

from services.parser.core.parser import Parser
from services.parser.core.plan_changes import AddColumn, Delete, Update
from services.parser.core.plan_parts import Query
from tests.golden.cases import read_cases

GOOD = sorted((Path(__file__).parents[2] / "golden" / "good").glob("*.sql"))


def parts(value: object) -> Iterator[object]:
    """A plan and everything in it."""
    yield value
    if isinstance(value, tuple):
        for item in value:
            yield from parts(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield from parts(getattr(value, item.name))


def queries(value: object) -> Iterator[str]:
    """The SQL of a plan, each as a query."""
    for part in parts(value):
        if isinstance(part, Query):
            yield part.sql
        if isinstance(part, Update | Delete) and part.condition is not None:
            yield f"SELECT * FROM t WHERE {part.condition}"
        if isinstance(part, Update):
            yield from (f"SELECT {item.expression} FROM t" for item in part.assignments)
        if isinstance(part, AddColumn):
            yield f"SELECT CAST(NULL AS {part.type})"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_duckdb_reads_every_query_of_the_golden_statements(path: Path) -> None:
    parser = Parser()
    with duckdb.connect() as connection:
        for case in read_cases(path):
            for sql in queries(parser.parse(case.text)):
                (serialized,) = connection.execute("SELECT json_serialize_sql($1)", [sql]).fetchall()[0]
                tree = json.loads(serialized)
                assert not tree["error"], f"{case.title}: {sql}: {tree.get('error_message')}"
                assert len(tree["statements"]) == 1
