"""Beam search beside brute force: every way to say every text, added up."""

import itertools
import tracemalloc
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.predictor.core.decoding.beam.alignment import align
from services.predictor.core.decoding.beam.decoder import BeamDecoder, BeamSize
from services.predictor.core.decoding.beam.fusion import Fusion, FusionWeights, LanguageModel
from services.predictor.core.decoding.beam.hotwords import build_hotwords
from services.predictor.core.decoding.beam.options import BeamOptions, Hotword, check, spell
from services.predictor.core.decoding.beam.prefixes import Prefixes
from services.predictor.core.decoding.types import Hypothesis, LogProbabilities
from tests.fakes.language_models import arpa_of, language_model
from thanosql_ctc.greedy import collapse
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError

AB = Vocabulary(tokens=("-", "|", "A", "B"), blank_id=0, special_ids=frozenset({0}))
SYLLABLES = Vocabulary(tokens=("-", "학", "교", "에"), blank_id=0, special_ids=frozenset({0}))
LETTERS = Vocabulary.of_characters("ABCDEFGHIJKLMNOPQRSTUVWXYZ'")
NO_WEIGHTS = FusionWeights(lm_weight=0.0)


def scores_of(frames: int, seed: int, size: int = 4) -> LogProbabilities:
    values = np.random.default_rng(seed).normal(size=(frames, size)) * 1.5
    return (values - np.logaddexp.reduce(values, axis=1, keepdims=True)).astype(np.float32)


def spoken(text: str, vocabulary: Vocabulary = LETTERS, probability: float = 0.9) -> LogProbabilities:
    """Frames in which a text is clearly said, a blank behind every label."""
    labels = [part for label in vocabulary.encode(text) for part in (label, vocabulary.blank_id)]
    scores = np.full((len(labels), len(vocabulary)), np.log((1 - probability) / (len(vocabulary) - 1)))
    scores[np.arange(len(labels)), labels] = np.log(probability)
    return scores.astype(np.float32)


def decoder(
    vocabulary: Vocabulary = LETTERS,
    model: LanguageModel | None = None,
    hotwords: Mapping[str, float] | None = None,
    weights: FusionWeights = NO_WEIGHTS,
    beam_width: int = 256,
    n_best: int = 1,
) -> BeamDecoder:
    phrases = {tuple(vocabulary.encode(phrase)): weight for phrase, weight in (hotwords or {}).items()}
    table = build_hotwords(phrases, vocabulary) if phrases else None
    fusion = Fusion(vocabulary, weights, model, table)
    return BeamDecoder(vocabulary, fusion, BeamSize(beam_width=beam_width, n_best=n_best))


def text_of(hypothesis: Hypothesis, vocabulary: Vocabulary = LETTERS) -> str:
    return vocabulary.decode([heard.label for heard in hypothesis.labels])


def all_texts(scores_fv: LogProbabilities, vocabulary: Vocabulary) -> dict[str, float]:
    """The logarithm of the probability of every text, over all ways to say it."""
    found: dict[str, float] = defaultdict(lambda: -np.inf)
    for path in itertools.product(range(len(vocabulary)), repeat=len(scores_fv)):
        heard = sum(float(scores_fv[frame, label]) for frame, label in enumerate(path))
        text = vocabulary.decode(collapse(path, vocabulary.blank_id))
        found[text] = float(np.logaddexp(found[text], heard))
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("vocabulary", [AB, SYLLABLES], ids=["words", "no words"])
def test_a_wide_beam_finds_what_brute_force_finds(seed: int, vocabulary: Vocabulary) -> None:
    scores_fv = scores_of(6, seed)
    expected = sorted(all_texts(scores_fv, vocabulary).items(), key=lambda item: -item[1])[:5]
    found = decoder(vocabulary, n_best=5).decode(scores_fv)
    assert [text_of(item, vocabulary) for item in found] == [text for text, _score in expected]
    assert [item.score for item in found] == pytest.approx([score for _text, score in expected], abs=1e-4)


