"""Where two texts differ, as people read it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.core.differences import compare_row, difference
from thanosql_runtime.errors import Reason, ThanosqlError

_TEXTS = st.lists(st.sampled_from(["A", "B", "C", "DON'T"]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ("the same", "The same!", "THE SAME"),
        ("the cat sat", "the cat sit", "THE CAT [SAT>SIT]"),
        ("one two three four", "one four", "ONE [-TWO THREE] FOUR"),
        ("one two", "one and a two", "ONE [+AND A] TWO"),
        ("one two", "", "[-ONE TWO]"),
        ("a b c", "x y c", "[A B>X Y] C"),
    ],
)
def test_each_kind_of_error_has_its_mark(said: str, heard: str, expected: str) -> None:
    assert difference(said, heard) == expected


@given(_TEXTS.filter(bool), _TEXTS)
def test_both_texts_can_be_read_out_of_it(said: str, heard: str) -> None:
    told = difference(said, heard)
    first = re.sub(r"\[-(.*?)\]|\[\+.*?\]|\[(.*?)>.*?\]", lambda found: found[1] or found[2] or "", told)
    second = re.sub(r"\[-.*?\]|\[\+(.*?)\]|\[.*?>(.*?)\]", lambda found: found[1] or found[2] or "", told)
    assert (first.split(), second.split()) == (said.split(), heard.split())


def test_a_text_too_long_is_refused() -> None:
    with pytest.raises(ThanosqlError, match="more than 100000 characters") as caught:
        compare_row("A", "A" * 100_001)
    assert caught.value.reason is Reason.INVALID_ARGUMENT
