"""Cues that people can read, and the files that they are written to."""

import csv
import json
import random
from io import StringIO
from itertools import pairwise

import pyarrow as pa
import pytest

from thanosql import InvalidArgument, Result, Word, subtitles
from thanosql.cues import CUE_S, LINE_CHARACTERS, PAUSE_S, Cue, cues_of

WORD = pa.struct([("text", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())])


def spoken(*words: tuple[str, float, float]) -> list[Word]:
    return [Word(text=text, start_s=start_s, end_s=end_s) for text, start_s, end_s in words]


def evenly(text: str, each_s: float = 0.3, gap_s: float = 0.0) -> list[Word]:
    step_s = each_s + gap_s
    return spoken(*((word, at * step_s, at * step_s + each_s) for at, word in enumerate(text.split())))


def result_of(words: list[Word]) -> Result:
    cells = [{"text": word.text, "start_s": word.start_s, "end_s": word.end_s} for word in words]
    return Result(_table=pa.table({"words": pa.array([cells, None], pa.list_(WORD))}))


def some_words(seed: int) -> list[Word]:
    drawn = random.Random(seed)
    now_s, words = 0.0, []
    for _ in range(drawn.randrange(60)):
        start_s = now_s + drawn.choice([0.0, 0.0, 0.1, 0.4, 2.0])
        now_s = start_s + drawn.uniform(0.01, 1.5)
        words.append(Word(text="a" * drawn.randint(1, 20), start_s=start_s, end_s=now_s))
    return words


@pytest.mark.parametrize("seed", range(50))
def test_cues_hold_every_word_once_and_are_never_too_long(seed: int) -> None:
    words = some_words(seed)
    cues = cues_of(words)
    assert " ".join(line for cue in cues for line in cue.lines).split() == [word.text for word in words]
    for cue in cues:
        assert 1 <= len(cue.lines) <= 2
        assert all(len(line) <= LINE_CHARACTERS for line in cue.lines)
        assert 0.0 < cue.end_s - cue.start_s <= CUE_S + 1e-9
    assert all(before.end_s <= after.start_s for before, after in pairwise(cues))


def test_a_long_pause_begins_a_new_cue() -> None:
    cues = cues_of(spoken(("YES", 0.0, 0.5), ("NO", 0.5 + PAUSE_S, 2.0)))
    assert [cue.lines for cue in cues] == [("YES",), ("NO",)]


def test_a_full_cue_ends_at_its_longest_pause() -> None:
    words = evenly("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen")
    late = [Word(text=w.text, start_s=w.start_s + 0.5, end_s=w.end_s + 0.5) for w in words[11:]]
    (first, second) = cues_of([*words[:11], *late])
    assert first.lines[-1].endswith("eleven")
    assert second.lines[0].startswith("twelve")


def test_the_lines_of_a_cue_are_alike_in_length() -> None:
    (cue,) = cues_of(evenly("good morning you have reached the help desk of the"))
    assert cue.lines == ("good morning you have", "reached the help desk of the")


def test_a_short_word_stays_long_enough_to_be_read() -> None:
    assert cues_of(spoken(("NO", 1.0, 1.1))) == [Cue(start_s=1.0, end_s=2.0, lines=("NO",))]


def test_a_word_longer_than_a_line_stays_whole() -> None:
    (cue,) = cues_of(spoken(("A" * 60, 0.0, 1.0)))
    assert cue.lines == ("A" * 60,)


def test_srt_has_numbers_and_commas() -> None:
    words = spoken(("HELLO", 0.0, 1.5), ("WORLD", 3723.4564, 3725.0))
    assert subtitles(result_of(words)) == (
        "1\n00:00:00,000 --> 00:00:01,500\nHELLO\n\n2\n01:02:03,456 --> 01:02:05,000\nWORLD\n"
    )


def test_webvtt_has_a_head_and_escapes_what_would_be_markup() -> None:
    text = subtitles(result_of(spoken(("a-->b", 0.0, 1.0), ("<i>&", 1.0, 2.0))), "vtt")
    assert text == "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\na--&gt;b &lt;i&gt;&amp;\n"


def test_a_moment_never_has_sixty_seconds() -> None:
    assert "00:01:00,000 -->" in subtitles(result_of(spoken(("A", 59.9999, 61.0))))


def test_tsv_has_a_line_for_each_cue_and_json_each_word() -> None:
    result = result_of(spoken(("YES", 0.0, 1.0), ("NO", 3.0, 4.25)))
    rows = list(csv.reader(StringIO(subtitles(result, "tsv")), delimiter="\t"))
    assert rows == [["start_s", "end_s", "text"], ["0.000", "1.000", "YES"], ["3.000", "4.250", "NO"]]
    assert json.loads(subtitles(result, "json")) == {
        "text": "YES NO",
        "words": [
            {"text": "YES", "start_s": 0.0, "end_s": 1.0},
            {"text": "NO", "start_s": 3.0, "end_s": 4.25},
        ],
    }


@pytest.mark.parametrize(("output_format", "empty"), [("srt", ""), ("vtt", "WEBVTT\n")])
def test_a_row_without_words_has_no_cues(output_format: str, empty: str) -> None:
    assert subtitles(result_of([]), output_format, row=0) == empty


def test_a_recording_that_could_not_be_heard_says_why() -> None:
    rows = {"words": pa.array([None], pa.list_(WORD)), "error": ["there is no recording at 'a.wav'"]}
    with pytest.raises(InvalidArgument, match="there is no recording"):
        subtitles(Result(_table=pa.table(rows)))


@pytest.mark.parametrize("cells", [["A"], [1], [["A"]]])
def test_a_column_of_another_kind_is_refused(cells: list[object]) -> None:
    with pytest.raises(InvalidArgument, match="word_times=True"):
        subtitles(Result(_table=pa.table({"words": cells})))


def test_two_columns_of_words_are_refused() -> None:
    table = result_of([]).arrow()
    twice = pa.Table.from_arrays([table.column(0), table.column(0)], names=["words", "words"])
    with pytest.raises(InvalidArgument, match="alone"):
        subtitles(Result(_table=twice))


@pytest.mark.parametrize(
    ("result", "output_format", "row", "told"),
    [
        (result_of([]), "ass", 0, "known: srt, vtt, tsv, json"),
        (result_of([]), "srt", 2, "it has 2"),
        (Result(_table=pa.table({"predicted": ["A"]})), "srt", 0, "OPTIONS(word_times=True)"),
    ],
)
def test_what_cannot_be_written_says_what_to_do(
    result: Result, output_format: str, row: int, told: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        subtitles(result, output_format, row=row)
    assert told in str(caught.value)
