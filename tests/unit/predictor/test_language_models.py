"""n-gram models: what a file says, and files that say nothing good."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.make_language_model import main as make_language_model
from services.predictor.core.decoding.beam import compiled
from services.predictor.core.decoding.beam.fusion import LanguageModel
from services.predictor.core.decoding.beam.lexicon import build_lexicon, extended
from services.predictor.core.decoding.beam.ngrams import NGrams
from services.predictor.core.decoding.beam.orders import CompileOrder
from services.predictor.core.decoding.beam.worker import compile_model
from tests.fakes.language_models import SMALL_ARPA, arpa_of, language_model, read_arpa
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError

LETTERS = Vocabulary.of_characters("ABCDE'")
TEXTS = ["A B C", "A B", "B C A B D", "E A", "C C C B A", "D A B C E"]


def log10_of(ngrams: NGrams, words: list[int], *, begin: bool = True) -> list[float]:
    """What the model says of each word of a text."""
    state = np.array([ngrams.begin if begin else 0])
    found = []
    for word in words:
        log_probs, state = ngrams.advance(state, np.array([word]))
        found.append(log_probs[0] / math.log(10))
    return found


def test_the_longest_known_ngram_counts_and_missing_ones_back_off() -> None:
    model = read_arpa(SMALL_ARPA)
    begin, end, a, b, unknown = range(5)
    assert list(model.words) == ["<s>", "</s>", "A", "B", "<unk>"]
    # <s> A and <s> A B are there; behind A B stands no A, and behind B there is one: -0.25 - 0.6.
    assert log10_of(model.ngrams, [a, b, a]) == pytest.approx([-0.2, -0.1, -0.85], abs=1e-6)
    # Nothing stands behind <s> but A: -0.5 - 0.7; then B </s> is not there either: -0.2 - 0.8.
    assert log10_of(model.ngrams, [b, end]) == pytest.approx([-1.2, -1.0], abs=1e-6)
    assert log10_of(model.ngrams, [a, unknown], begin=False) == pytest.approx([-0.5, -2.3], abs=1e-6)
    assert model.ngrams.unknown_word == unknown
    assert model.ngrams.begin == begin + 1


@pytest.mark.parametrize("order", [2, 3, 4])
def test_a_model_made_of_texts_shares_out_all_probability(order: int) -> None:
    ngrams = read_arpa(arpa_of(TEXTS, order)).ngrams
    contexts = [0, ngrams.begin, *range(1, ngrams.size + 1)]
    words = np.arange(ngrams.size)
    for context in contexts:
        log_probs, _behind = ngrams.advance(np.full(ngrams.size, context), words)
        assert np.exp(log_probs).sum() == pytest.approx(1.0, abs=1e-4)


def test_contexts_are_those_of_the_words_before() -> None:
    """Advancing by arrays is what looking every n-gram up by its words gives."""
    read = read_arpa(arpa_of(TEXTS, 3))
    table = {}
    for line in arpa_of(TEXTS, 3).splitlines():
        parts = line.split("\t")
        if len(parts) > 1:
            table[tuple(parts[1].split())] = (float(parts[0]), float(parts[2]) if len(parts) > 2 else 0.0)

    def say(context: tuple[str, ...], word: str) -> float:
        if (*context, word) in table:
            return table[(*context, word)][0]
        return table.get(context, (0.0, 0.0))[1] + say(context[1:], word)

    text = list("ABDAEECAB")
    expected = [say(("<s>", *text)[max(0, at - 1) : at + 1], word) for at, word in enumerate(text)]
    numbers = [list(read.words).index(word) for word in text]
    assert log10_of(read.ngrams, numbers) == pytest.approx(expected, abs=1e-4)


def changed(old: str, new: str) -> str:
    assert old in SMALL_ARPA
    return SMALL_ARPA.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not an ARPA file"),
        ("junk\n" * 5000, "not an ARPA file"),
        ("\\data\\\n\n\\end\\\n", "0 n-grams"),
        ("\\data\\\nngram 1=999999999999\n\n", "999,999,999,999 n-grams"),
        ("\\data\\\nngram 1=99999\n\n\\1-grams:\n", "more than fit"),
        ("\\data\\\nngram 1=" + "9" * 400 + "\n", "absurd"),
        ("\\data\\\nngram 1=-5\n", "must stand here"),
        ("\\data\\\nngram 2=5\n", "must stand here"),
        (changed("ngram 2=3", "ngram 2=2"), "must stand here"),
        (changed("ngram 2=3", "ngram 2=4"), "must stand here"),
        (changed("ngram 1=5", "ngram 1=4"), "must stand here"),
        (changed("-0.5\tA", "nan\tA"), "no logarithm"),
        (changed("-0.5\tA", "-inf\tA"), "no logarithm"),
        (changed("-0.5\tA", "0.5\tA"), "above 0"),
        (changed("-0.5\tA\t-0.3", "-0.5\tA\tinf"), "no logarithm"),
        (changed("-0.5\tA\t-0.3", "-0.5\tA\t-0.3\t7"), "must stand here"),
        (changed("-0.5\tA", "-0.5\tB"), "stands twice"),
        (changed("-0.6\tB A", "-0.6\tA B"), "stands twice"),
        (changed("-0.6\tB A", "-0.6\tB C"), "not among the 1-grams"),
        (changed("-0.1\t<s> A B", "-0.1\tB B A"), "continues one"),
        (changed("-0.1\t<s> A B", "-0.1\t<s> A B\t0"), "must stand here"),
        (changed("\\end\\\n", ""), "\\end\\"),
        (changed("\\3-grams:", "\\4-grams:"), "\\3-grams:"),
        (SMALL_ARPA[: len(SMALL_ARPA) // 2], "the file ends here"),
        (changed("\tA\t", "\t" + "A" * 9000 + "\t"), "longer than"),
        (
            "\\data\\\n" + "".join(f"ngram {length}=1\n" for length in range(1, 9)),
            "more than 6 words",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(text: str, problem: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        read_arpa(text)
    assert caught.value.reason in {Reason.INVALID_DATA, Reason.UNSUPPORTED_FORMAT}
    assert problem in caught.value.message


def test_words_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(ThanosqlError, match="not UTF-8"):
        read_arpa(
            SMALL_ARPA.encode()
            .replace(b"\tA\t", b"\t\xff\xfe\t")
            .replace(b" A", b" \xff\xfe")
            .replace(b"\tA ", b"\t\xff\xfe ")
        )


def test_a_model_with_too_many_ngrams_is_refused() -> None:
    with pytest.raises(ThanosqlError, match="8 are taken at most"):
        read_arpa(SMALL_ARPA, max_ngrams=8)


def test_a_binary_of_kenlm_is_refused_with_what_to_give_instead() -> None:
    with pytest.raises(ThanosqlError, match="give the ARPA file") as caught:
        read_arpa(b"mmap lm http://kheafield.com/code format version 5\n\x00\x00" + b"\x00" * 100)
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    content = bytearray(SMALL_ARPA.encode())
    for _change in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "double"]))
        if kind == "set":
            content[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[place : place + data.draw(st.integers(1, 20))]
        else:
            content[place:place] = content[place : place + data.draw(st.integers(1, 20))]
        if not content:
            break
    try:
        ngrams = read_arpa(bytes(content)).ngrams
    except ThanosqlError:
        return  # every other exception fails the test
    states = np.arange(len(ngrams.keys) + 1)
    for word in range(ngrams.size):
        log_probs, behind = ngrams.advance(states, np.full(len(states), word))
        assert np.isfinite(log_probs).all()
        assert ((behind >= 0) & (behind < len(states))).all()
    assert (ngrams.suffixes[1:] < states[1:]).all(), "going back always ends"


def test_words_are_spelled_as_the_labels_write_them() -> None:
    arpa = arpa_of(["a b'c", "A x", "e a"], 2)
    model = language_model(arpa, LETTERS)
    words = read_arpa(arpa).words
    spelled = {"A": "a", "B'C": "b'c", "E": "e"}
    for written, word in spelled.items():
        hashes = np.array([extended(0, written)], dtype=np.uint64)
        assert words[int(model.lexicon.numbers(hashes)[0])].casefold() == word
    assert model.lexicon.numbers(np.array([extended(0, "X")], dtype=np.uint64)).tolist() == [-1]


def test_of_words_that_are_written_alike_the_more_probable_counts() -> None:
    arpa = arpa_of(["a", "A", "A", "A"], 2)
    model, words = language_model(arpa, LETTERS), read_arpa(arpa).words
    hashes = np.array([extended(0, "A")], dtype=np.uint64)
    assert words[int(model.lexicon.numbers(hashes)[0])] == "A"


def test_the_best_of_words_that_begin_alike_is_known_at_their_first_letters() -> None:
    read = read_arpa(arpa_of(["AB AB ACE", "AB B"], 2))
    lexicon = build_lexicon(read.ngrams, read.words, LETTERS)
    chance = {word: float(read.ngrams.log_probs[number + 1]) for number, word in enumerate(read.words)}
    hashes = np.array([extended(0, text) for text in ("A", "AC", "AD")], dtype=np.uint64)
    expected = [chance["AB"], chance["ACE"], -50.0]
    assert lexicon.outlook(hashes, np.full(3, -50.0)) == pytest.approx(expected, abs=1e-5)


def test_korean_words_are_spelled_in_syllables() -> None:
    vocabulary = Vocabulary.of_characters("학교에가다음성인식")
    model = language_model(arpa_of(["학교에 가다", "음성 인식"], 2), vocabulary)
    hashes = np.array([extended(0, "학교에"), extended(0, "학교")], dtype=np.uint64)
    assert (model.lexicon.numbers(hashes) >= 0).tolist() == [True, False]


def compiled_model(tmp_path: Path, content: bytes, max_bytes: int = 1 << 20) -> LanguageModel:
    (tmp_path / "model").write_bytes(content)
    folder = tmp_path / "arrays"
    folder.mkdir()
    order = CompileOrder(
        path=str(tmp_path / "model"),
        folder=str(folder),
        vocabulary=LETTERS,
        max_ngrams=1000,
        max_bytes=max_bytes,
    )
    compile_model(order)
    return compiled.load(folder)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_arrays_on_the_disk_are_the_model(tmp_path: Path, compress: type[bytes]) -> None:
    model = compiled_model(tmp_path, compress(SMALL_ARPA.encode()))
    expected = read_arpa(SMALL_ARPA).ngrams
    for name in ("keys", "log_probs", "backoffs", "suffixes", "nexts"):
        assert getattr(model.ngrams, name).tolist() == getattr(expected, name).tolist()
    assert (model.ngrams.begin, model.ngrams.end_word) == (expected.begin, expected.end_word)


def test_what_grows_when_it_is_decompressed_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\\data\\\nngram 1=900\n\n\\1-grams:\n" + b"-1\tA\n" * 900)
    with pytest.raises(ThanosqlError, match="more than fit"):
        compiled_model(tmp_path, bomb, max_bytes=2000)


def test_long_lines_do_not_make_more_than_may_be_read(tmp_path: Path) -> None:
    words = b"".join(b"-1\t" + b"AB" * 3000 + bytes([65 + number]) + b"\n" for number in range(20))
    bomb = gzip.compress(b"\\data\\\nngram 1=20\n\n\\1-grams:\n" + words + b"\n\\end\\\n")
    with pytest.raises(ThanosqlError, match="goes on behind 2,000 bytes"):
        compiled_model(tmp_path, bomb, max_bytes=2000)


def test_words_that_nobody_says_are_left_out() -> None:
    read = read_arpa("\\data\\\nngram 1=2\n\n\\1-grams:\n-1\t" + "A" * 101 + "\n-1\tAB\n\n\\end\\\n")
    lexicon = build_lexicon(read.ngrams, read.words, LETTERS)
    assert len(lexicon.hashes) == 1
    assert len(lexicon.begins) == 2


def test_half_a_gzip_file_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(SMALL_ARPA.encode())
    with pytest.raises(ThanosqlError, match="decompressed"):
        compiled_model(tmp_path, packed[: len(packed) // 2])


def test_a_model_without_a_word_that_the_labels_spell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ThanosqlError, match="spell none of its words") as caught:
        compiled_model(tmp_path, arpa_of(["학교에 가다"], 2).encode())
    assert caught.value.reason is Reason.TEXT_OUTSIDE_VOCABULARY


def test_arrays_that_were_changed_are_not_used(tmp_path: Path) -> None:
    compiled_model(tmp_path, SMALL_ARPA.encode())
    array = tmp_path / "arrays" / "log_probs.npy"
    array.write_bytes(array.read_bytes()[:-1] + b"\x7f")
    assert not compiled.is_intact(tmp_path / "arrays")
    with pytest.raises(ThanosqlError, match="damaged") as caught:
        compiled.load(tmp_path / "arrays")
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH


def test_making_a_model_of_no_texts_is_refused() -> None:
    made = CliRunner().invoke(make_language_model, input="\n  \n")
    assert made.exit_code == 1
    assert "there are no texts" in made.output


def test_making_a_model_leaves_out_words_that_are_marks_of_the_format() -> None:
    plain = CliRunner().invoke(make_language_model, input="A B\nB C\n")
    marked = CliRunner().invoke(make_language_model, input="<s> A <unk> B </s>\nB <s> C\n<s> </s>\n")
    assert marked.exit_code == 0
    assert marked.output == plain.output
