"""Text to labels and back."""

import json
from pathlib import Path

import pytest
from transformers import Wav2Vec2CTCTokenizer

from thanosql_ctc.greedy import collapse, greedy_decode
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError

ENGLISH = Vocabulary.of_characters("'ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def frames(text: str) -> list[int]:
    """'_' is the blank."""
    return [0 if character == "_" else ENGLISH.tokens.index(character) for character in text]


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("HH_EE_LL_LL_OO", "HELLO"),
        ("HHEELLLLOO", "HELO"),
        ("__", ""),
        ("", ""),
        ("|A||B|", "A B"),
        ("A_|_|_B", "A B"),
        ("___I__'_M", "I'M"),
    ],
)
def test_greedy_decoding_keeps_double_letters_and_words(written: str, heard: str) -> None:
    assert greedy_decode(frames(written), ENGLISH) == heard


def test_special_labels_never_become_text_but_part_repeats() -> None:
    assert greedy_decode([6, 1, 6, 3, 6], ENGLISH) == "AAA"


def test_collapsing_keeps_what_a_blank_parts() -> None:
    assert collapse([5, 5, 0, 5, 6, 6, 0], blank_id=0) == [5, 5, 6]


@pytest.mark.parametrize("text", ["HELLO WORLD", "I'M", "A"])
def test_encoding_and_decoding_give_the_text_back(text: str) -> None:
    assert ENGLISH.decode(ENGLISH.encode(text)) == text


def test_text_is_written_as_the_vocabulary_writes() -> None:
    assert ENGLISH.normalise("  it’s\ta\n Test ") == "IT'S A TEST"
    lower = Vocabulary.of_characters("abcdefghijklmnopqrstuvwxyz")
    assert lower.normalise("A Test") == "a test"
    korean = Vocabulary.of_characters("가나다")
    assert korean.normalise("가 나") == "가 나"


def test_characters_outside_are_named_once_in_order() -> None:
    assert ENGLISH.unknown_characters("a 3 b: 3, é|") == "3:,É|"
    with pytest.raises(ThanosqlError, match="'3' ','") as caught:
        ENGLISH.encode("3, 4")
    assert caught.value.reason is Reason.TEXT_OUTSIDE_VOCABULARY
    assert caught.value.metadata["characters"] == "3,4"


def test_saving_and_loading_give_the_same_vocabulary(tmp_path: Path) -> None:
    ENGLISH.save(tmp_path)
    assert Vocabulary.load(tmp_path) == ENGLISH


def test_hugging_face_reads_what_is_saved(tmp_path: Path) -> None:
    ENGLISH.save(tmp_path)
    theirs = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)
    assert theirs.pad_token_id == ENGLISH.blank_id
    assert theirs("HELLO WORLD")["input_ids"] == ENGLISH.encode("hello world")
    assert theirs.decode(frames("HH_EE_LL_LL_O|_YO")) == "HELLO YO"


def test_the_layout_of_published_checkpoints_is_read(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 1, "b": 2, "|": 0, "[UNK]": 3, "[PAD]": 4}))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<s>": 5, "</s>": 6}))
    special = {"pad_token": {"content": "[PAD]", "lstrip": True}, "unk_token": "[UNK]"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(special))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"word_delimiter_token": "|", "bos_token": "<s>"})
    )
    vocabulary = Vocabulary.load(tmp_path)
    assert vocabulary.blank_id == 4
    assert vocabulary.special_ids == {3, 4, 5, 6}
    assert vocabulary.decode([1, 0, 2, 3, 4, 5, 6]) == "a b"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "lacks vocab.json"),
        ("{", "not valid JSON"),
        ("[]", "JSON object"),
        ("{}", "map every token"),
        ('{"eng": {"a": 0}}', "nested by language"),
        ('{"<pad>": 0, "a": 2}', "without gaps"),
        ('{"<pad>": 0, "a": 0}', "without gaps or repeats"),
        ('{"a": 0, "b": 1}', "pad token '<pad>'"),
    ],
)
def test_a_broken_vocabulary_is_refused_by_name(tmp_path: Path, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "vocab.json").write_text(content)
    with pytest.raises(ThanosqlError, match=problem) as caught:
        Vocabulary.load(tmp_path)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT


def test_a_blank_that_is_no_label_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="blank_id"):
        Vocabulary(tokens=("a",), blank_id=1)
