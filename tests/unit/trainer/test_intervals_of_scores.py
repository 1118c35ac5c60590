"""Confidence intervals of error rates, against what is known of them, and the parts that rows fall into."""

import random

import pytest

from services.trainer.core.evaluation import MOST_SLICES, Evaluation, ScoredRow
from services.trainer.core.resampling import RESAMPLES, Sample
from services.trainer.core.scoring import Comparison, Edits
from thanosql_runtime.errors import Reason, ThanosqlError


def _row(errors: int, words: int = 10) -> Comparison:
    return Comparison(
        words=Edits(substitutions=errors, reference=words),
        characters=Edits(deletions=errors, reference=5 * words),
    )


def _sample(rows: list[int], *, most_units: int = 10_000, groups: list[int] | None = None) -> Sample:
    sample = Sample(most_units)
    for index, errors in enumerate(rows):
        sample.add(_row(errors), groups[index] if groups else None)
    return sample


def _width(sample: Sample) -> float:
    intervals = sample.intervals()
    assert intervals is not None
    return intervals.wer.high - intervals.wer.low


def test_the_interval_is_that_of_the_normal_distribution_where_rows_are_many() -> None:
    draw = random.Random(1)
    rows = [sum(draw.random() < 0.2 for _ in range(10)) for _ in range(2000)]
    intervals = _sample(rows).intervals()
    assert intervals is not None
    mean = sum(rows) / (10 * len(rows))
    half = 1.96 * (sum((row / 10 - mean) ** 2 for row in rows) / len(rows) ** 2) ** 0.5
    assert intervals.wer.low == pytest.approx(mean - half, abs=half / 8)
    assert intervals.wer.high == pytest.approx(mean + half, abs=half / 8)
    assert intervals.cer.high == pytest.approx(intervals.wer.high / 5)


def test_the_same_rows_have_the_same_interval_in_any_order() -> None:
    rows = [0, 3, 1, 7, 2]
    assert _sample(rows).intervals() == _sample(rows[::-1]).intervals()


@pytest.mark.parametrize(("rows", "groups"), [([], None), ([3], None), ([1, 2, 3], [8, 8, 8])])
def test_one_row_or_group_has_no_interval(rows: list[int], groups: list[int] | None) -> None:
    assert _sample(rows, groups=groups).intervals() is None


def test_rows_that_are_alike_in_their_group_say_less() -> None:
    rows = [0] * 50 + [5] * 50
    groups = [index // 10 for index in range(100)]
    assert _width(_sample(rows, groups=groups)) > 2 * _width(_sample(rows))


@pytest.mark.parametrize("grouped", [False, True])
def test_more_rows_than_units_keep_their_interval(grouped: bool) -> None:
    draw = random.Random(2)
    rows = [draw.randrange(6) for _ in range(6000)]
    groups = [draw.getrandbits(63) for _ in rows] if grouped else None
    bounded = _width(_sample(rows, most_units=1000, groups=groups))
    assert bounded == pytest.approx(_width(_sample(rows, groups=groups)), rel=0.15)


def test_resamples_are_as_many_as_documented() -> None:
    assert RESAMPLES == 2000


def _scored(reference: str, hypothesis: str, part: int, *, failed: bool = False) -> ScoredRow:
    return ScoredRow(reference=reference, hypothesis=hypothesis, audio_s=1.0, slice=part, failed=failed)


def test_every_slice_is_scored_by_itself() -> None:
    evaluation = Evaluation()
    evaluation.add([_scored("A B", "A B", 0), _scored("A B", "A X", 1), _scored("A B", "X X", 1)])
    evaluation.add([_scored("A", "", 2, failed=True)])
    evaluated = evaluation.evaluated()
    assert evaluated.total.scores.wer == 0.5
    rates = {key: part.scores.wer for key, part in evaluated.slices.items()}
    assert rates == {0: 0.0, 1: 0.75, 2: 0.0}
    assert [evaluated.slices[key].scores.rows for key in range(3)] == [1, 2, 0]
    assert evaluated.slices[2].scores.rows_left_out == 1
    assert evaluated.slices[0].intervals is None
    assert evaluated.slices[1].intervals is not None


def test_slices_are_bounded() -> None:
    evaluation = Evaluation()
    evaluation.add(_scored("A", "A", part) for part in range(MOST_SLICES))
    evaluation.add([_scored("A", "A", 0)])
    with pytest.raises(ThanosqlError, match="more than 1000 slices") as caught:
        evaluation.add([_scored("A", "A", MOST_SLICES)])
    assert caught.value.reason is Reason.INVALID_ARGUMENT