def said(arpa: str, words: list[str], letter_log_prob: float) -> float:
    """What a language model says of a text, word by word, looked up as the file has it."""
    table = {}
    for line in arpa.splitlines():
        parts = line.split("\t")
        if len(parts) > 1:
            table[tuple(parts[1].split())] = (float(parts[0]), float(parts[2]) if len(parts) > 2 else 0.0)

    def log10(context: tuple[str, ...], word: str) -> float:
        if (*context, word) in table:
            return table[(*context, word)][0]
        return table.get(context, (0.0, 0.0))[1] + log10(context[1:], word)

    total, before = 0.0, "<s>"
    for word in [*words, "</s>"]:
        if (word,) in table:
            total += log10((before,), word) * np.log(10)
        else:
            total += table[("<unk>",)][0] * np.log(10) + letter_log_prob * len(word)
        before = word if (word,) in table else "<unk>"
    return total


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("vocabulary", "texts", "letter_log_prob"),
    [
        (AB, ["A B", "A BB A", "B A", "AB AB"], -2.0),
        # Without a delimiter every label is a word, and what is not known has no letters to be spelled in.
        (SYLLABLES, ["학 교 에", "학 교", "교 학"], 0.0),
    ],
    ids=["words", "no words"],
)
def test_a_language_model_counts_as_its_weight_says(
    seed: int, vocabulary: Vocabulary, texts: list[str], letter_log_prob: float
) -> None:
    scores_fv, arpa = scores_of(6, seed + 100), arpa_of(texts, 2)
    weights = FusionWeights(lm_weight=0.8, word_score=0.6)

    def worth(text: str) -> float:
        words = text.split() if vocabulary is AB else list(text)
        return 0.8 * said(arpa, words, letter_log_prob) + 0.6 * len(words)

    heard = {text: score + worth(text) for text, score in all_texts(scores_fv, vocabulary).items()}
    expected = sorted(heard.items(), key=lambda item: -item[1])[:3]
    model = language_model(arpa, vocabulary)
    found = decoder(vocabulary, model, weights=weights, n_best=3).decode(scores_fv)
    assert [text_of(item, vocabulary) for item in found] == [text for text, _score in expected]
    assert [item.score for item in found] == pytest.approx([score for _text, score in expected], abs=1e-3)


def test_a_language_model_decides_between_what_sounds_alike() -> None:
    """THE CAT, where the sound alone says THE KAT."""
    scores_fv = spoken("THE KAT")
    unsure = scores_fv[8, LETTERS.encode("K")[0]] - 0.5
    scores_fv[8, LETTERS.encode("C")[0]] = unsure
    model = language_model(arpa_of(["THE CAT", "A CAT", "THE DOG"], 2), LETTERS)
    assert text_of(decoder().decode(scores_fv)[0]) == "THE KAT"
    assert text_of(decoder(model=model, weights=FusionWeights()).decode(scores_fv)[0]) == "THE CAT"


def test_korean_words_are_decided_by_a_language_model() -> None:
    """음성 인식, where the sound alone says 음성 인싞."""
    vocabulary = Vocabulary.of_characters("음성인식싞을")
    scores_fv = spoken("음성 인싞", vocabulary)
    scores_fv[8, vocabulary.encode("식")[0]] = scores_fv[8, vocabulary.encode("싞")[0]] - 0.5
    model = language_model(arpa_of(["음성 인식", "인식 을"], 2), vocabulary)
    assert text_of(decoder(vocabulary).decode(scores_fv)[0], vocabulary) == "음성 인싞"
    (found,) = decoder(vocabulary, model, weights=FusionWeights()).decode(scores_fv)
    assert text_of(found, vocabulary) == "음성 인식"


def test_words_are_not_run_together_because_a_model_knows_none_of_them() -> None:
    model = language_model(arpa_of(["ONE TWO"], 2), LETTERS)
    (found,) = decoder(model=model, weights=FusionWeights()).decode(spoken("ABC DEF GHI"))
    assert text_of(found) == "ABC DEF GHI"


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_nothing_heard_is_one_empty_hypothesis(frames: int) -> None:
    silence = np.full((frames, len(LETTERS)), -30.0, dtype=np.float32)
    silence[:, LETTERS.blank_id] = 0.0
    (found,) = decoder(n_best=4).decode(silence)[:1]
    assert not found.labels


def test_labels_that_write_nothing_are_silence() -> None:
    """As the greedy reading has it: `<unk>` between two letters keeps both and writes nothing."""
    unknown = LETTERS.tokens.index("<unk>")
    scores_fv = spoken("AA")
    scores_fv[1] = scores_fv[1, ::-1]
    scores_fv[1, :] = -20.0
    scores_fv[1, unknown] = 0.0
    assert text_of(decoder().decode(scores_fv)[0]) == "AA"


def test_hypotheses_are_different_texts_the_best_first() -> None:
    found = decoder(AB, n_best=20).decode(scores_of(12, 3))
    texts = [text_of(item, AB) for item in found]
    assert len(set(texts)) == len(texts) > 5
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


def test_labels_lie_where_they_were_said() -> None:
    (found,) = decoder().decode(spoken("HELLO ALL"))
    assert [heard.first_frame for heard in found.labels] == list(range(0, 18, 2))
    assert [heard.last_frame for heard in found.labels] == list(range(0, 18, 2))
    assert [heard.log_probability for heard in found.labels] == pytest.approx([np.log(0.9)] * 9, abs=1e-5)


