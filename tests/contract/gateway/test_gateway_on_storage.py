"""The gateway over the real parser and the real storage: what crosses between the three."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway_client import Client
from tests.fakes.gateway_on_storage import gateway_on_storage
from thanosql_runtime.errors import Reason

ROWS = [f"clips/{n}.flac,TEXT {n}" for n in range(40)]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    workspace = tmp_path / "workspace"
    (workspace / "clips").mkdir(parents=True)
    (workspace / "clips" / "0.flac").write_bytes(b"not really audio")
    (workspace / "train.csv").write_text("\n".join(["audio_path,text", *ROWS]) + "\n")
    async with gateway_on_storage(tmp_path, workspace) as made:
        await made.succeed('COPY t OPTIONS(overwrite = True) FROM "train.csv"')
        yield made


async def test_copy_select_and_print_of_the_tutorial(client: Client) -> None:
    assert (await client.succeed("SELECT * FROM t LIMIT 5")).table.num_rows == 5
    printed = await client.succeed("PRINT AUDIO AS SELECT audio_path FROM t LIMIT 3")
    assert printed.of("media_start")[0].path == "clips/0.flac"
    assert [e.row for group in printed.of("row_errors") for e in group.errors] == [1, 2]


async def test_predict_keeps_the_order_and_knows_the_total(client: Client) -> None:
    answer = await client.succeed("PREDICT USING tutorial_audio_recognition AS SELECT * FROM t")
    assert [row["predicted"] for row in answer.rows] == [f"heard clips/{n}.flac" for n in range(40)]
    assert answer.of("progress")[-1].total == 40


async def test_a_nested_prediction_joins_a_table(client: Client) -> None:
    answer = await client.succeed(
        "SELECT count(*) AS n FROM t JOIN (PREDICT USING tutorial_audio_recognition AS SELECT * FROM t) p "
        "ON t.audio_path = p.audio_path WHERE p.predicted <> t.text"
    )
    assert answer.rows == [{"n": 40}]


async def test_a_table_lives_from_create_to_drop(client: Client) -> None:
    await client.succeed("CREATE TABLE p AS PREDICT USING tutorial_audio_recognition AS SELECT * FROM t")
    await client.succeed("INSERT INTO p (audio_path, text) VALUES ('x.flac', 'X')")
    changed = await client.succeed("UPDATE p SET text = 'Y' WHERE audio_path = 'x.flac'")
    assert changed.done.rows_changed == 1
    assert (await client.succeed("DELETE FROM p WHERE predicted IS NULL")).done.rows_changed == 1
    await client.succeed("ALTER TABLE p DROP COLUMN error")
    assert (await client.succeed("SELECT * FROM p")).table.column_names == ["audio_path", "text", "predicted"]
    await client.succeed("DROP TABLE p")
    assert [row["name"] for row in (await client.succeed("LIST TABLE")).rows] == ["t"]


@pytest.mark.parametrize(
    ("text", "reason", "marked", "suggestion"),
    [
        ("SELECT * FROM tt", Reason.TABLE_NOT_FOUND, "tt", "t"),
        ("SELECT txt FROM t", Reason.COLUMN_NOT_FOUND, "txt", "text"),
        ('COPY u FROM "trane.csv"', Reason.FILE_NOT_FOUND, '"trane.csv"', "train.csv"),
        ('COPY u FROM "../train.csv"', Reason.PATH_OUTSIDE_WORKSPACE, '"../train.csv"', ""),
        ('COPY t FROM "train.csv"', Reason.TABLE_ALREADY_EXISTS, "t", ""),
    ],
)
async def test_errors_of_storage_get_their_place(
    client: Client, text: str, reason: Reason, marked: str, suggestion: str
) -> None:
    failure = await client.fail(text)
    assert failure.reason is reason
    assert failure.statement is not None
    assert text[failure.statement.span.start : failure.statement.span.end] == marked
    assert failure.statement.suggestion == suggestion


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("EXPLAIN UPDATE t SET txt = 'a'", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN UPDATE t SET text = txt", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN DELETE FROM t WHERE txt = 'a'", Reason.COLUMN_NOT_FOUND),
        ("EXPLAIN INSERT INTO t VALUES ('a')", Reason.INVALID_DATA),
    ],
)
async def test_explain_finds_what_a_change_would_run_into(client: Client, text: str, reason: Reason) -> None:
    explained = await client.fail(text)
    assert explained.reason is reason
    assert (await client.fail(text.removeprefix("EXPLAIN "))).reason is reason


@pytest.mark.parametrize(
    "text", ["UPDATE T SET Text = upper(text) WHERE text LIKE '%1'", "DELETE FROM t WHERE text = ''"]
)
async def test_explain_lets_a_change_pass_that_runs(client: Client, text: str) -> None:
    await client.succeed(f"EXPLAIN {text}")
    await client.succeed(text)


@pytest.mark.parametrize("text", ["SELECT * FROM read_csv('/etc/passwd')", "SELECT 1 AS a WHERE 1/0 > 'x'"])
async def test_what_the_sandbox_refuses_is_no_internal_error(client: Client, text: str) -> None:
    failure = await client.fail(text)
    assert failure.reason in (Reason.QUERY_REJECTED, Reason.QUERY_FAILED, Reason.SYNTAX_ERROR)


async def test_explain_checks_a_nested_statement_against_storage(client: Client) -> None:
    failure = await client.fail(
        "EXPLAIN SELECT predictd FROM (PREDICT USING tutorial_audio_recognition AS SELECT * FROM t)"
    )
    assert failure.reason is Reason.MODEL_NOT_FOUND


async def test_a_table_overwritten_by_mistake_comes_back(client: Client) -> None:
    await client.succeed("""COPY t OPTIONS(overwrite=True) FROM '[{"a": 1}]'""")
    await client.succeed("CREATE OR REPLACE TABLE t AS SELECT 2 AS b")
    assert (await client.succeed("SELECT * FROM t AT VERSION 1")).table.num_rows == 40
    restored = await client.succeed("RESTORE TABLE T TO VERSION 1")
    assert restored.done.message == (
        "table 't' has the 40 rows and the columns of version 1 again; it is at version 4"
    )
    assert (await client.succeed("SELECT * FROM t")).table.column_names == ["audio_path", "text"]
    await client.succeed("RESTORE TABLE t TO VERSION 3")
    assert (await client.succeed("SELECT * FROM t")).rows == [{"b": 2}]


async def test_versions_are_listed_alone_and_in_queries(client: Client) -> None:
    await client.succeed("DELETE FROM t WHERE text = 'TEXT 1'")
    rows = (await client.succeed("SHOW TABLE VERSIONS T")).rows
    assert [(row["version"], row["operation"], row["rows"]) for row in rows] == [
        (2, "DELETE", 39),
        (1, "COPY", 40),
    ]
    chosen = await client.succeed("SELECT max(version) AS v FROM (SHOW TABLE VERSIONS t) WHERE rows = 40")
    assert chosen.rows == [{"v": 1}]


async def test_a_long_history_is_listed_whole_and_in_order(client: Client) -> None:
    await client.succeed("CREATE TABLE long AS SELECT 0 AS n")
    for first in range(1, 105, 26):
        await client.succeed("; ".join(f"INSERT INTO long VALUES ({n})" for n in range(first, first + 26)))
    rows = (await client.succeed("SHOW TABLE VERSIONS long")).rows
    made = [row["rows"] for row in rows if row["operation"] != "MAINTENANCE"]
    assert made == list(range(105, 0, -1))


async def test_versions_stand_wherever_a_table_may(client: Client) -> None:
    await client.succeed("DELETE FROM t WHERE text <> 'TEXT 1'")
    gone = "SELECT * FROM t AT VERSION 1 WHERE text NOT IN (SELECT text FROM t) ORDER BY text LIMIT 2"
    assert [row["text"] for row in (await client.succeed(gone)).rows] == ["TEXT 0", "TEXT 10"]
    predicted = await client.succeed(
        "SELECT count(*) AS n FROM t AT VERSION 2 AS now "
        "JOIN (PREDICT USING tutorial_audio_recognition AS SELECT * FROM t AT VERSION 1) p USING (audio_path)"
    )
    assert predicted.rows == [{"n": 1}]
    printed = await client.succeed("PRINT AUDIO AS SELECT audio_path FROM t AT VERSION 1 LIMIT 1")
    assert printed.of("media_start")[0].path == "clips/0.flac"
    made = await client.succeed("CREATE TABLE u AS SELECT * FROM t AT VERSION 1 UNION ALL TABLE t")
    assert made.done.rows_changed == 41


async def test_explain_tells_the_versions_and_changes_nothing(client: Client) -> None:
    await client.succeed("DELETE FROM t")
    steps = (await client.succeed("EXPLAIN SELECT * FROM t AT VERSION 1 AS o JOIN t USING (text)")).rows
    assert steps[0]["what"].startswith("query the tables t, t at version 1: ")
    restore = (await client.succeed("EXPLAIN RESTORE TABLE t TO VERSION 1")).rows
    assert restore[0]["what"] == (
        "give table 't', which is at version 2, the rows and columns of version 1 back in one commit: "
        "audio_path, text"
    )
    nested = await client.succeed("EXPLAIN SELECT rows FROM (SHOW TABLE VERSIONS t)")
    assert nested.rows[0]["what"] == "show the versions of table 't', newest first"
    assert (await client.succeed("LIST TABLE")).rows[0]["version"] == 2


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("SELECT * FROM t JOIN t AT VERSION 9 AS o USING (text)", "t AT VERSION 9"),
        ("SELECT * FROM T AT VERSION 1, t AT VERSION 7 AS x", "t AT VERSION 7"),
        ("SELECT * FROM t, nope AT VERSION 1", "nope AT VERSION 1"),
        ("RESTORE TABLE t TO VERSION 9", "9"),
        ("EXPLAIN RESTORE TABLE t TO VERSION 9", "9"),
        ("RESTORE TABLE nope TO VERSION 1", "nope"),
        ("EXPLAIN RESTORE TABLE nope TO VERSION 1", "nope"),
        ("SHOW TABLE VERSIONS nope", "nope"),
        ("EXPLAIN SHOW TABLE VERSIONS nope", "nope"),
        (
            "EXPLAIN PREDICT USING tutorial_audio_recognition AS SELECT * FROM t AT VERSION 9",
            "t AT VERSION 9",
        ),
    ],
)
async def test_a_version_that_does_not_exist_is_placed(client: Client, text: str, marked: str) -> None:
    failure = await client.fail(text)
    assert failure.reason is Reason.TABLE_NOT_FOUND
    assert failure.statement is not None
    assert text[failure.statement.span.start : failure.statement.span.end] == marked
    if "VERSION 9" in text or "VERSION 7" in text:
        assert "it has: 1" in failure.message
