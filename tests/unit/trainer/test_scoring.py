"""Word and character error rates against jiwer's own, over all rows at once."""

import jiwer
import pytest

from services.trainer.core.scoring import NORMALISER, ScoreCounter, normalise

PAIRS = [
    ("THE CAT SAT ON THE MAT", "THE CAT SIT ON MAT"),
    ("HELLO WORLD", "HELLO BIG WIDE WORLD"),
    ("ONE", ""),
    ("A B C D", "D C B A"),
    ("SAME SAME", "SAME SAME"),
]


def _count(pairs: list[tuple[str, str]]) -> ScoreCounter:
    counter = ScoreCounter()
    for reference, hypothesis in pairs:
        counter.add(reference, hypothesis, 1.5)
    return counter


def test_agrees_with_jiwer_over_all_rows() -> None:
    scores = _count(PAIRS).scores()
    references, hypotheses = map(list, zip(*PAIRS, strict=True))
    words = jiwer.process_words(references, hypotheses)

    assert scores.wer == pytest.approx(words.wer)
    assert scores.cer == pytest.approx(jiwer.cer(references, hypotheses))
    counts = (scores.substitutions, scores.deletions, scores.insertions)
    assert counts == (words.substitutions, words.deletions, words.insertions)
    assert scores.reference_words == 15


def test_adds_up_rows_and_seconds() -> None:
    scores = _count(PAIRS).scores()
    assert (scores.rows, scores.rows_left_out, scores.audio_s) == (5, 0, 7.5)


def test_leaves_out_a_reference_without_words() -> None:
    scores = _count([("...", "NOISE"), ("", ""), ("YES", "YES")]).scores()
    assert (scores.rows, scores.rows_left_out, scores.wer) == (1, 2, 0.0)


def test_rates_may_be_above_one() -> None:
    assert _count([("A", "B C D")]).scores().wer == 3.0


def test_names_its_normaliser() -> None:
    assert ScoreCounter().scores().normaliser == NORMALISER == "upper-words-v1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", "HELLO WORLD"),
        ("  twenty-one \n guns ", "TWENTY ONE GUNS"),
        ("don’t", "DON'T"),
        ("'quoted' words", "QUOTED WORDS"),
        ("the dogs' bowl, rock 'n' roll", "THE DOGS BOWL ROCK N ROLL"),
        ("Café costs 5€", "CAFÉ COSTS 5"),
        ("안녕하세요, 세계!", "안녕하세요 세계"),
        ("...", ""),
        ("", ""),
    ],
)
def test_normalises(text: str, expected: str) -> None:
    assert normalise(text) == expected