def silence(frames: int) -> LogProbabilities:
    scores_fv = np.full((frames, len(LETTERS)), -30.0, dtype=np.float32)
    scores_fv[:, LETTERS.blank_id] = 0
    return scores_fv


@pytest.mark.parametrize("behind", [1000, 5000])
@pytest.mark.parametrize("before", [1400, 1600, 5000])
def test_a_text_is_placed_behind_and_before_long_silence(before: int, behind: int) -> None:
    text = spoken("HELLO THERE")
    (alone,) = decoder(beam_width=8).decode(text)
    (found,) = decoder(beam_width=8).decode(np.concatenate([silence(before), text, silence(behind)]))
    assert text_of(found) == "HELLO THERE"
    assert [label.first_frame - before for label in found.labels] == [
        label.first_frame for label in alone.labels
    ]


def test_memory_of_placing_a_text_does_not_follow_the_silence_in_it() -> None:
    scores_fv = np.concatenate([spoken("SOME WORDS " * 60), silence(60_000), spoken("END"), silence(60_000)])
    said = decoder(beam_width=4).decode(spoken("SOME WORDS " * 60 + "END"))[0]
    cut = len(spoken("SOME WORDS " * 60))
    labels = [label.label for label in said.labels]
    frames = [label.first_frame + (60_000 if label.first_frame >= cut else 0) for label in said.labels]
    tracemalloc.start()
    placed = align(scores_fv, labels, frames, LETTERS.blank_id)
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert placed[-1].last_frame == 60_000 + cut + len(spoken("END")) - 2
    assert [label.label for label in placed] == labels
    assert most_bytes < 16 << 20


def test_a_long_recording_is_placed_in_parts_as_one_is_whole() -> None:
    """1 minute at 50 frames a second: longer than the parts that are aligned together."""
    text = " ".join(["SOME WORDS THAT ARE SAID"] * 70)
    (found,) = decoder(beam_width=8).decode(spoken(text))
    assert text_of(found) == text
    assert [heard.first_frame for heard in found.labels] == list(range(0, 2 * len(text), 2))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(0, 40), st.integers(1, 16))
def test_any_scores_at_any_width_give_frames_in_order(seed: int, frames: int, width: int) -> None:
    scores_fv = scores_of(frames, seed)
    for found in decoder(AB, beam_width=width, n_best=3).decode(scores_fv):
        places = [(heard.first_frame, heard.last_frame) for heard in found.labels]
        assert all(first <= last for first, last in places)
        assert all(one[1] < other[0] for one, other in itertools.pairwise(places))
        assert not places or places[-1][1] < frames
        pairs = itertools.pairwise(found.labels)
        assert all(
            other.first_frame > one.last_frame + 1 for one, other in pairs if one.label == other.label
        ), "a blank lies between equal labels"


def test_prefixes_are_kept_while_they_are_in_use() -> None:
    """Against texts in full: what is forgotten is nothing that anybody still reads."""
    generator = np.random.default_rng(5)
    prefixes, in_use = Prefixes(), np.zeros(1, dtype=np.int64)
    texts: list[tuple[int, ...]] = [()]
    for frame in range(6000):
        parents = generator.integers(0, len(in_use), size=12)
        labels = generator.integers(0, 9, size=12)
        in_use = prefixes.tidy(prefixes.add(in_use[parents], labels, frame))
        texts = [(*texts[parent], int(label)) for parent, label in zip(parents, labels, strict=True)]
    assert [tuple(prefixes.read(int(number))[0]) for number in in_use] == texts
    assert len(prefixes) < 6000 * 12 / 2


def rewards(text: str, hotwords: Mapping[str, float], vocabulary: Vocabulary = LETTERS) -> float:
    """What the hotwords add to a text."""
    phrases = {tuple(vocabulary.encode(phrase)): weight for phrase, weight in hotwords.items()}
    fusion = Fusion(vocabulary, NO_WEIGHTS, None, build_hotwords(phrases, vocabulary))
    worth = fusion.begin()
    for label in vocabulary.encode(text):
        worth = fusion.extend(worth, np.array([label]))
    return float(fusion.finish(worth)[0])


@pytest.mark.parametrize(
    ("text", "hotwords", "expected"),
    [
        ("A REFUND", {"refund": 3.0}, 3.0),
        ("A REFUND REFUND", {"refund": 3.0}, 6.0),
        ("REFUNDS", {"refund": 3.0}, 0.0),
        ("AREFUND", {"refund": 3.0}, 0.0),
        ("REFUN", {"refund": 3.0}, 0.0),
        ("A CHARGE BACK NOW", {"charge back": 4.0}, 4.0),
        ("A CHARGE BY", {"charge back": 4.0}, 0.0),
        ("A CHARGE CHARGE BACK", {"charge back": 4.0}, 4.0),
        ("NEW YORK MINSTER", {"new york city": 9.0, "york minster": 2.0}, 2.0),
        ("NEW YORK CITY", {"new york city": 9.0, "york minster": 2.0}, 9.0),
        ("NEW YORK HALL", {"new york city": 9.0, "york": 2.0}, 2.0),
        ("OUR REFUND", {"refund": -5.0}, -5.0),
    ],
)
def test_a_hotword_counts_where_it_stands_as_whole_words(
    text: str, hotwords: Mapping[str, float], expected: float
) -> None:
    assert rewards(text, hotwords) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "expected"), [("에학교", 5.0), ("학교에학교", 10.0), ("학에", 0.0)])
