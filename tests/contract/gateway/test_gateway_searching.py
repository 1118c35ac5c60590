"""SEARCH KEYWORD through gateway, parser and storage: alone, nested, explained, refused with a place."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway_client import Client
from tests.fakes.gateway_on_storage import gateway_on_storage
from thanosql_runtime.errors import Reason

ROWS = [
    "clips/0.flac,THE LIBRARY IS OPEN",
    "clips/1.flac,A QUIET PLACE",
    "clips/2.flac,나는 학교에 갔다",
    "clips/3.flac,LIBRARY LIBRARY",
]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    workspace = tmp_path / "workspace"
    (workspace / "clips").mkdir(parents=True)
    (workspace / "clips" / "3.flac").write_bytes(b"not really audio")
    (workspace / "spoken.csv").write_text("\n".join(["audio_path,text", *ROWS]) + "\n")
    async with gateway_on_storage(tmp_path, workspace) as made:
        await made.succeed("COPY t FROM 'spoken.csv'")
        yield made


async def test_the_best_rows_come_first_with_their_scores(client: Client) -> None:
    answer = await client.succeed("SEARCH KEYWORD OPTIONS (search_input='library') AS SELECT * FROM t")
    assert answer.table.column_names == ["audio_path", "text", "search_result"]
    assert [row["audio_path"] for row in answer.rows] == ["clips/3.flac", "clips/0.flac"]
    assert answer.rows[0]["search_result"] > answer.rows[1]["search_result"] > 0
    assert answer.notices == []


async def test_a_slip_is_noticed_at_the_words(client: Client) -> None:
    text = "SEARCH KEYWORD OPTIONS (search_input='libary') AS SELECT * FROM t"
    answer = await client.succeed(text)
    assert answer.table.num_rows == 2
    assert answer.notices == ["no row has the word 'libary'; searched for 'library' instead"]


async def test_a_search_stands_where_a_table_may(client: Client) -> None:
    found = "(SEARCH KEYWORD OPTIONS (search_input='학교 open', result_col='score') AS SELECT * FROM t)"
    answer = await client.succeed(f"SELECT text FROM {found} WHERE score > 0 ORDER BY text")
    assert [row["text"] for row in answer.rows] == ["THE LIBRARY IS OPEN", "나는 학교에 갔다"]
    printed = await client.succeed(
        "PRINT AUDIO AS (SELECT audio_path FROM "
        "(SEARCH KEYWORD OPTIONS (search_input='library', top_k=1) AS SELECT * FROM t))"
    )
    assert printed.of("media_start")[0].path == "clips/3.flac"
    await client.succeed(f"CREATE TABLE kept AS SELECT text, score FROM {found}")
    assert (await client.succeed("SELECT * FROM kept")).table.num_rows == 2


async def test_what_predict_and_list_answer_can_be_searched(client: Client) -> None:
    heard = "(PREDICT USING tutorial_audio_recognition AS SELECT audio_path FROM t)"
    answer = await client.succeed(
        f"SEARCH KEYWORD OPTIONS (search_input='\"clips 3\"', text_col='predicted') AS SELECT * FROM {heard}"
    )
    assert [row["predicted"] for row in answer.rows] == ["heard clips/3.flac"]
    answer = await client.succeed("SEARCH KEYWORD OPTIONS (search_input='t', text_col='name') AS LIST TABLE")
    assert [row["name"] for row in answer.rows] == ["t"]


async def test_explain_tells_the_search_and_runs_nothing(client: Client) -> None:
    answer = await client.succeed(
        "EXPLAIN SELECT score FROM "
        "(SEARCH KEYWORD OPTIONS (search_input='library', result_col='score') AS SELECT * FROM t)"
    )
    steps = [row["what"] for row in answer.rows]
    assert len(steps) == 3
    assert steps[1].startswith("search column 'text' for 'library' by reading every row; keep the 1000 best")


async def test_explain_of_nested_statements_reads_none_of_their_rows(client: Client) -> None:
    answer = await client.succeed(
        "EXPLAIN SEARCH KEYWORD OPTIONS (search_input='x', text_col='name') AS LIST TABLE"
    )
    assert answer.rows[-1]["what"].startswith("search column 'name' for 'x' by reading every row")


async def test_explain_refuses_what_the_search_would(client: Client) -> None:
    failure = await client.fail("EXPLAIN SEARCH KEYWORD OPTIONS (search_input='\"open') AS SELECT * FROM t")
    assert failure.reason is Reason.INVALID_OPTION_VALUE


@pytest.mark.parametrize(
    ("options", "reason", "at"),
    [
        ("search_input='x', text_col='texts'", Reason.COLUMN_NOT_FOUND, "'texts'"),
        ("search_input='\"x'", Reason.INVALID_OPTION_VALUE, "'\"x'"),
        ("search_input='...'", Reason.INVALID_OPTION_VALUE, "'...'"),
        ("search_input='x', result_col='TEXT'", Reason.INVALID_OPTION_VALUE, "'TEXT'"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
async def test_a_wrong_option_is_shown_in_its_place(
    client: Client, options: str, reason: Reason, at: str, nested: bool
) -> None:
    text = f"SEARCH KEYWORD OPTIONS ({options}) AS SELECT * FROM t"
    failure = await client.fail(f"SELECT * FROM ({text})" if nested else text)
    assert failure.reason is reason
    assert failure.statement is not None
    span = failure.statement.span
    assert (f"SELECT * FROM ({text})" if nested else text)[span.start : span.end] == at


async def test_a_missing_table_of_the_inner_query_is_shown(client: Client) -> None:
    text = "SEARCH KEYWORD OPTIONS (search_input='x') AS SELECT * FROM nowhere"
    failure = await client.fail(text)
    assert failure.reason is Reason.TABLE_NOT_FOUND
    assert failure.statement is not None
    assert text[failure.statement.span.start : failure.statement.span.end] == "nowhere"
