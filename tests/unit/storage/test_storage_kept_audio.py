"""COPY takes recordings into keeping: each once, by its content, whatever names and tables hold it."""

import contextlib
import hashlib
import io
import json
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.keeping import recordings
from services.storage.core.keeping.digests import Digests
from services.storage.core.types import CopyOutcome, IfExists, Recording
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import Reason, ThanosqlError

INFO = ObjectInfo(key="a", size_bytes=1, modified_s=1.0, revision="1")
RECORDING = Recording(
    path="a", size_bytes=1, key="k", sha256="s", duration_s=1.0, sample_rate_hz=16000, channels=1
)
Select = Callable[[str], list[dict[str, object]]]


def record(path: Path, level: float = 0.0, rate_hz: int = 16000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(rate_hz // 10, level, np.float32), rate_hz)
    # Written long enough ago for its digest to be noted.
    os.utime(path, (1e9, 1e9))


def key_of(path: Path) -> str:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"audio/sha256/{sha256[:2]}/{sha256}{path.suffix}"


def stored(copying: CopyCommand, source: str, table: str = "t", **options: object) -> CopyOutcome:
    request = CopyRequest(table=table, source=source, store_audio=True, **options)  # type: ignore[arg-type]
    return copying.run(request, lambda _: None)


def kept(tmp_path: Path) -> list[str]:
    objects = tmp_path / "objects"
    return sorted(str(path.relative_to(objects)) for path in objects.glob("audio/**/*.*"))


def test_a_folder_names_its_recordings_where_they_are_kept(
    copying: CopyCommand, files: Path, tmp_path: Path, select: Select
) -> None:
    record(files / "a" / "one.wav", 0.1, 8000)
    key = key_of(files / "a" / "one.wav")
    outcome = stored(copying, "a")
    assert select("SELECT * FROM t") == [
        {
            "audio_path": key,
            "duration": 0.1,
            "sample_rate": 8000,
            "channels": 1,
            "file_size": 1644,
            "source_path": "a/one.wav",
            "audio_sha256": key.split("/")[3].removesuffix(".wav"),
        }
    ]
    assert (tmp_path / "objects" / key).read_bytes() == (files / "a" / "one.wav").read_bytes()
    assert outcome.notices == ("1 row names a recording kept by content: 1 was stored now, 1644 bytes",)


def test_the_same_bytes_are_stored_once_under_whatever_names(
    copying: CopyCommand, files: Path, tmp_path: Path, select: Select
) -> None:
    record(files / "a" / "one.wav")
    for name in ("a/two.wav", "b/three.flac"):
        (files / name).parent.mkdir(exist_ok=True)
        (files / name).write_bytes((files / "a" / "one.wav").read_bytes())
    stored(copying, "a")
    stored(copying, "b", "u")
    assert kept(tmp_path) == [key_of(files / "a" / "one.wav")]
    assert len(select("SELECT * FROM t JOIN u ON t.audio_path = u.audio_path")) == 2


def test_a_librispeech_tree_is_kept_with_its_texts(copying: CopyCommand, files: Path, select: Select) -> None:
    record(files / "libri" / "84" / "1" / "84-1-0000.flac")
    (files / "libri" / "84" / "1" / "84-1.trans.txt").write_text("84-1-0000 HELLO\n")
    stored(copying, "libri")
    row = select("SELECT * FROM t")[0]
    assert row["audio_path"] == key_of(files / "libri/84/1/84-1-0000.flac")
    assert (row["text"], row["speaker_id"], row["chapter_id"]) == ("HELLO", "84", "1")
    assert (row["source_path"], row["sample_rate"]) == ("libri/84/1/84-1-0000.flac", 16000)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "text"])
def test_rows_of_any_file_name_their_recordings_where_they_are_kept(
    copying: CopyCommand, files: Path, select: Select, kind: str
) -> None:
    record(files / "one.wav", 0.1)
    records = [
        {"n": 1, "recording": "one.wav"},
        {"n": 2, "recording": "none.wav"},
        {"n": 3, "recording": None},
    ]
    source = f"t.{kind}"
    if kind == "csv":
        (files / source).write_text("n,recording\n1,one.wav\n2,none.wav\n3,\n")
    elif kind == "jsonl":
        (files / source).write_text("\n".join(map(json.dumps, records)))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(records), files / source)
    else:
        source = json.dumps(records)
    stored(copying, source, audio_col="Recording")
    rows = select("SELECT n, recording, source_path, duration, file_size FROM t")
    key = key_of(files / "one.wav")
    assert rows == [{"n": 1, "recording": key, "source_path": "one.wav", "duration": 0.1, "file_size": 3244}]
    left_out = select("SELECT reason, message, raw FROM t_quarantine ORDER BY raw")
    assert [row["reason"] for row in left_out] == ["AUDIO_NOT_FOUND"] * 2
    assert json.loads(str(left_out[0]["raw"])) == records[1]
    assert left_out[1]["message"] == "column 'Recording' names no recording"


