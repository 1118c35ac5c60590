"""COPY from every format, with the rows and files that go wrong."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.tables import Tables
from services.storage.core.types import CopyOutcome, CopyProgress, IfExists
from tests.deployment import SHARED_DATA
from thanosql_runtime.errors import Reason, ThanosqlError

Select = Callable[[str], list[dict[str, object]]]


@pytest.fixture
def copy(copying: CopyCommand, files: Path) -> Callable[..., CopyOutcome]:
    """Write a file into the workspace and copy it."""

    def run(name: str, content: str | bytes = b"", if_exists: IfExists = IfExists.FAIL) -> CopyOutcome:
        if content:
            path = files / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        request = CopyRequest(table="t", source=name, if_exists=if_exists)
        return copying.run(request, lambda progress: None)

    return run


Copy = Callable[..., CopyOutcome]


def types(tables: Tables) -> dict[str, str]:
    return {column.name: column.type for column in tables.describe("t").columns}


class TestDelimited:
    def test_types_are_what_every_value_allows(self, copy: Copy, tables: Tables, select: Select) -> None:
        header = "i,f,b,d,ts,zip,big,text,mixed,nothing\n"
        first = "1,1.5,true,2024-02-29,2024-01-01T10:00:00,00501,12345678901234567890,a,1,\n"
        second = "-2,2e3,False,2023-01-01,2024-01-01 10:00:00.5,10001,1,b,x,\n"
        copy("t.csv", header + first + second)
        assert types(tables) == {
            "i": "int64", "f": "double", "b": "bool", "d": "date32[day]", "ts": "timestamp[us]",
            "zip": "string", "big": "string", "text": "string", "mixed": "string", "nothing": "string",
        }  # fmt: skip
        assert select("SELECT i, f, b, zip FROM t")[1] == {"i": -2, "f": 2000.0, "b": False, "zip": "10001"}

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (["1", "123456789012345678"], "int64"),
            (["1", "1.5"], "double"),
            ([".5", "-.5", "1e5"], "double"),
            (["123456789012345678", "1.5"], "string"),
            (["1", "1."], "string"),
            (["1", "."], "string"),
            (["1", "007"], "string"),
            (["1", "+1"], "string"),
            (["TRUE", "false"], "bool"),
            (["2024-02-29", "2024-02-30"], "string"),
        ],
    )
    def test_one_value_decides_for_its_column(
        self, copy: Copy, tables: Tables, values: list[str], kind: str
    ) -> None:
        copy("t.csv", "\n".join(["v", *values]) + "\n")
        assert types(tables) == {"v": kind}

    def test_a_late_value_widens_the_whole_column(self, copy: Copy, tables: Tables, select: Select) -> None:
        copy("t.csv", "v\n" + "1\n" * 400_000 + "x\n")
        assert types(tables) == {"v": "string"}
        assert select("SELECT count(*) AS n FROM t WHERE v = '1'") == [{"n": 400_000}]

    def test_an_empty_field_is_null_and_an_empty_text_is_not(self, copy: Copy, select: Select) -> None:
        copy("t.csv", 'a,n\n,1\n"",\nNA,3\n')
        assert select("SELECT * FROM t") == [
            {"a": None, "n": 1}, {"a": "", "n": None}, {"a": "NA", "n": 3}
        ]  # fmt: skip

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_newlines_quotes_and_marks_are_read(
        self, copy: Copy, select: Select, newline: str, mark: bytes
    ) -> None:
        content = newline.join(["a,b", '"x, ""y""","two\nlines"', "한국어,1"])
        copy("t.csv", mark + content.encode())
        assert select("SELECT * FROM t") == [{"a": 'x, "y"', "b": "two\nlines"}, {"a": "한국어", "b": "1"}]

    def test_tabs_separate_a_tsv(self, copy: Copy, select: Select) -> None:
        copy("t.tsv", "a\tb\n1,5\t2\n")
        assert select("SELECT * FROM t") == [{"a": "1,5", "b": 2}]

    def test_rows_of_another_width_are_left_out_with_their_lines(self, copy: Copy) -> None:
        outcome = copy("t.csv", "a,b\n1,2\n3\n4,5,6\n\n7,8\n")
        assert (outcome.rows_copied, outcome.rows_quarantined) == (2, 2)
        assert [(row.row, row.subject) for row in outcome.quarantined] == [(1, "line 3"), (2, "line 4")]
        assert outcome.quarantined[0].message == "1 field where the header has 2"

    def test_lines_are_counted_through_blank_lines_and_quoted_newlines(self, copy: Copy) -> None:
        outcome = copy("t.csv", '\n"a\nx",b\r\n\n1,"two\nlines"\n3\n\n"4\n",5,6\n7,8\n')
        assert [row.subject for row in outcome.quarantined] == ["line 7", "line 9"]
        assert outcome.rows_copied == 2

    def test_a_hundred_bad_rows_are_named_and_all_are_counted(self, copy: Copy) -> None:
        outcome = copy("t.csv", "a,b\n1,2\n" + "3\n" * 250)
        assert (outcome.rows_quarantined, len(outcome.quarantined)) == (250, 100)

    @pytest.mark.parametrize("content", ["a,b\n", "a,b", "a,b\n\n\n"])
    def test_a_header_alone_is_an_empty_table(self, copy: Copy, tables: Tables, content: str) -> None:
        assert copy("t.csv", content).rows_copied == 0
        assert list(types(tables)) == ["a", "b"]

    @pytest.mark.parametrize("content", ["\n", "  \n \n", "a,A\n1,2\n", 'a\n"' + "x" * 3_000_000])
    def test_files_without_a_usable_header_or_end_are_refused(
        self, copy: Copy, tables: Tables, content: str
    ) -> None:
        with pytest.raises(ThanosqlError) as caught:
            copy("t.csv", content)
        assert caught.value.reason is Reason.INVALID_DATA
        assert tables.names() == []

    def test_an_empty_file_is_refused(self, copy: Copy, files: Path) -> None:
        (files / "t.csv").touch()
        with pytest.raises(ThanosqlError) as caught:
            copy("t.csv")
        assert caught.value.reason is Reason.INVALID_DATA

    def test_names_that_tables_cannot_have_are_mended(self, copy: Copy, tables: Tables) -> None:
        copy("t.csv", " a.b , ,c d\n1,2,3\n")
        assert list(types(tables)) == ["a_b", "column_2", "c d"]

    @pytest.mark.parametrize(
        ("content", "offset"),
        [
            (b"a\ncaf\xe9\n", 5),
            (b"a\n" + b"x" * (1 << 20) + b"\xff", 2 + (1 << 20)),
            (b"a\n" + b"x" * ((1 << 20) - 3) + b"\xe2\x82", (1 << 20) - 1),
            ("a,b\n1,2\n".encode("utf-16"), 0),
        ],
    )
    def test_other_encodings_are_refused_at_their_byte(self, copy: Copy, content: bytes, offset: int) -> None:
        with pytest.raises(ThanosqlError) as caught:
            copy("t.csv", content)
        assert caught.value.reason is Reason.INVALID_ENCODING
        assert caught.value.metadata["byte_offset"] == str(offset)

    def test_progress_grows_and_memory_does_not(self, copying: CopyCommand, files: Path) -> None:
        (files / "t.csv").write_text("a,b\n" + "some text here,12345\n" * 500_000)
        seen: list[CopyProgress] = []
        before = pa.total_allocated_bytes()
        peak = 0

        def watch(progress: CopyProgress) -> None:
            nonlocal peak
            peak = max(peak, pa.total_allocated_bytes() - before)
            seen.append(progress)

        outcome = copying.run(CopyRequest(table="t", source="t.csv"), watch)
        assert outcome.rows_copied == 500_000
        assert [p.rows for p in seen] == sorted(p.rows for p in seen)
        assert seen[-1].done == seen[-1].total == (files / "t.csv").stat().st_size
        assert peak < 32 << 20

    def test_a_copy_that_is_stopped_changes_nothing(
        self, copy: Copy, copying: CopyCommand, tables: Tables, files: Path
    ) -> None:
        copy("t.csv", "a\n1\n")
        (files / "more.csv").write_text("a\n" + "2\n" * 1_000_000)

        def stop(progress: CopyProgress) -> None:
            raise ThanosqlError(reason=Reason.CANCELLED, message="stopped")

        with pytest.raises(ThanosqlError, match="stopped"):
            copying.run(CopyRequest(table="t", source="more.csv", if_exists=IfExists.REPLACE), stop)
        assert (tables.describe("t").row_count, tables.describe("t").version) == (1, 1)


