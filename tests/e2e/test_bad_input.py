"""What users get wrong, and what the system says: a clear error, or a row with a reason."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.deployment import SHARED_DATA, Deployment, one_process
from thanosql import ThanoSQL
from thanosql.errors import ThanoSQLError

MODEL = "tutorial_audio_recognition"


def failure(db: ThanoSQL, text: str) -> ThanoSQLError:
    with pytest.raises(ThanoSQLError) as raised:
        db.execute(text)
    return raised.value


@pytest.fixture(autouse=True)
def tables(db: ThanoSQL) -> None:
    for name in ("rows", "mixed", "no_audio_column", "no_rows", "strange_text"):
        db.execute(f"COPY {name} OPTIONS(overwrite=True) FROM '{name}.csv'")


@pytest.mark.parametrize("statement", ["PREDICT", "EVALUATE"])
def test_a_table_without_the_audio_column_fails_with_the_columns_it_has(db: ThanoSQL, statement: str) -> None:
    raised = failure(db, f"{statement} USING {MODEL} AS SELECT * FROM no_audio_column")
    assert raised.reason == "COLUMN_NOT_FOUND"
    assert "audio_path" in raised.message
    assert "file" in raised.message


def test_building_without_the_audio_column_fails_before_training(db: ThanoSQL) -> None:
    raised = failure(db, "BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM no_audio_column")
    assert raised.reason == "COLUMN_NOT_FOUND"


def test_bad_recordings_are_rows_with_a_reason(db: ThanoSQL) -> None:
    result = db.execute(f"PREDICT USING {MODEL} AS SELECT * FROM mixed")
    rows: dict[str, Any] = {row["audio_path"]: row for row in result.rows}
    assert len(rows) == 7
    for good in ("audio/tone.wav", "audio/click.wav"):
        assert rows[good]["error"] is None
        assert rows[good]["predicted"] is not None
    for path, reason in {
        "audio/missing.wav": "AUDIO_NOT_FOUND",
        "audio/text.wav": "AUDIO_UNREADABLE",
        "audio/empty.wav": "AUDIO_EMPTY",
        "../secret.wav": "PATH_OUTSIDE_WORKSPACE",
        "/etc/passwd": "PATH_OUTSIDE_WORKSPACE",
    }.items():
        assert rows[path]["predicted"] is None
        assert reason in rows[path]["error"]
    assert len(result.row_errors) == 5


def test_an_empty_table_predicts_nothing_and_says_what_columns(db: ThanoSQL) -> None:
    result = db.execute(f"PREDICT USING {MODEL} AS SELECT * FROM no_rows")
    assert len(result) == 0
    assert result.columns == ["audio_path", "text", "predicted", "error"]


def test_an_empty_table_builds_nothing(db: ThanoSQL) -> None:
    assert failure(db, "BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM no_rows").reason == "NO_USABLE_ROWS"


def test_a_model_that_does_not_exist_is_answered_with_the_nearest(db: ThanoSQL) -> None:
    raised = failure(db, "PREDICT USING tutorial_audio_recognitoin AS SELECT * FROM rows")
    assert raised.reason == "MODEL_NOT_FOUND"
    assert MODEL in raised.message


def test_a_base_model_that_does_not_exist_is_answered_with_the_nearest(db: ThanoSQL) -> None:
    raised = failure(db, "BUILD MODEL m USING Wav2Vec2Em AS SELECT * FROM rows")
    assert raised.reason in {"BASE_MODEL_NOT_FOUND", "MODEL_NOT_FOUND"}
    assert "Wav2Vec2En" in raised.message


def test_a_model_is_not_overwritten_unasked(db: ThanoSQL) -> None:
    raised = failure(db, f"BUILD MODEL {MODEL} USING Wav2Vec2En AS SELECT * FROM rows")
    assert raised.reason == "MODEL_ALREADY_EXISTS"
    assert "overwrite" in raised.message


def test_text_outside_the_vocabulary_leaves_rows_out_with_a_reason(db: ThanoSQL) -> None:
    raised = failure(db, "BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM strange_text")
    assert raised.reason == "NO_USABLE_ROWS"
    assert "TEXT_OUTSIDE_VOCABULARY" in raised.message or "vocabulary" in raised.message


def test_a_wrong_token_is_refused(deployment: Deployment) -> None:
    with ThanoSQL(deployment.address, token="thanosql_wrong") as stranger:
        assert failure(stranger, "SELECT 1").reason == "INVALID_TOKEN"


@pytest.mark.parametrize("path", ["../x.csv", "/etc/passwd", "link_out/passwd", "audio/../../x.csv"])
def test_a_path_that_leaves_the_workspace_is_refused(db: ThanoSQL, path: str) -> None:
    assert failure(db, f"COPY t OPTIONS(overwrite=True) FROM '{path}'").reason == "PATH_OUTSIDE_WORKSPACE"


def test_a_file_that_does_not_exist_is_named(db: ThanoSQL) -> None:
    raised = failure(db, "COPY t FROM 'row.csv'")
    assert raised.reason == "FILE_NOT_FOUND"
    assert "row.csv" in raised.message


def test_text_that_is_not_utf8_is_refused_with_the_byte(db: ThanoSQL) -> None:
    raised = failure(db, "COPY t FROM 'latin1.csv'")
    assert raised.reason == "INVALID_ENCODING"
    assert "34" in raised.message


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_settings()",
    ],
)
def test_a_query_sees_the_tables_and_nothing_else(db: ThanoSQL, query: str) -> None:
    raised = failure(db, query)
    assert raised.reason in {"QUERY_REJECTED", "TABLE_NOT_FOUND", "QUERY_FAILED", "SYNTAX_ERROR"}
    assert "root:" not in raised.message


def test_a_second_statement_inside_an_as_clause_does_not_run(db: ThanoSQL) -> None:
    failure(db, "PRINT AUDIO AS (SELECT audio_path FROM rows; DROP TABLE rows)")
    assert len(db.execute("SELECT * FROM rows")) == 1


def test_a_mistake_is_drawn_at_its_place(db: ThanoSQL) -> None:
    raised = failure(db, "BUILD MODEL m USING Wav2Vec2En\nOPTIONS (\n  epoch=1\n) AS SELECT * FROM rows")
    assert raised.reason == "UNKNOWN_OPTION"
    drawn = raised.drawn()
    assert "line 3" in drawn
    assert "^^^^^" in drawn
    assert "did you mean 'epochs'?" in drawn


def test_a_client_that_leaves_in_the_middle_leaves_the_server_well(
    deployment: Deployment, db: ThanoSQL
) -> None:
    many = "SELECT 'audio/tone.wav' AS audio_path FROM range(100000)"
    with ThanoSQL(deployment.address, token=deployment.token) as leaving:
        events = iter(leaving.stream(f"PREDICT USING {MODEL} AS {many}"))
        next(events)
    answered = threading.Event()

    def ask() -> None:
        assert db.execute(f"PREDICT USING {MODEL} AS SELECT * FROM rows").rows
        answered.set()

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(timeout=60)
    assert answered.is_set(), "the rows of a client that left still keep the server busy"


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared recordings are not here")
def test_every_odd_file_is_a_transcript_or_a_reason(tmp_path: Path) -> None:
    environment = {"THANOSQL_OBJECTS__WORKSPACE": str(SHARED_DATA)}
    with (
        one_process(tmp_path / "home", environment) as running,
        ThanoSQL(running.address, token=running.token) as db,
    ):
        db.execute("COPY formats FROM 'formats.csv'")
        result = db.execute(f"PREDICT USING {MODEL} AS SELECT audio_path, readable FROM formats")
    assert len(result) == 64
    for row in result.rows:
        if row["readable"] == "no":
            assert row["predicted"] is None, row
            assert row["error"], row
        elif row["readable"] == "empty":
            assert "AUDIO_EMPTY" in row["error"], row
