"""What holds for the scores of any texts."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.core.scoring import ScoreCounter, normalise

WORDS = st.lists(st.sampled_from(["A", "BE", "SEA", "DON'T", "E"]), max_size=8).map(" ".join)
SPOKEN = WORDS.filter(bool)


@given(st.lists(st.tuples(SPOKEN, WORDS), min_size=1, max_size=10))
def test_counting_row_by_row_equals_jiwer_over_all(pairs: list[tuple[str, str]]) -> None:
    counter = ScoreCounter()
    for reference, hypothesis in pairs:
        counter.add(reference, hypothesis)
    scores = counter.scores()
    references, hypotheses = map(list, zip(*pairs, strict=True))

    assert scores.wer == pytest.approx(jiwer.wer(references, hypotheses))
    assert scores.cer == pytest.approx(jiwer.cer(references, hypotheses))


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_normalised_text_has_single_spaces_inside_alone(text: str) -> None:
    written = normalise(text)
    assert written == " ".join(written.split())


@given(SPOKEN)
def test_a_text_against_itself_has_no_errors(text: str) -> None:
    counter = ScoreCounter()
    counter.add(text.lower() + ".", text)
    assert counter.scores().wer == counter.scores().cer == 0