class TestDocuments:
    def test_json_lines_become_rows_and_bad_ones_are_left_out(self, copy: Copy, select: Select) -> None:
        lines = ['{"a": 1, "b": {"c": [1, 2]}}', "", "not json", "[1]", '{"a": 2}', '{"a": "x'
        ]  # fmt: skip
        outcome = copy("t.jsonl", "\n".join(lines))
        assert (outcome.rows_copied, outcome.rows_quarantined) == (2, 3)
        assert [row.subject for row in outcome.quarantined] == ["line 3", "line 4", "line 6"]
        assert select("SELECT a, b.c[2] AS c FROM t") == [{"a": 1, "c": 2}, {"a": 2, "c": None}]

    def test_a_json_array_becomes_rows(self, copy: Copy, select: Select) -> None:
        copy("t.json", json.dumps([{"a": 1, "t": "ü"}, {"a": 2}]))
        assert select("SELECT * FROM t") == [{"a": 1, "t": "ü"}, {"a": 2, "t": None}]

    def test_a_json_array_in_the_statement_becomes_rows(self, copy: Copy, select: Select) -> None:
        copy('[{"a": 1}, {"a": 2}]')
        assert select("SELECT sum(a)::INT AS s FROM t") == [{"s": 3}]

    def test_parquet_keeps_its_types(self, copy: Copy, files: Path, tables: Tables) -> None:
        rows = pa.table(
            {"a": pa.array([1], pa.int16()), "t": pa.array([0], pa.timestamp("ms")), "x.y": ["z"]}
        )
        pq.write_table(rows, files / "t.parquet")
        copy("t.parquet")
        assert types(tables) == {"a": "int16", "t": "timestamp[ms]", "x_y": "string"}

    def test_excel_gives_its_first_sheet(self, copy: Copy, files: Path, select: Select) -> None:
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        for line in (["name", "n"], ["ana", 1], ["bob", 2]):
            sheet.append(line)
        book.save(files / "t.xlsx")
        copy("t.xlsx")
        assert select("SELECT * FROM t") == [{"name": "ana", "n": 1}, {"name": "bob", "n": 2}]

    @pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.parquet", "t.xlsx", "t.xls"])
    def test_broken_documents_are_refused(self, copy: Copy, tables: Tables, name: str) -> None:
        with pytest.raises(ThanosqlError) as caught:
            copy(name, "{ this is not [ what it says")
        assert caught.value.reason is Reason.INVALID_DATA
        assert tables.names() == []

    def test_a_zip_that_is_no_workbook_is_refused(self, copy: Copy, files: Path) -> None:
        with zipfile.ZipFile(files / "t.xlsx", "w") as archive:
            archive.writestr("a", "b")
        with pytest.raises(ThanosqlError) as caught:
            copy("t.xlsx")
        assert caught.value.reason is Reason.INVALID_DATA

    def test_a_workbook_that_unpacks_to_far_more_is_refused(self, copy: Copy, files: Path) -> None:
        part = bytes(1 << 20)
        with (
            zipfile.ZipFile(files / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("xl/worksheets/sheet1.xml", "w") as sheet,
        ):
            for _ in range(257):
                sheet.write(part)
        assert (files / "t.xlsx").stat().st_size < 1 << 20
        with pytest.raises(ThanosqlError, match="269484032 bytes when it is unpacked") as caught:
            copy("t.xlsx")
        assert caught.value.reason is Reason.INVALID_DATA

    def test_a_name_with_wildcards_means_itself(self, copy: Copy, files: Path, select: Select) -> None:
        (files / "tx.json").write_text('[{"a": 99}]')
        copy("t*.json", '[{"a": 1}]')
        assert select("SELECT * FROM t") == [{"a": 1}]

    def test_other_formats_are_named(self, copy: Copy) -> None:
        with pytest.raises(ThanosqlError) as caught:
            copy("t.pickle", b"x")
        assert caught.value.reason is Reason.UNSUPPORTED_FORMAT
        assert ".csv" in caught.value.message


def record(path: Path, seconds: float = 0.1, rate: int = 16000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros((int(seconds * rate), channels), np.float32), rate)


class TestFolders:
    def test_a_folder_of_audio_becomes_one_row_a_file(self, copy: Copy, files: Path, select: Select) -> None:
        record(files / "audio" / "b.wav", 0.5, 8000, 2)
        record(files / "audio" / "sub" / "a.flac")
        (files / "audio" / "broken.wav").write_bytes(b"RIFF")
        (files / "audio" / "notes.md").write_text("not audio")
        outcome = copy("audio")
        assert (outcome.rows_copied, outcome.rows_quarantined) == (2, 1)
        assert outcome.quarantined[0].subject == "audio/broken.wav"
        first = select("SELECT * FROM t ORDER BY audio_path")[0]
        assert first == {
            "audio_path": "audio/b.wav", "duration": 0.5, "sample_rate": 8000, "channels": 2,
            "file_size": (files / "audio" / "b.wav").stat().st_size,
        }  # fmt: skip

    def test_a_librispeech_tree_pairs_transcripts_with_recordings(
        self, copy: Copy, files: Path, select: Select
    ) -> None:
        chapter = files / "libri" / "19" / "198"
        for number in (0, 1, 3):
            record(chapter / f"19-198-000{number}.flac")
        (chapter / "19-198.trans.txt").write_text(
            "19-198-0000 ONE\n19-198-0001 TWO WORDS\n19-198-0002 GONE\n"
        )
        outcome = copy("libri/")
        assert (outcome.rows_copied, outcome.rows_quarantined) == (2, 2)
        assert [row.reason for row in outcome.quarantined] == [Reason.AUDIO_NOT_FOUND, Reason.TEXT_EMPTY]
        assert select("SELECT text, speaker_id, chapter_id FROM t ORDER BY text") == [
            {"text": "ONE", "speaker_id": "19", "chapter_id": "198"},
            {"text": "TWO WORDS", "speaker_id": "19", "chapter_id": "198"},
        ]

    def test_a_folder_without_audio_is_refused(self, copy: Copy, files: Path) -> None:
        (files / "texts").mkdir()
        (files / "texts" / "a.txt").write_text("x")
        with pytest.raises(ThanosqlError) as caught:
            copy("texts")
        assert caught.value.reason is Reason.INVALID_DATA

    @pytest.mark.shared_data
    @pytest.mark.skipif(not (SHARED_DATA / "librispeech_data").is_dir(), reason="needs the shared recordings")
    def test_real_recordings_become_rows(self, copying: CopyCommand, files: Path, select: Select) -> None:
        (files / "real").symlink_to(SHARED_DATA / "librispeech_data")
        with pytest.raises(ThanosqlError):  # A link that leads out is not followed.
            copying.run(CopyRequest(table="t", source="real"), lambda progress: None)


@pytest.mark.parametrize("source", ["missing.csv", "missing", "audi/"])
def test_sources_that_are_not_there_are_not_found(copy: Copy, source: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        copy(source)
    assert caught.value.reason is Reason.FILE_NOT_FOUND


def test_append_makes_the_table_when_there_is_none(copy: Copy) -> None:
    assert copy("t.csv", "a\n1\n", IfExists.APPEND).table.row_count == 1
    assert copy("t.csv", "a\n2\n", IfExists.APPEND).table.row_count == 2


def test_append_of_other_columns_is_refused_whole(copy: Copy, tables: Tables) -> None:
    copy("t.csv", "a\n1\n")
    with pytest.raises(ThanosqlError) as caught:
        copy("u.csv", "b\n1\n", IfExists.APPEND)
    assert caught.value.reason is Reason.COLUMN_NOT_FOUND
    assert tables.describe("t").version == 1
