"""Words with their places, the cut between two of them, and the agreement that settles them."""

import pytest

from services.predictor.core.live.agreement import Agreement
from services.predictor.core.live.words import Word, find_words, quietest_cut, text_of
from tests.fakes.live_speech import VOCABULARY
from thanosql_ctc.greedy import greedy_decode

BLANK, SPACE = VOCABULARY.blank_id, VOCABULARY.tokens.index(VOCABULARY.word_delimiter)


def labels_of(written: str) -> list[int]:
    """One frame a character; `-` is the blank."""
    return [BLANK if c == "-" else SPACE if c == " " else VOCABULARY.encode(c)[0] for c in written]


def word(text: str, begin: int, end: int) -> Word:
    return Word(text=text, begin=begin, end=end)


@pytest.mark.parametrize("written", ["", "---", " AB-BA  C-", "-HHE-LL-LO- WORLD", "A", "  "])
def test_the_words_are_those_of_greedy_decoding(written: str) -> None:
    labels = labels_of(written)
    assert text_of(find_words(labels, 7, VOCABULARY)) == greedy_decode(labels, VOCABULARY)


def test_a_word_spans_the_frames_of_its_letters() -> None:
    assert find_words(labels_of("-AA-B  -C-"), 100, VOCABULARY) == [word("AB", 101, 105), word("C", 108, 109)]


def test_a_text_is_cut_in_the_longest_silence_between_words() -> None:
    assert quietest_cut(labels_of("AB-----C--   -D - EF"), VOCABULARY, 0) == 11


def test_what_lies_before_the_part_to_look_at_does_not_count() -> None:
    assert quietest_cut(labels_of("A        B D"), VOCABULARY, 9) == 10


def test_a_word_is_cut_only_where_there_is_no_space_and_speech_without_silence_at_its_end() -> None:
    assert quietest_cut(labels_of("AB---CD"), VOCABULARY, 0) == 3
    assert quietest_cut(labels_of("ABCD"), VOCABULARY, 0) == 4


def test_words_that_two_hypotheses_agree_on_settle_and_never_change() -> None:
    agreement = Agreement(settling_frames=5)
    agreement.hear([word("IT", 0, 3), word("WAS", 5, 9)], 0, 20)
    assert agreement.stable == []
    agreement.hear([word("IT", 0, 3), word("WUZ", 5, 9)], 0, 30)
    assert text_of(agreement.stable) == "IT"
    agreement.hear([word("AT", 0, 3), word("WUZ", 5, 9), word("NOW", 20, 23)], 0, 40)
    assert (text_of(agreement.stable), text_of(agreement.rest)) == ("IT WUZ", "NOW")


def test_a_word_at_the_end_of_what_was_heard_may_still_grow() -> None:
    agreement = Agreement(settling_frames=5)
    for end in (10, 11):
        agreement.hear([word("IN", 4, 8)], 0, end)
    assert (agreement.stable, text_of(agreement.rest)) == ([], "IN")


def test_words_that_the_window_has_left_behind_stay_as_they_were() -> None:
    agreement = Agreement(settling_frames=5)
    agreement.hear([word("OLD", 0, 4), word("NEW", 10, 14)], 0, 20)
    agreement.hear([word("KNEW", 10, 14)], 8, 30)
    assert (text_of(agreement.stable), text_of(agreement.rest)) == ("OLD", "KNEW")
