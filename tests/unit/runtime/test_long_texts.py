"""The longest text that is embedded is counted in the bytes that travel."""

from thanosql_runtime.long_texts import MOST_TEXT_BYTES, why_too_long


def test_the_bytes_of_a_text_are_counted_not_its_letters() -> None:
    longest = "é" * (MOST_TEXT_BYTES // 2)
    assert why_too_long(longest) == ""
    told = "the text has 262145 bytes, 262144 at most are taken; divide it"
    assert why_too_long(longest + "e") == told
