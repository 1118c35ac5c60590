"""The look at every row before training."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.trainer.core.audio import AudioReader
from services.trainer.core.dataset import (
    Dataset,
    Example,
    Row,
    RowChecker,
    no_usable_rows,
    prepare,
    split,
    spoken_text,
)
from services.trainer.core.types import LeftOutRow
from tests.deployment import SHARED_DATA
from tests.fakes.predictor_checkpoints import tiny_model, tiny_vocabulary
from tests.fakes.trainer_speech import SAMPLE_RATE_HZ, write_clip
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, error

Check = Callable[[str | None, str | None], Example | LeftOutRow]


@pytest.fixture
def checker(tmp_path: Path) -> RowChecker:
    settings = ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path))
    audio = AudioReader(
        open_objects(settings).workspace,
        sample_rate_hz=SAMPLE_RATE_HZ,
        do_normalize=True,
        max_clip_s=5.0,
        cache_bytes=1 << 20,
    )
    return RowChecker(tiny_model().config, tiny_vocabulary(), audio, SAMPLE_RATE_HZ)


@pytest.fixture
def check(checker: RowChecker, tmp_path: Path) -> Check:
    write_clip(tmp_path / "good.wav", "ABC")
    write_clip(tmp_path / "short.wav", "AB", letter_s=0.0025)
    write_clip(tmp_path / "long.wav", "ABCDEFGHIJ" * 3)
    (tmp_path / "text.wav").write_text("this is no recording")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), SAMPLE_RATE_HZ)
    return lambda path, text: checker.check(Row(number=7, path=path, text=text))


def test_a_good_row_becomes_an_example(check: Check) -> None:
    example = check("good.wav", "Hello, it’s me.")

    assert isinstance(example, Example)
    assert (example.number, example.text, example.duration_s) == (7, "HELLO IT'S ME", 1.15)
    assert len(example.labels) == len("HELLO IT'S ME")


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("gone.wav", "HELLO", Reason.AUDIO_NOT_FOUND),
        (None, "HELLO", Reason.AUDIO_NOT_FOUND),
        ("", "HELLO", Reason.AUDIO_NOT_FOUND),
        ("text.wav", "HELLO", Reason.AUDIO_UNREADABLE),
        ("empty.wav", "HELLO", Reason.AUDIO_EMPTY),
        ("short.wav", "A", Reason.AUDIO_TOO_SHORT),
        ("good.wav", "HELLO " * 20, Reason.AUDIO_TOO_SHORT),
        ("long.wav", "HELLO", Reason.AUDIO_TOO_LONG),
        ("../good.wav", "HELLO", Reason.PATH_OUTSIDE_WORKSPACE),
        ("/etc/passwd", "HELLO", Reason.PATH_OUTSIDE_WORKSPACE),
        ("good\0.wav", "HELLO", Reason.INVALID_ARGUMENT),
        ("good.wav", None, Reason.TEXT_EMPTY),
        ("good.wav", " \n", Reason.TEXT_EMPTY),
        ("good.wav", "?!", Reason.TEXT_EMPTY),
        ("good.wav", "ROOM 101", Reason.TEXT_OUTSIDE_VOCABULARY),
        ("good.wav", "ÇA VA", Reason.TEXT_OUTSIDE_VOCABULARY),
    ],
)
def test_a_row_that_cannot_be_used_says_why(
    check: Check, path: str | None, text: str | None, reason: Reason
) -> None:
    left_out = check(path, text)

    assert isinstance(left_out, LeftOutRow)
    assert left_out.reason == reason
    assert (left_out.row, left_out.subject) == (7, path or "")
    assert left_out.message


def test_equal_letters_in_a_row_need_a_frame_between_them(checker: RowChecker, tmp_path: Path) -> None:
    write_clip(tmp_path / "tight.wav", "ABC", letter_s=0.03)  # 1440 samples and the silence around: 24 frames
    assert isinstance(checker.check(Row(number=0, path="tight.wav", text="ABAB" * 6)), Example)
    assert isinstance(checker.check(Row(number=0, path="tight.wav", text="AABB" * 6)), LeftOutRow)


def test_punctuation_that_is_not_spoken_is_no_reason_to_leave_out() -> None:
    assert (
        spoken_text("“Well-known”, she said; isn't it?", tiny_vocabulary()) == "WELL KNOWN SHE SAID ISN'T IT"
    )


def test_what_is_wrong_with_the_store_fails_the_job_and_not_the_row(
    checker: RowChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_path: str) -> None:
        raise error(Reason.STORE_UNAVAILABLE, "the store is away")

    monkeypatch.setattr(checker._audio, "read", unavailable)
    with pytest.raises(Exception, match="away"):
        checker.check(Row(number=0, path="a.wav", text="A"))


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared recordings are not here")
def test_every_odd_or_broken_recording_is_used_or_told_apart() -> None:
    audio = AudioReader(
        open_objects(ObjectSettings(workspace=str(SHARED_DATA))).workspace,
        sample_rate_hz=SAMPLE_RATE_HZ,
        do_normalize=True,
        max_clip_s=60.0,
        cache_bytes=0,
    )
    checker = RowChecker(tiny_model().config, tiny_vocabulary(), audio, SAMPLE_RATE_HZ)
    with (SHARED_DATA / "formats.csv").open() as file:
        rows = list(csv.DictReader(file))
    wrong = []
    for row in rows:
        checked = checker.check(Row(number=0, path=row["audio_path"], text="A"))
        usable = row["readable"] == "yes" and float(row["seconds"]) > 0.1
        if isinstance(checked, Example) != usable:
            wrong.append((row["audio_path"], checked))
    assert rows
    assert not wrong


def _example(number: int, duration_s: float = 1.0) -> Example:
    return Example(
        number=number,
        path=f"{number}.wav",
        text="A",
        labels=(6,),
        samples=int(duration_s * SAMPLE_RATE_HZ),
        duration_s=duration_s,
    )


class TestTheSplit:
    def test_is_the_same_for_the_same_seed(self) -> None:
        examples = [_example(number) for number in range(40)]
        assert split(examples, 1) == split(examples, 1)
        assert split(examples, 1) != split(examples, 2)

    def test_holds_a_tenth_out_and_loses_nothing(self) -> None:
        examples = [_example(number) for number in range(40)]
        training, held_out = split(examples, 1)
        assert len(held_out) == 4
        assert sorted(example.number for example in (*training, *held_out)) == list(range(40))

    @pytest.mark.parametrize(("rows", "held_out"), [(1, 0), (7, 0), (8, 1), (20, 2), (5000, 64)])
    def test_is_none_of_few_rows_and_bounded_of_many(self, rows: int, held_out: int) -> None:
        assert len(split([_example(number) for number in range(rows)], 1)[1]) == held_out

    def test_is_bounded_in_seconds(self) -> None:
        _training, held_out = split([_example(number, 100.0) for number in range(100)], 1)
        assert len(held_out) == 3


def test_no_usable_row_is_told_with_counts_by_reason(checker: RowChecker) -> None:
    rows = [
        Row(number=number, path=f"gone/{number}.wav", text="A" if number else "") for number in range(150)
    ]
    dataset: Dataset = prepare(iter(rows), checker, seed=0, threads=2)

    assert (dataset.training, dataset.left_out_count, len(dataset.left_out)) == ((), 150, 100)
    failure = no_usable_rows(dataset)
    assert failure.reason is Reason.NO_USABLE_ROWS
    assert failure.metadata == {"AUDIO_NOT_FOUND": "149", "TEXT_EMPTY": "1"}
    assert "none of 150 rows" in failure.message


def test_no_rows_at_all_is_told_as_such(checker: RowChecker) -> None:
    assert "no rows" in no_usable_rows(prepare(iter([]), checker, seed=0, threads=1)).message
