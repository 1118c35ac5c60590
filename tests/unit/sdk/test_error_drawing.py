"""An error drawn under its line: the caret stands under the right letters, whatever the line holds."""

import doctest

import thanosql.drawing
from thanosql.drawing import draw
from thanosql.values import Span


def place(text: str, wanted: str) -> Span:
    start = text.index(wanted)
    before = text[:start]
    return Span(
        start=start,
        end=start + len(wanted),
        line=before.count("\n") + 1,
        column=start - before.rfind("\n"),
    )


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(thanosql.drawing).failed == 0


def test_the_example_of_the_language_reference() -> None:
    text = "BUILD MODEL m USING Wav2Vec2En\nOPTIONS (\n  epoch=1,\n  batch_size=4) AS SELECT 1"
    known = ("audio_col", "text_col", "epochs", "batch_size", "learning_rate", "overwrite", "max_epochs")
    drawn = draw(
        "unknown option 'epoch' for BUILD MODEL",
        text=text,
        span=place(text, "epoch"),
        suggestion="epochs",
        known=known,
    )
    assert drawn.splitlines() == [
        "error: unknown option 'epoch' for BUILD MODEL",
        "  line 3  |     epoch=1,",
        "          |     ^^^^^ did you mean 'epochs'? known: audio_col, text_col, epochs, batch_size, ...",
    ]


def test_what_the_message_already_says_is_not_said_twice() -> None:
    drawn = draw(
        "no table 'tt'; did you mean 't'?",
        text="SELECT * FROM tt",
        span=place("SELECT * FROM tt", "tt"),
        suggestion="t",
    )
    assert drawn.count("did you mean") == 1
    assert drawn.splitlines()[-1].endswith("^^")


def test_wide_letters_before_the_place_move_the_caret() -> None:
    text = "SELECT '한국어' FRM t"
    lines = draw("syntax error", text=text, span=place(text, "FRM"), expected=("FROM",)).splitlines()
    assert lines[2] == " " * 10 + "|   " + " " * 16 + "^^^ expected FROM"


def test_tabs_stay_tabs_so_that_both_lines_move_alike() -> None:
    text = "\tSELEC 1"
    lines = draw("syntax error", text=text, span=place(text, "SELEC")).splitlines()
    assert lines[2] == " " * 10 + "|   \t^^^^^"


def test_a_long_line_is_cut_around_the_place() -> None:
    text = "SELECT " + ", ".join(f"column_{number}" for number in range(100)) + " FRM t"
    lines = draw("syntax error", text=text, span=place(text, "FRM")).splitlines()
    assert len(lines[1]) < 130
    assert lines[1][lines[2].index("^") :].startswith("FRM")


def test_a_place_of_several_lines_is_marked_on_the_first() -> None:
    text = "PRINT AUDIO AS (SELECT\n1"
    lines = draw(
        "the parenthesis is open", text=text, span=Span(start=15, end=24, line=1, column=16)
    ).splitlines()
    assert lines[2].strip("| ") == "^" * 7


def test_a_place_at_the_end_of_the_text_has_one_caret() -> None:
    text = "COPY t FROM"
    lines = draw(
        "the text ends too soon", text=text, span=Span(start=11, end=11, line=1, column=12)
    ).splitlines()
    assert lines[2].index("^") == len(lines[1])


def test_without_a_place_the_hint_still_shows() -> None:
    assert draw("no model 'a'", suggestion="b") == "error: no model 'a'\n  did you mean 'b'?"