def test_without_words_a_hotword_counts_anywhere(text: str, expected: float) -> None:
    assert rewards(text, {"학교": 5.0}, SYLLABLES) == pytest.approx(expected)


def test_a_hotword_is_heard_that_alone_would_not_be() -> None:
    scores_fv = spoken("WANICKY DREW")
    for frame, letter in ((0, "R"), (2, "O")):
        scores_fv[frame, LETTERS.encode(letter)[0]] = np.log(0.05)
    assert text_of(decoder().decode(scores_fv)[0]) == "WANICKY DREW"
    assert text_of(decoder(hotwords={"Ronicky": 10.0}).decode(scores_fv)[0]) == "RONICKY DREW"


def test_a_hotword_is_heard_although_the_language_model_does_not_know_it() -> None:
    model = language_model(arpa_of(["A LONELY DOG", "A DOG"], 2), LETTERS)
    heard = {
        hotword: text_of(
            decoder(model=model, weights=FusionWeights(lm_weight=1.5), hotwords={hotword: 6.0}).decode(
                spoken("A RONICKY DOG", probability=0.6)
            )[0]
        )
        for hotword in ("Ronicky", "elsewhere")
    }
    assert heard["Ronicky"] == "A RONICKY DOG"


def test_hotwords_that_may_begin_anywhere_are_bounded_together() -> None:
    tokens = ["<pad>", "<unk>", *(chr(0xAC00 + number) for number in range(1000))]
    vocabulary = Vocabulary(tokens=tuple(tokens), blank_id=0, special_ids=frozenset({0, 1}))
    many = {(2 + number, *range(2, 92)): 1.0 for number in range(1000)}
    with pytest.raises(ThanosqlError, match="fewer or shorter"):
        build_hotwords(many, vocabulary)
    assert build_hotwords({(2 + number, 5, 6): 1.0 for number in range(100)}, vocabulary).size == len(tokens)


def test_hotwords_outside_the_vocabulary_are_refused_with_their_characters() -> None:
    with pytest.raises(ThanosqlError, match=r"'déjà vu'.*'É' 'À'") as caught:
        spell([Hotword(phrase="refund", weight=1), Hotword(phrase="déjà vu", weight=1)], LETTERS)
    assert caught.value.reason is Reason.TEXT_OUTSIDE_VOCABULARY
    assert caught.value.metadata["value"] == "déjà vu"


def test_hotwords_with_a_space_are_refused_where_labels_have_none() -> None:
    with pytest.raises(ThanosqlError, match="lacks ' '"):
        spell([Hotword(phrase="학교 에", weight=1)], SYLLABLES)


def with_hotwords(*phrases: str, weight: float = 1.0) -> BeamOptions:
    return BeamOptions(hotwords=[Hotword(phrase=phrase, weight=weight) for phrase in phrases])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (BeamOptions(beam_width=0), "beam_width"),
        (BeamOptions(beam_width=1 << 20), "beam_width"),
        (BeamOptions(lm_weight=float("nan")), "lm_weight"),
        (BeamOptions(lm_weight=-1), "lm_weight"),
        (BeamOptions(word_score=float("inf")), "word_score"),
        (with_hotwords(""), "hotwords"),
        (with_hotwords("x" * 1000), "hotwords"),
        (with_hotwords(*["x"] * 1001), "hotwords"),
        (with_hotwords("x", weight=float("nan")), "hotword_weight"),
    ],
)
def test_options_out_of_bounds_are_refused(options: BeamOptions, problem: str) -> None:
    with pytest.raises(ThanosqlError, match=problem) as caught:
        check(options)
    assert caught.value.reason is Reason.INVALID_ARGUMENT


def test_spaces_around_a_hotword_do_not_count() -> None:
    padded = "  " + "A" * 100 + " "
    check(with_hotwords(padded))
    (spelled,) = spell([Hotword(phrase=padded, weight=1)], LETTERS)
    assert len(spelled.labels) == 100


def test_every_option_within_bounds_is_taken() -> None:
    check(BeamOptions(lm_weight=0, word_score=-100, beam_width=1024))
    check(with_hotwords("refund", "charge back", weight=-100))
