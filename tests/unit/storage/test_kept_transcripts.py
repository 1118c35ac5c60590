"""Transcripts that are kept: found by content and manner, bounded, and never in the way."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from services.storage.core.keeping.transcripts import KeptTranscript, Manner, TranscriptLimits, Transcripts
from thanosql_runtime.errors import Reason, ThanosqlError

MANNER = Manner(digest="m", model="small", version=1)
LIMITS = TranscriptLimits(total_bytes=1 << 30, unused_s=3600.0 * 24)


def digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def kept(name: str, content: str) -> KeptTranscript:
    return KeptTranscript(audio_sha256=digest(name), content=content.encode())


class Hand:
    """Time that stands still."""

    def __init__(self) -> None:
        self.now_s = 1e9

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def make(tmp_path: Path, clock: Hand) -> Callable[[TranscriptLimits], Transcripts]:
    return lambda limits: Transcripts(tmp_path / "deep" / "transcripts.sqlite", limits, clock)


def contents(transcripts: Transcripts, manner: str, *names: str) -> list[str]:
    found = transcripts.find(manner, [digest(name) for name in names])
    return [item.content.decode() for item in found.transcripts]


def test_what_was_kept_is_found_by_content_and_manner_alone(make: Callable[..., Transcripts]) -> None:
    transcripts = make(LIMITS)
    transcripts.keep(MANNER, [kept("a", "ALPHA"), kept("b", "")])
    assert contents(transcripts, "m", "b", "x", "a") == ["", "ALPHA"]
    assert contents(transcripts, "other", "a", "b") == []


def test_the_recordings_that_are_known_are_told_by_the_starts_of_their_digests(
    make: Callable[..., Transcripts],
) -> None:
    transcripts = make(LIMITS)
    assert transcripts.find("m", [], list_known=True).known == b""
    transcripts.keep(MANNER, [kept("a", "ALPHA"), kept("b", "BETA")])
    starts = sorted(bytes.fromhex(digest(name))[:8] for name in "ab")
    assert transcripts.find("m", [], list_known=True).known == b"".join(starts)
    assert transcripts.find("other", [], list_known=True).known == b""
    assert transcripts.find("m", []).known is None


def test_it_survives_a_process_that_did_not_close_it(make: Callable[..., Transcripts]) -> None:
    make(LIMITS).keep(MANNER, [kept("a", "ALPHA")])
    assert contents(make(LIMITS), "m", "a") == ["ALPHA"]


def test_a_transcript_made_anew_keeps_its_number_and_the_next_has_a_higher_one(
    make: Callable[..., Transcripts],
) -> None:
    transcripts = make(LIMITS)
    assert transcripts.find("m", []).newest == 0
    transcripts.keep(MANNER, [kept("a", "ALPHA")])
    first = transcripts.find("m", [digest("a")])
    assert [item.number for item in first.transcripts] == [first.newest]
    transcripts.keep(MANNER, [kept("a", "ALFA")])
    second = transcripts.find("m", [digest("a")])
    assert [(item.content, item.number) for item in second.transcripts] == [(b"ALFA", first.newest)]
    transcripts.keep(MANNER, [kept("b", "BETA")])
    third = transcripts.find("m", [digest("b")])
    assert [item.number for item in third.transcripts] == [third.newest]
    assert third.newest > second.newest


def test_numbers_are_not_given_again_when_all_is_forgotten(make: Callable[..., Transcripts]) -> None:
    transcripts = make(LIMITS)
    transcripts.keep(MANNER, [kept("a", "ALPHA")])
    newest = transcripts.find("m", []).newest
    assert transcripts.forget() == 1
    assert transcripts.find("m", []).newest == newest


def test_a_version_or_a_model_is_forgotten_alone_and_leaves_no_trace(
    make: Callable[..., Transcripts], tmp_path: Path
) -> None:
    transcripts = make(LIMITS)
    for model, version in (("small", 1), ("small", 2), ("large", 1)):
        manner = Manner(digest=f"{model}{version}", model=model, version=version)
        transcripts.keep(manner, [kept("a", f"SECRET {model}{version}")])
    assert [(t.model, t.version, t.transcripts) for t in transcripts.tallies() or ()] == [
        ("large", 1, 1), ("small", 1, 1), ("small", 2, 1),
    ]  # fmt: skip
    assert transcripts.forget("small", 2) == 1
    assert contents(transcripts, "small1", "a") == ["SECRET small1"]
    assert transcripts.forget("small") == 1
    assert contents(transcripts, "large1", "a") == ["SECRET large1"]
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "deep").iterdir())
    assert b"SECRET large1" in on_disk
    assert b"SECRET small" not in on_disk


def test_what_is_forgotten_gives_its_room_back(make: Callable[..., Transcripts], tmp_path: Path) -> None:
    transcripts = make(LIMITS)
    transcripts.keep(MANNER, [kept(str(number), "x" * 1000) for number in range(1000)])
    assert transcripts.forget() == 1000
    assert sum(path.stat().st_size for path in (tmp_path / "deep").glob("*.sqlite*")) < 200_000


def test_what_nobody_uses_goes_and_what_is_found_stays(make: Callable[..., Transcripts], clock: Hand) -> None:
    transcripts = make(LIMITS)
    transcripts.keep(MANNER, [kept("a", "ALPHA"), kept("b", "BETA")])
    clock.now_s += 3600.0 * 23
    assert contents(transcripts, "m", "a") == ["ALPHA"]
    clock.now_s += 3600.0 * 2
    assert transcripts.clean() == 1
    assert contents(transcripts, "m", "a", "b") == ["ALPHA"]


def test_beyond_the_limit_the_least_recently_used_goes(make: Callable[..., Transcripts], clock: Hand) -> None:
    limit = TranscriptLimits(total_bytes=8 << 20, unused_s=1e6)
    transcripts = make(limit)
    for part in range(16):
        clock.now_s += 1.0
        transcripts.keep(MANNER, [kept(f"{part}-{number}", "x" * 1000) for number in range(1000)])
    assert sum(tally.size_bytes for tally in transcripts.tallies() or ()) < limit.total_bytes
    assert contents(transcripts, "m", "0-0") == []
    assert contents(transcripts, "m", "15-999") == ["x" * 1000]


def test_large_transcripts_do_not_drive_out_all_others(make: Callable[..., Transcripts], clock: Hand) -> None:
    transcripts = make(TranscriptLimits(total_bytes=1 << 20, unused_s=LIMITS.unused_s))
    names = [str(number) for number in range(20)]
    for name in names:
        clock.now_s += 1
        transcripts.keep(MANNER, [kept(name, "x" * 100_000)])
    left = [name for name in names if contents(transcripts, "m", name)]
    assert len(left) >= 6
    assert left == names[-len(left) :]


def test_what_cannot_be_forgotten_is_said(make: Callable[..., Transcripts], tmp_path: Path) -> None:
    path = tmp_path / "deep" / "transcripts.sqlite"
    path.mkdir(parents=True)
    transcripts = make(LIMITS)
    for _ in range(2):
        with pytest.raises(ThanosqlError) as caught:
            transcripts.forget()
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
    path.rmdir()
    assert transcripts.forget() == 0
    transcripts.keep(MANNER, [kept("a", "ALPHA")])
    assert transcripts.forget() == 1


def test_what_was_kept_before_goes_where_a_setting_says_that_nothing_is(
    make: Callable[..., Transcripts], tmp_path: Path
) -> None:
    transcripts = make(LIMITS)
    transcripts.keep(MANNER, [kept("a", "ALPHA")])
    transcripts.close()
    make(TranscriptLimits(total_bytes=0, unused_s=LIMITS.unused_s))
    assert not list((tmp_path / "deep").iterdir())


def test_nothing_is_kept_where_a_setting_says_so(make: Callable[..., Transcripts], tmp_path: Path) -> None:
    transcripts = make(TranscriptLimits(total_bytes=0, unused_s=1.0))
    transcripts.keep(MANNER, [kept("a", "ALPHA")])
    found = transcripts.find("m", [digest("a")])
    assert (found.keeps, found.transcripts) == (False, ())
    assert transcripts.tallies() is None
    assert not (tmp_path / "deep").exists()


def test_a_damaged_file_is_done_without_and_made_anew(
    make: Callable[..., Transcripts], tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "transcripts.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database at all, but long enough to be taken for the head of one" * 100)
    transcripts = make(LIMITS)
    assert not transcripts.find("m", [digest("a")]).keeps
    transcripts.keep(MANNER, [kept("a", "ALPHA")])
    transcripts.clean()
    transcripts.keep(MANNER, [kept("a", "ALPHA")])
    assert contents(transcripts, "m", "a") == ["ALPHA"]


def test_a_damaged_file_that_cannot_be_deleted_stops_nothing(
    make: Callable[..., Transcripts], tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "transcripts.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database at all, but long enough to be taken for the head of one" * 100)
    path.with_name("transcripts.sqlite-shm").mkdir()
    assert make(LIMITS).clean() == 0


def test_a_question_that_fails_leaves_a_healthy_file(make: Callable[..., Transcripts]) -> None:
    transcripts = make(LIMITS)
    transcripts.keep(MANNER, [kept("a", "ALPHA")])
    transcripts.find(object(), [digest("a")])  # type: ignore[arg-type]
    transcripts.clean()
    assert contents(transcripts, "m", "a") == ["ALPHA"]


@pytest.mark.parametrize("digests", [["nothing hexadecimal"], [digest("a")] * 1001])
def test_a_wrong_question_is_refused(make: Callable[..., Transcripts], digests: list[str]) -> None:
    with pytest.raises(ThanosqlError) as caught:
        make(LIMITS).find("m", digests)
    assert caught.value.reason is Reason.INVALID_ARGUMENT