@pytest.mark.parametrize(
    ("source", "content", "lines"),
    [
        ("t.csv", 'audio_path,n\n\none.wav,1\nshort\nnone.wav,"3\n"\n,4\none.wav,5\n', [4, 5, 7]),
        ("t.tsv", "audio_path\tn\nnone.wav\t1\nshort\none.wav\t2\n", [2, 3]),
        ("t.jsonl", '{"audio_path":"one.wav"}\n[]\n\n{"audio_path":"none.wav"}\n', [2, 4]),
        ("t.json", '[{"audio_path":"one.wav"},\n1,\n{"audio_path":"none.wav"}]', [2, 3]),
    ],
)
def test_a_row_left_out_for_its_recording_has_its_line_in_the_source(
    copying: CopyCommand, files: Path, select: Select, source: str, content: str, lines: list[int]
) -> None:
    record(files / "one.wav")
    (files / source).write_text(content)
    stored(copying, source)
    left_out = select("SELECT line, raw FROM t_quarantine ORDER BY line")
    assert [row["line"] for row in left_out] == lines


def test_a_row_left_out_for_its_recording_is_numbered_as_in_the_source(
    copying: CopyCommand, files: Path
) -> None:
    record(files / "one.wav")
    (files / "t.csv").write_text("audio_path,n\nshort\none.wav,1\n,2\nnone.wav,3\n")
    told = stored(copying, "t.csv").quarantined
    assert [(problem.row, problem.subject) for problem in told] == [
        (0, "line 2"),
        (2, "line 4"),
        (3, "none.wav"),
    ]


def test_rows_that_name_one_recording_are_told_as_rows(copying: CopyCommand, files: Path) -> None:
    record(files / "one.wav")
    (files / "t.csv").write_text("audio_path\n" + "one.wav\n" * 3)
    outcome = stored(copying, "t.csv")
    assert outcome.notices == ("3 rows name recordings kept by content: 1 was stored now, 3244 bytes",)


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_paths_may_be_texts_of_any_type(
    copying: CopyCommand, files: Path, select: Select, kind: pa.DataType
) -> None:
    record(files / "one.wav")
    pq.write_table(pa.table({"audio_path": pa.array(["one.wav"]).cast(kind)}), files / "t.parquet")
    stored(copying, "t.parquet")
    assert select("SELECT audio_path FROM t") == [{"audio_path": key_of(files / "one.wav")}]


def test_columns_that_a_file_has_already_stay_as_they_are(
    copying: CopyCommand, files: Path, select: Select
) -> None:
    record(files / "one.wav")
    (files / "t.csv").write_text("audio_path,duration\none.wav,long\n")
    outcome = stored(copying, "t.csv")
    assert select("SELECT duration, channels FROM t") == [{"duration": "long", "channels": 1}]
    assert outcome.notices[0] == "'duration': as in the source, because it has columns of these names"


def test_what_was_kept_can_be_copied_again_and_stays_the_same(
    copying: CopyCommand, files: Path, tmp_path: Path, select: Select
) -> None:
    record(files / "one.wav")
    (files / "t.csv").write_text("audio_path\none.wav\n")
    stored(copying, "t.csv")
    (files / "u.csv").write_text(f"audio_path\n{key_of(files / 'one.wav')}\n")
    stored(copying, "u.csv", "u")
    assert len(kept(tmp_path)) == 1
    assert len(select("SELECT * FROM t JOIN u ON t.audio_path = u.audio_path")) == 1


def test_recordings_that_cannot_be_read_are_not_kept(
    copying: CopyCommand, files: Path, tmp_path: Path, select: Select
) -> None:
    record(files / "a" / "good.wav")
    (files / "a" / "text.flac").write_text("this is no recording")
    assert stored(copying, "a").rows_quarantined == 1
    assert len(kept(tmp_path)) == 1
    assert select("SELECT source, reason FROM t_quarantine") == [
        {"source": "a/text.flac", "reason": "AUDIO_UNREADABLE"}
    ]
    assert list((tmp_path / "objects" / ".incoming").iterdir()) == []


