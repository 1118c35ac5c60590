"""Events become results: rows in every shape, and what a statement says beside them."""

import pyarrow as pa
import pytest

from thanosql.events import Columns, Event, Rows, StatementDone, StatementStarted
from thanosql.result import Result, ResultBuilder
from thanosql.values import Media, Notice, Progress, RowError, Scores

TABLE = pa.table({"audio_path": ["a.wav", "b.wav"], "predicted": ["HELLO <b>", None]})


def started(index: int = 0, kind: str = "SELECT") -> StatementStarted:
    return StatementStarted(index=index, kind=kind, canonical_text=kind)


def done(index: int = 0, **more: object) -> StatementDone:
    fields = {"message": "", "rows": 0, "rows_changed": 0, "row_errors": 0, "elapsed_s": 0.1, **more}
    return StatementDone(index=index, **fields)  # type: ignore[arg-type]


def results_of(*events: Event) -> list[Result]:
    builder = ResultBuilder()
    for event in events:
        builder.add(event)
    return builder.results


def test_rows_come_as_arrow_pandas_and_dictionaries() -> None:
    batches = [Rows(batch=batch) for batch in TABLE.to_batches(max_chunksize=1)]
    (result,) = results_of(started(), Columns(schema=TABLE.schema), *batches, done(rows=2))
    assert result.arrow().equals(TABLE)
    assert result.columns == ["audio_path", "predicted"]
    assert result.rows == TABLE.to_pylist()
    assert [row["audio_path"] for row in result] == ["a.wav", "b.wav"]
    assert len(result) == 2
    assert list(result.to_pandas()["audio_path"]) == ["a.wav", "b.wav"]


def test_an_empty_table_has_columns_and_is_not_the_same_as_no_table() -> None:
    (empty,) = results_of(started(), Columns(schema=TABLE.schema), done())
    (none,) = results_of(started(kind="COPY"), done(message="2 rows copied"))
    assert (empty.has_rows, empty.columns, empty.rows) == (True, ["audio_path", "predicted"], [])
    assert (none.has_rows, none.columns, none.rows) == (False, [], [])
    assert empty
    assert none


def test_every_statement_has_its_own_rows_notices_and_errors() -> None:
    failed = RowError(row=1, subject="b.wav", reason="AUDIO_EMPTY", message="no samples")
    first, second = results_of(
        started(0, "PREDICT"),
        Progress(stage="transcribing", done=1),
        Notice(message="epochs is not needed"),
        Columns(schema=TABLE.schema),
        Rows(batch=TABLE.to_batches()[0]),
        failed,
        done(0, row_errors=1),
        started(1, "COPY"),
        done(1, rows_changed=4),
    )
    assert (len(first), first.row_errors, first.row_error_count) == (2, (failed,), 1)
    assert [notice.message for notice in first.notices] == ["epochs is not needed"]
    assert (len(second), second.rows_changed, second.notices, second.row_errors) == (0, 4, (), ())


def test_a_result_says_in_one_line_what_it_is() -> None:
    (result,) = results_of(started(), Columns(schema=TABLE.schema), done(message="0 rows"))
    assert repr(result) == "<Result of SELECT: '0 rows', 0 rows of audio_path, predicted>"


def test_html_escapes_what_cells_and_messages_hold() -> None:
    (result,) = results_of(
        started(), Columns(schema=TABLE.schema), Rows(batch=TABLE.to_batches()[0]), done(message="<script>")
    )
    html = result._repr_html_()
    assert "HELLO &lt;b&gt;" in html
    assert "<script>" not in html


def test_html_of_scores_and_recordings() -> None:
    scores = Scores(
        wer=0.125,
        cer=0.05,
        substitutions=1,
        deletions=0,
        insertions=0,
        reference_words=8,
        rows=2,
        rows_left_out=0,
        audio_s=7.5,
    )
    media = Media(row=0, path="a<b>.wav", mime_type="audio/wav", data=b"RIFF")
    evaluated, printed = results_of(started(), done(scores=scores), started(1), media, done(1))
    assert "12.5 %" in evaluated._repr_html_()
    assert "data:audio/wav;base64,UklGRg==" in printed._repr_html_()
    assert "a&lt;b&gt;.wav" in printed._repr_html_()


def test_a_missing_pandas_is_answered_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match=r"thanosql\[notebook\]"):
        Result().to_pandas()
