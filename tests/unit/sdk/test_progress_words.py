"""How far a prediction is, in the words of terminal and notebook."""

from thanosql.cli.progress import LineProgress
from thanosql.facts import progress_facts
from thanosql.html import progress_html
from thanosql.values import Progress

HALF_WAY = Progress(
    stage="transcribing",
    done=5_000,
    total=10_000,
    unit="rows",
    seconds_left=75.0,
    audio_s=90.0,
    audio_total_s=3_600.0,
)


def test_rows_audio_and_time_left_are_told() -> None:
    assert progress_facts(HALF_WAY) == ["5,000/10,000 rows", "1:30 min of 1:00 h of audio", "1:15 min left"]


def test_what_is_unknown_is_left_out() -> None:
    unknown = Progress(stage="transcribing", done=5, unit="rows", audio_s=9.0)
    assert progress_facts(unknown) == ["5 rows", "9.0 s of audio"]


def test_terminal_and_notebook_say_the_same() -> None:
    lines: list[str] = []
    LineProgress(write=lines.append, clock=lambda: 100.0)(HALF_WAY)
    (line,) = lines
    shown = progress_html(HALF_WAY)
    for fact in progress_facts(HALF_WAY):
        assert fact in line
        assert fact in shown
