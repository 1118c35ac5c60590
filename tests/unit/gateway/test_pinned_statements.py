"""Statements whose tables are read at the versions that were read before."""

from collections.abc import Sequence

import pytest

from services.gateway import convert_plans
from services.gateway.core.pinning import pinned
from services.gateway.core.plans import Plan
from services.gateway.core.records import TableVersion
from services.parser.convert import to_response
from services.parser.core.parser import Parser

BUILD = "BUILD MODEL m USING b AS "


class WiredParser:
    """The parser as the gateway hears it, without a wire."""

    def __init__(self) -> None:
        self._parser = Parser()

    async def parse(self, text: str) -> Sequence[Plan]:
        return [convert_plans.plan(message) for message in to_response(self._parser.parse(text)).plans]


def read(**versions: int) -> list[TableVersion]:
    return [TableVersion(table=table, version=version) for table, version in versions.items()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * FROM t", "SELECT * FROM t AT VERSION 3"),
        ("SELECT t.a FROM t WHERE t.b = 't'", "SELECT t.a FROM t AT VERSION 3 WHERE t.b = 't'"),
        ('SELECT * FROM "t" AS x', 'SELECT * FROM "t" AT VERSION 3 AS x'),
        ("SELECT * FROM T, u", "SELECT * FROM T AT VERSION 3, u AT VERSION 5"),
        (
            "SELECT x FROM t a JOIN t b ON a.x = b.x JOIN u USING (x)",
            "SELECT x FROM t AT VERSION 3 a JOIN t AT VERSION 3 b ON a.x = b.x JOIN u AT VERSION 5 USING (x)",
        ),
        ("TABLE t", "TABLE t AT VERSION 3"),
        (
            "WITH c AS (SELECT x FROM t) SELECT * FROM c UNION ALL SELECT * FROM t",
            "WITH c AS (SELECT x FROM t AT VERSION 3) SELECT * FROM c UNION ALL SELECT * FROM t AT VERSION 3",
        ),
        (
            "SELECT * FROM t WHERE x IN (SELECT x FROM (PREDICT USING p.2 AS SELECT * FROM u) AS p)",
            "SELECT * FROM t AT VERSION 3 WHERE x IN "
            "(SELECT x FROM (PREDICT USING p.2 AS SELECT * FROM u AT VERSION 5) AS p)",
        ),
        ("SELECT 1 AS t", "SELECT 1 AS t"),
    ],
)
async def test_every_table_gets_its_version(query: str, expected: str) -> None:
    result = await pinned(WiredParser(), BUILD + query, read(t=3, u=5))
    assert result.text == BUILD + expected
    assert result.remarks == []


async def test_a_version_that_is_written_stays_and_is_not_that_of_the_others() -> None:
    built_from = [*read(t=1), *read(t=4)]
    result = await pinned(
        WiredParser(), f"{BUILD}SELECT * FROM t AT VERSION 1 UNION SELECT * FROM t", built_from
    )
    assert result.text == f"{BUILD}SELECT * FROM t AT VERSION 1 UNION SELECT * FROM t AT VERSION 4"


async def test_what_is_not_recorded_is_said() -> None:
    text = f"{BUILD}SELECT * FROM t JOIN (PREDICT USING p AS SELECT * FROM u) AS q USING (x)"
    result = await pinned(WiredParser(), text, [*read(t=2), *read(t=3)])
    assert result.text == text
    assert [remark for remark in result.remarks if "'t'" in remark or "'u'" in remark] == [
        "which version of table 't' was read is not recorded: it would be read as it is now",
        "which version of table 'u' was read is not recorded: it would be read as it is now",
    ]
    assert result.remarks[-1] == "which version of model 'p' the query used is not recorded"
