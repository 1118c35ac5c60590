"""EXPLAIN COPY: what is said of a source from its start, and that nothing changes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.copying.explaining import CopyExplainer
from services.storage.core.copying.sampling import whole_lines
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import CopyExplanation, IfExists
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError

Explain = Callable[..., CopyExplanation]
LARGE = 5 << 20


@pytest.fixture
def explain(tables: Tables, files: Path, tmp_path: Path) -> Explain:
    workspace = Workspace(LocalDirectory(files, read_only=True), LocalDirectory(tmp_path / "objects"))
    explainer = CopyExplainer(tables, Quarantines(tables), workspace)

    def run(
        source: str, if_exists: IfExists = IfExists.FAIL, *, store_audio: bool = False
    ) -> CopyExplanation:
        before = {name: tables.describe(name) for name in tables.names()}
        try:
            request = CopyRequest(table="t", source=source, if_exists=if_exists, store_audio=store_audio)
            return explainer.run(request)
        finally:
            assert {name: tables.describe(name) for name in tables.names()} == before

    return run


def columns(explained: CopyExplanation) -> dict[str, str]:
    return {column.name: column.type for column in explained.columns}


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.json"])
def test_a_large_file_is_judged_by_its_start(explain: Explain, files: Path, name: str) -> None:
    rows = [{"a": number, "b": "x" * 100} for number in range(LARGE // 100)]
    texts = {
        "t.csv": "a,b\n" + "".join(f"{row['a']},{row['b']}\n" for row in rows) + "late,x\n",
        "t.tsv": "a\tb\n" + "".join(f"{row['a']}\t{row['b']}\n" for row in rows) + "late\tx\n",
        "t.jsonl": "\n".join(map(json.dumps, [*rows, {"a": "late"}])),
        "t.json": json.dumps([*rows, {"a": "late"}], indent=1),
    }
    (files / name).write_text(texts[name])
    explained = explain(name)
    assert columns(explained) == {"a": "int64", "b": "string"}
    assert (explained.format, explained.is_final) == (name.removeprefix("t."), False)
    assert 10_000 < explained.rows_read < len(rows)
    assert explained.rows_quarantined == 0


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json"])
def test_a_wrong_byte_in_the_start_of_a_large_file_has_its_offset(
    explain: Explain, files: Path, name: str
) -> None:
    start, end, more = {
        "t.csv": (b"a\nx\n", b"\n", b"yyyyyyyy\n"),
        "t.jsonl": (b'{"a": "x"}\n{"a": "', b'"}\n', b'{"a": "y"}\n'),
        "t.json": (b'[{"a": "x"}, {"a": "', b'"}', b', {"a": "y"}'),
    }[name]
    (files / name).write_bytes(start + b"\xe9" + end + more * (LARGE // len(more)))
    with pytest.raises(ThanosqlError) as caught:
        explain(name)
    assert caught.value.reason is Reason.INVALID_ENCODING
    assert caught.value.metadata["byte_offset"] == str(len(start))


def test_a_parquet_file_says_its_columns_itself(explain: Explain, files: Path) -> None:
    pq.write_table(pa.table({"a": list(range(100_000)), "b": [0.5] * 100_000}), files / "t.parquet")
    explained = explain("t.parquet")
    assert columns(explained) == {"a": "int64", "b": "double"}
    assert explained.is_final
    assert explained.rows_read < 100_000


def test_a_large_folder_is_counted_up_to_a_limit(
    explain: Explain, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.core.copying.explaining._FILES_LISTED", 3)
    (files / "calls").mkdir()
    for number in range(4):
        (files / "calls" / f"{number}.wav").write_bytes(b"no recording")
    explained = explain("calls")
    assert (explained.format, explained.files, explained.is_final) == ("folder of audio", 3, False)
    assert columns(explained)["audio_path"] == "string"


def test_what_an_append_would_change_is_foretold(
    explain: Explain, copying: CopyCommand, files: Path, tables: Tables
) -> None:
    (files / "t.csv").write_text("a,b\n1,x\n")
    copying.run(CopyRequest(table="t", source="t.csv"), lambda _: None)
    explained = explain('[{"a": 0.5}]', IfExists.APPEND)
    assert explained.notices == (
        "column 'a' would be widened from int64 to double",
        "column 'b' is not in the JSON text: NULL in these rows",
    )


def test_a_quarantine_that_could_not_be_kept_is_found(explain: Explain, files: Path, tables: Tables) -> None:
    own = pa.table({"raw": ["mine"]})
    tables.create("t_quarantine", Rows(own.schema, own.to_batches()))
    (files / "t.csv").write_text("a,b\n1,2\nbad\n")
    with pytest.raises(ThanosqlError) as caught:
        explain("t.csv")
    assert caught.value.reason is Reason.TABLE_ALREADY_EXISTS


@pytest.mark.parametrize(
    ("start", "whole"),
    [
        (b"a,b\n1,2\n3,", b"a,b\n1,2\n"),
        (b'a,b\n1,"x\ny', b"a,b\n"),
        (b'a,b\n1,"x\ny"\n2,"', b'a,b\n1,"x\ny"\n'),
        (b'a,b\n1,"x ""y""\nz', b"a,b\n"),
        (b"a,b", b"a,b"),
        (b'"a', b'"a'),
    ],
)
def test_a_text_that_is_cut_off_ends_with_a_whole_row(start: bytes, whole: bytes) -> None:
    assert whole_lines(start, quotes=True) == whole


def test_quotes_hold_no_lines_of_json_together() -> None:
    assert whole_lines(b'{"a": "1\n{"b', quotes=False) == b'{"a": "1\n'


def test_the_first_rows_alone_do_not_tell_that_no_recording_can_be_read(
    explain: Explain, files: Path
) -> None:
    (files / "t.csv").write_text("audio_path\n" + "none.wav\n" * 101)
    seen = explain("t.csv", store_audio=True)
    assert (seen.rows_read, seen.rows_quarantined, seen.is_final) == (0, 100, False)


def test_a_source_without_a_readable_recording_is_refused(explain: Explain, files: Path) -> None:
    (files / "t.csv").write_text("audio_path\n" + "none.wav\n" * 100)
    with pytest.raises(ThanosqlError, match=r"no row of 't\.csv' can be read"):
        explain("t.csv", store_audio=True)


def test_a_recording_that_many_rows_name_is_one(explain: Explain, files: Path) -> None:
    soundfile.write(files / "one.wav", np.zeros(1600, np.float32), 16000)
    (files / "t.csv").write_text("audio_path\n" + "one.wav\n" * 50)
    seen = explain("t.csv", store_audio=True)
    assert (seen.rows_read, seen.audio_files, seen.is_final) == (50, 1, True)
    assert seen.audio_bytes == (files / "one.wav").stat().st_size
