"""Folders of recordings: what the headers say, trees of any shape, and very many files."""

import os
import tracemalloc
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.copying.listing import Listing, list_recordings
from services.storage.core.copying.report import CopyReport
from services.storage.core.types import CopyOutcome, CopyProgress
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import Reason, ThanosqlError, error

Select = Callable[[str], list[dict[str, object]]]


def record(path: Path, seconds: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(seconds * 16000), np.float32), 16000)


def copied(
    copying: CopyCommand, source: str, progress: Callable[[CopyProgress], None] = lambda _: None
) -> CopyOutcome:
    return copying.run(CopyRequest(table="t", source=source), progress)


def write_wav(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * int(seconds * 16000)))


def test_files_that_hold_no_recording_are_left_out_with_their_reason(
    copying: CopyCommand, files: Path, select: Select
) -> None:
    record(files / "a" / "good.wav")
    (files / "a" / "nothing.wav").touch()
    (files / "a" / "text.flac").write_text("this is no recording")
    write_wav(files / "a" / "header.wav", 0)
    write_wav(files / "a" / "cut.wav", 1)
    with (files / "a" / "cut.wav").open("r+b") as file:
        file.truncate(1000)
    assert copied(copying, "a").rows_copied == 1
    assert select("SELECT source, line, reason, raw FROM t_quarantine ORDER BY source") == [
        {"source": f"a/{name}", "line": None, "reason": reason, "raw": None}
        for name, reason in [
            ("cut.wav", "AUDIO_UNREADABLE"),
            ("header.wav", "AUDIO_EMPTY"),
            ("nothing.wav", "AUDIO_UNREADABLE"),
            ("text.flac", "AUDIO_UNREADABLE"),
        ]
    ]


def test_a_folder_of_nothing_readable_changes_nothing(copying: CopyCommand, files: Path) -> None:
    (files / "a").mkdir()
    (files / "a" / "text.flac").write_text("this is no recording")
    with pytest.raises(ThanosqlError) as caught:
        copied(copying, "a")
    assert "no row of 'a' can be read (1 tried); a/text.flac: the recording cannot" in caught.value.message


def test_a_name_that_is_not_unicode_is_left_out(copying: CopyCommand, files: Path, select: Select) -> None:
    record(files / "a" / "good.wav")
    strange = os.fsencode(files / "a") + b"/caf\xe9.wav"
    Path(os.fsdecode(strange)).write_bytes((files / "a" / "good.wav").read_bytes())
    assert copied(copying, "a").rows_copied == 1
    rows = select("SELECT source, reason FROM t_quarantine")
    assert rows == [{"source": "a/caf?.wav", "reason": "INVALID_ENCODING"}]


def test_every_chapter_of_a_tree_is_paired_with_its_own_transcript(
    copying: CopyCommand, files: Path, select: Select
) -> None:
    for speaker, chapter in ((1, 2), (1, 20), (3, 4)):
        folder = files / "libri" / str(speaker) / str(chapter)
        for number in range(3):
            record(folder / f"{number}.flac")
        lines = [f"{number} TEXT {chapter} {number}" for number in range(3)]
        (folder / f"{speaker}-{chapter}.trans.txt").write_text("\n".join(lines))
    # Files beside folders, which sort between their names.
    record(files / "libri" / "1" / "2.flac")
    record(files / "libri" / "1" / "10.flac")
    (files / "libri" / "1" / "top.trans.txt").write_text("2 TEXT TOP\n")
    assert copied(copying, "libri").rows_copied == 10
    rows = select("SELECT audio_path, text, speaker_id, chapter_id FROM t ORDER BY audio_path")
    assert {row["audio_path"]: row["text"] for row in rows}["libri/1/20/2.flac"] == "TEXT 20 2"
    assert {row["audio_path"]: row["text"] for row in rows}["libri/1/2.flac"] == "TEXT TOP"
    assert select("SELECT source, reason FROM t_quarantine") == [
        {"source": "libri/1/10.flac", "reason": "TEXT_EMPTY"}
    ]


def test_a_transcript_line_without_its_recording_is_kept_whole(
    copying: CopyCommand, files: Path, select: Select
) -> None:
    record(files / "libri" / "1.flac")
    (files / "libri" / "2.flac").write_text("broken")
    (files / "libri" / "a.trans.txt").write_text("1 ONE\n\n2 TWO\n3 THREE\n")
    copied(copying, "libri")
    assert select("SELECT source, line, reason, raw FROM t_quarantine ORDER BY raw") == [
        {"source": "libri/2.flac", "line": None, "reason": "AUDIO_UNREADABLE", "raw": "2 TWO"},
        {"source": "libri/a.trans.txt", "line": 4, "reason": "AUDIO_NOT_FOUND", "raw": "3 THREE"},
    ]


def test_a_transcript_that_is_not_utf8_is_refused_at_its_byte(copying: CopyCommand, files: Path) -> None:
    record(files / "libri" / "1.flac")
    (files / "libri" / "a.trans.txt").write_bytes(b"1 caf\xe9\n")
    with pytest.raises(ThanosqlError) as caught:
        copied(copying, "libri")
    assert caught.value.reason is Reason.INVALID_ENCODING
    assert caught.value.metadata == {"path": "libri/a.trans.txt", "byte_offset": "5"}


def test_progress_counts_files(copying: CopyCommand, files: Path) -> None:
    for number in range(30):
        record(files / "a" / f"{number}.wav", 0.01)
    told: list[CopyProgress] = []
    copied(copying, "a", told.append)
    assert {progress.unit for progress in told} == {"files"}
    assert (told[-1].done, told[-1].total, told[-1].rows) == (30, 30, 30)
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)


def test_a_copy_of_many_files_can_be_stopped(copying: CopyCommand, files: Path) -> None:
    for number in range(200):
        record(files / "a" / f"{number}.wav", 0.01)

    def stop(progress: CopyProgress) -> None:
        if progress.done == 10:
            raise error(Reason.CANCELLED, "stop")

    with pytest.raises(ThanosqlError, match="stop"):
        copied(copying, "a", stop)


class Endless:
    """A workspace of so many files that none may be remembered."""

    def __init__(self, count: int) -> None:
        self.count = count

    def walk(self, prefix: str) -> Iterator[ObjectInfo]:
        for number in range(self.count):
            key = f"{prefix}{number // 100:06}/{number:08}.flac"
            yield ObjectInfo(key=key, size_bytes=number)


def test_the_listing_of_very_many_files_is_not_held_in_memory() -> None:
    told: list[CopyProgress] = []
    workspace = Endless(200_000)
    tracemalloc.start()
    try:
        with Listing() as listing, CopyReport(told.append) as report:
            list_recordings(workspace, "a", listing, report)  # type: ignore[arg-type]
            assert listing.recordings == workspace.count
            groups = sum(1 for group in listing.folders() if len(group) == 100)
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert groups == 2000
    assert len(told) == 200
    assert peak < 16 << 20
