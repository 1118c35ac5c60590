"""Evaluations that are kept: once each, newest first, over restarts and a line cut short."""

import errno
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path

import pytest

from services.trainer.core.blocking import Blocking
from services.trainer.core.evaluation import MeasuredScores
from services.trainer.core.evaluations import LONGEST_STATEMENT, MOST_KEPT, EvaluationRecord, Evaluations
from services.trainer.core.resampling import Interval, Intervals
from services.trainer.core.scoring import ScoreCounter
from services.trainer.core.types import TableVersion


@pytest.fixture
def blocking() -> Iterator[Blocking]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield Blocking(executor)


def _record(
    request_id: str, model: str = "m", version: int = 1, statement: str = "EVALUATE"
) -> EvaluationRecord:
    both = Intervals(wer=Interval(low=0.1, high=0.2), cer=Interval(low=0.0, high=0.1))
    return EvaluationRecord(
        request_id=request_id,
        model=model,
        version=version,
        statement=statement,
        tables=(TableVersion(table="t", version=3),),
        rows_mark="00",
        measured=MeasuredScores(scores=ScoreCounter().scores(), intervals=both),
        elapsed_s=1.5,
        time_s=7.0,
    )


def _opened(path: Path, blocking: Blocking) -> Evaluations:
    evaluations = Evaluations(path, blocking)
    evaluations.start()
    return evaluations


async def test_a_restart_keeps_them_as_they_were(tmp_path: Path, blocking: Blocking) -> None:
    path = tmp_path / "home" / "evaluations.jsonl"
    evaluations = _opened(path, blocking)
    for request_id in ("a", "b", "a"):
        await evaluations.record(_record(request_id))
    told, go_on = _opened(path, blocking).page("", 0, 0, 0)
    assert [(record.request_id, record.number) for record in told] == [("b", 2), ("a", 1)]
    assert told == evaluations.page("", 0, 0, 0)[0]
    assert go_on == 0


async def test_a_line_cut_short_costs_itself_alone(tmp_path: Path, blocking: Blocking) -> None:
    path = tmp_path / "evaluations.jsonl"
    await _opened(path, blocking).record(_record("a"))
    path.write_bytes(path.read_bytes() + b'{"request_id": "b", "mod')
    await _opened(path, blocking).record(_record("c"))
    told, _ = _opened(path, blocking).page("", 0, 0, 0)
    assert [record.request_id for record in told] == ["c", "a"]


async def test_a_full_disk_costs_the_evaluation_that_met_it_alone(
    tmp_path: Path, blocking: Blocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "evaluations.jsonl"
    evaluations = _opened(path, blocking)
    await evaluations.record(_record("a"))

    def full(file: FileIO, content: bytes) -> None:
        file.write(content[:20])
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("services.trainer.core.evaluations._write_whole", full)
        with pytest.raises(OSError, match="no space"):
            await evaluations.record(_record("b"))
    await evaluations.record(_record("c"))
    told, _ = _opened(path, blocking).page("", 0, 0, 0)
    assert [record.request_id for record in told] == ["c", "a"]


async def test_a_full_disk_keeps_nobody_from_starting(
    tmp_path: Path, blocking: Blocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "evaluations.jsonl"
    await _opened(path, blocking).record(_record("a"))
    path.write_bytes(path.read_bytes() * (2 * MOST_KEPT))

    def full(_evaluations: Evaluations) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(Evaluations, "_rewrite", full)
    assert len(_opened(path, blocking).page("", 0, 0, 0)[0]) > 0


async def test_pages_follow_each_other(tmp_path: Path, blocking: Blocking) -> None:
    evaluations = _opened(tmp_path / "evaluations.jsonl", blocking)
    for number in range(5):
        await evaluations.record(_record(f"r{number}", model="m" if number % 2 else "n", version=number))
    first, go_on = evaluations.page("n", 0, 2, 0)
    second, end = evaluations.page("n", 0, 2, go_on)
    assert [record.version for record in (*first, *second)] == [4, 2, 0]
    assert end == 0
    assert [record.version for record in evaluations.page("m", 3, 0, 0)[0]] == [3]


async def test_the_file_and_its_lines_are_bounded(tmp_path: Path, blocking: Blocking) -> None:
    path = tmp_path / "evaluations.jsonl"
    line = _opened(path, blocking)
    await line.record(_record("first", statement="x" * 2 * LONGEST_STATEMENT))
    assert len(path.read_bytes()) < LONGEST_STATEMENT + 2000
    path.write_bytes(path.read_bytes() * (2 * MOST_KEPT))
    _opened(path, blocking)
    assert len(path.read_bytes().splitlines()) == MOST_KEPT
