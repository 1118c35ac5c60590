"""The prompt gathers lines until a statement ends."""

from collections.abc import Callable, Iterator

import pytest

from thanosql import NotFound
from thanosql.cli.progress import LineProgress
from thanosql.cli.prompt import is_complete, prompt, statements
from thanosql.facts import duration
from thanosql.values import Progress


def typed(*lines: str | type[BaseException]) -> Callable[[str], str]:
    rest: Iterator[str | type[BaseException]] = iter([*lines, EOFError])

    def read(_prompt: str) -> str:
        line = next(rest)
        if isinstance(line, str):
            return line
        raise line

    return read


@pytest.mark.parametrize(
    "text", ["SELECT 1;", "SELECT ';';", "SELECT 1; -- done;", "SELECT 1; /* ; */", "a;\n\n"]
)
def test_a_text_that_ends_with_a_semicolon_is_complete(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize(
    "text", ["SELECT 1", "SELECT ';", "SELECT 1 -- done;", "/* ;", 'COPY t FROM "a;', "'it''s;"]
)
def test_a_semicolon_inside_a_string_or_comment_ends_nothing(text: str) -> None:
    assert not is_complete(text)


def test_lines_are_gathered_into_statements() -> None:
    assert list(statements(typed("SELECT", "1;", "", "LIST MODEL;"))) == ["SELECT\n1;", "LIST MODEL;"]


def test_an_interrupt_drops_what_was_typed() -> None:
    assert list(statements(typed("SELECT", KeyboardInterrupt, "LIST MODEL;"))) == ["LIST MODEL;"]


def test_exit_leaves() -> None:
    assert list(statements(typed("LIST MODEL;", "exit", "SELECT 1;"))) == ["LIST MODEL;"]


def test_a_statement_that_fails_does_not_end_the_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    def run(text: str) -> None:
        ran.append(text)
        if text == "BAD;":
            raise NotFound(reason="TABLE_NOT_FOUND", message="table 't' does not exist")

    ran: list[str] = []
    prompt(run, typed("BAD;", "LIST MODEL;"))
    assert ran == ["BAD;", "LIST MODEL;"]
    assert "table 't' does not exist" in capsys.readouterr().err


def test_an_interrupted_statement_does_not_end_the_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    def run(text: str) -> None:
        ran.append(text)
        if text == "LONG;":
            raise KeyboardInterrupt

    ran: list[str] = []
    prompt(run, typed("LONG;", "LIST MODEL;"))
    assert ran == ["LONG;", "LIST MODEL;"]
    assert "cancelled" in capsys.readouterr().err


def test_line_progress_speaks_every_five_seconds_and_at_every_stage() -> None:
    lines: list[str] = []
    now = iter([0.0, 1.0, 5.9, 6.1])
    show = LineProgress(write=lines.append, clock=lambda: next(now))
    for stage, amount in (("reading", 1), ("training", 2), ("training", 3), ("training", 4)):
        show(Progress(stage=stage, done=amount, unit="rows"))
    assert lines == ["reading: 1 rows", "training: 2 rows", "training: 4 rows"]


def test_line_progress_says_the_last_count_once_and_nothing_before_the_first_row() -> None:
    lines: list[str] = []
    show = LineProgress(write=lines.append, clock=lambda: 0.0)
    for amount, total in ((0, None), (0, 8), (3, 8), (5, 8), (8, 8), (8, 8)):
        show(Progress(stage="embedding", done=amount, total=total, unit="rows"))
    assert lines == ["embedding: 3/8 rows", "embedding: 8/8 rows"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0.0 s"), (0.84, "0.8 s"), (45.2, "45 s"), (59.7, "1:00 min"), (185, "3:05 min"), (7800, "2:10 h")],
)
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