def test_a_large_file_that_is_no_recording_takes_no_room_in_the_store(
    copying: CopyCommand, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(files / "a" / "good.wav")
    with (files / "a" / "text.flac").open("wb") as large:
        large.truncate(17 << 20)
    staged = []
    probed = recordings._probed

    def measured(path: str, file: Path, *rest: object) -> object:
        staged.append(file.stat().st_size)
        return probed(path, file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(recordings, "_probed", measured)
    assert stored(copying, "a").quarantined[0].reason is Reason.AUDIO_UNREADABLE
    assert staged == [(files / "a" / "good.wav").stat().st_size]


def test_a_large_recording_is_kept_whole(copying: CopyCommand, files: Path, tmp_path: Path) -> None:
    (files / "a").mkdir()
    soundfile.write(files / "a" / "long.wav", np.zeros(9 << 20, np.int16), 16000)
    stored(copying, "a")
    assert kept(tmp_path) == [key_of(files / "a" / "long.wav")]


def test_an_unchanged_recording_is_not_read_again(
    copying: CopyCommand, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(files / "a" / "one.wav")
    stored(copying, "a")
    monkeypatch.setattr(copying._workspace, "open", lambda path: pytest.fail(f"{path} was read"))
    assert "0 were stored now" in stored(copying, "a", if_exists=IfExists.REPLACE).notices[0]


def test_a_recording_that_many_rows_name_is_read_once(
    copying: CopyCommand, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(files / "one.wav")
    # Written just now: no other copy may believe what is noted of it.
    os.utime(files / "one.wav")
    (files / "t.csv").write_text("audio_path,n\n" + "".join(f"one.wav,{n}\n" for n in range(200)))
    opened: list[str] = []
    open_file = copying._workspace.open

    def counted(path: str) -> BinaryIO:
        opened.append(path)
        return open_file(path)

    monkeypatch.setattr(copying._workspace, "open", counted)
    assert stored(copying, "t.csv").rows_copied == 200
    assert opened.count("one.wav") == 1


def test_a_changed_recording_is_read_again_although_its_times_look_old(
    copying: CopyCommand, files: Path, tmp_path: Path
) -> None:
    record(files / "a" / "one.wav", 0.1)
    stored(copying, "a")
    record(files / "a" / "one.wav", 0.2)
    stored(copying, "a", if_exists=IfExists.REPLACE)
    assert key_of(files / "a" / "one.wav") in kept(tmp_path)
    assert len(kept(tmp_path)) == 2


def test_a_recording_that_is_lost_from_keeping_is_stored_again(
    copying: CopyCommand, files: Path, tmp_path: Path
) -> None:
    record(files / "a" / "one.wav")
    stored(copying, "a")
    key = key_of(files / "a" / "one.wav")
    (tmp_path / "objects" / key).write_bytes(b"damaged")
    stored(copying, "a", if_exists=IfExists.REPLACE)
    assert (tmp_path / "objects" / key).read_bytes() == (files / "a" / "one.wav").read_bytes()


def test_a_recording_that_changes_while_it_is_read_is_left_out(
    copying: CopyCommand, files: Path, tmp_path: Path, select: Select, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(files / "a" / "good.wav")
    record(files / "a" / "live.wav", 0.1)
    workspace = copying._workspace
    opened = workspace.open

    def open_and_write(path: str) -> object:
        file = opened(path)
        if path == "a/live.wav":
            with (files / path).open("ab") as live:
                live.write(bytes(100))
        return file

    monkeypatch.setattr(workspace, "open", open_and_write)
    stored(copying, "a")
    assert select("SELECT source, reason FROM t_quarantine") == [
        {"source": "a/live.wav", "reason": "CONFLICT"}
    ]
    assert len(kept(tmp_path)) == 1


def test_a_damaged_memory_of_digests_is_made_anew(copying: CopyCommand, files: Path, tmp_path: Path) -> None:
    (tmp_path / "recordings.sqlite").write_bytes(b"no database" * 1000)
    record(files / "a" / "one.wav")
    assert stored(copying, "a").rows_copied == 1
    assert stored(copying, "a", if_exists=IfExists.REPLACE).rows_copied == 1


def test_the_recordings_of_a_folder_stand_in_audio_path_alone(copying: CopyCommand, files: Path) -> None:
    record(files / "a" / "one.wav")
    with pytest.raises(ThanosqlError) as caught:
        stored(copying, "a", audio_col="path")
    assert caught.value.reason is Reason.COLUMN_NOT_FOUND


def test_a_column_that_names_no_recordings_is_refused(copying: CopyCommand, files: Path) -> None:
    (files / "t.csv").write_text("audio_path\n7\n")
    with pytest.raises(ThanosqlError) as caught:
        stored(copying, "t.csv")
    assert "holds int64, not the paths of recordings" in caught.value.message


def test_a_column_that_copy_fills_cannot_name_the_recordings(copying: CopyCommand, files: Path) -> None:
    record(files / "one.wav")
    (files / "t.csv").write_text("source_path\none.wav\n")
    with pytest.raises(ThanosqlError, match="because COPY fills it; rename it"):
        stored(copying, "t.csv", audio_col="source_path")


def test_a_memory_of_digests_that_cannot_be_used_is_done_without(
    copying: CopyCommand, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recordings.sqlite").mkdir()
    for number in range(5):
        record(files / "a" / f"{number}.wav", number / 10)
    assert stored(copying, "a").rows_copied == 5
    assert capsys.readouterr().out.count("digests_not_used") == 1


def test_threads_that_meet_a_memory_that_cannot_be_used_give_it_up_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "damaged").mkdir()
    digests = Digests(tmp_path / "damaged")
    both = threading.Barrier(2)
    guard = digests._guard

    class Met:
        """A lock before which both threads are, once neither has given up yet."""

        def __enter__(self) -> None:
            both.wait()
            guard.acquire()

        def __exit__(self, *_: object) -> None:
            guard.release()

    monkeypatch.setattr(digests, "_guard", Met())
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda path: digests.find(path, INFO), "ab")) == [None, None]
    assert capsys.readouterr().out.count("digests_not_used") == 1


def test_a_note_is_skipped_while_another_process_writes_the_memory(tmp_path: Path) -> None:
    digests = Digests(tmp_path / "digests")
    digests.note(INFO, RECORDING)
    digests.flush()
    with contextlib.closing(sqlite3.connect(tmp_path / "digests", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        digests.note(INFO, replace(RECORDING, path="b"))
        assert digests.find("a", INFO) == RECORDING
        other.execute("ROLLBACK")
    digests.note(INFO, replace(RECORDING, path="c"))
    assert [digests.find(path, INFO) is None for path in "abc"] == [False, True, False]


def test_stopping_a_copy_leaves_the_table_as_it_was(
    copying: CopyCommand, files: Path, select: Select
) -> None:
    record(files / "a" / "one.wav", 0.1)
    stored(copying, "a")
    record(files / "b" / "two.wav", 0.2)

    def stop(_progress: object) -> None:
        raise ThanosqlError(reason=Reason.CANCELLED, message="stopped")

    request = CopyRequest(table="t", source="b", store_audio=True, if_exists=IfExists.REPLACE)
    with pytest.raises(ThanosqlError):
        copying.run(request, stop)
    assert [row["source_path"] for row in select("SELECT * FROM t")] == ["a/one.wav"]


def test_a_recording_that_is_being_read_does_not_hold_up_a_copy_that_ends(
    copying: CopyCommand, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(files / "a" / "1.wav", 0.1)
    (files / "a" / "2.wav").write_bytes(b"endless")
    begun = threading.Event()
    open_file = copying._workspace.open

    class Endless(io.RawIOBase):
        """Long enough that no copy should wait for its end."""

        left_bytes = 5_000_000

        def read(self, size: int = -1) -> bytes:
            begun.set()
            self.left_bytes -= 1
            return b"x" if self.left_bytes > 0 else b""

    endless = Endless()

    def opened(path: str) -> object:
        return endless if path == "a/2.wav" else open_file(path)

    def stop(_progress: object) -> None:
        assert begun.wait(60)
        raise ThanosqlError(reason=Reason.CANCELLED, message="stopped")

    monkeypatch.setattr(copying._workspace, "open", opened)
    monkeypatch.setattr(copying._workspace, "stat", lambda path: INFO)
    request = CopyRequest(table="t", source="a", store_audio=True)
    with pytest.raises(ThanosqlError, match="stopped"):
        copying.run(request, stop)
    assert endless.left_bytes > 0
