"""In a terminal rows are boxed, nothing is cut, and progress is one bar a stage."""

import json
from io import StringIO

import pyarrow as pa
import pytest
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TextColumn

from thanosql.cli.output import TERMINAL_ROWS, write_result, write_table
from thanosql.cli.progress import BarProgress
from thanosql.facts import cell
from thanosql.result import Result
from thanosql.values import Progress


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_rows_are_boxed_and_markup_is_text() -> None:
    terminal = Terminal()
    write_table(["text", "n"], [["[bold]HELLO[/bold]", "1"], ["WORLD", "2"]], terminal)
    assert "[bold]HELLO[/bold]" in terminal.getvalue()
    assert "┃" in terminal.getvalue()


def test_a_cell_wider_than_the_terminal_is_folded_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    path = "tutorial_data/" + "x" * 80 + "/end.flac"
    write_table(["audio_path", "n"], [[path, "1"], [path, "2"]], terminal)
    assert "…" not in terminal.getvalue()
    assert terminal.getvalue().count("x") == 160


def test_an_embedding_is_shown_by_its_first_numbers_and_written_whole_as_data() -> None:
    column = pa.array([[0.25, -0.5, 1.0, 0.125], None], pa.list_(pa.float32(), 4))
    result = Result(_table=pa.table({"emb": column, "score": [0.5, 1.0]}))
    plain, data = StringIO(), StringIO()
    write_result(result, "table", plain)
    assert "[0.2500, -0.5000, 1.0000, ... 4 numbers]  0.5000" in plain.getvalue()
    assert "<td>[0.2500, -0.5000, 1.0000, ... 4 numbers]</td>" in result._repr_html_()
    write_result(result, "json", data)
    assert json.loads(data.getvalue())[0]["emb"] == [0.25, -0.5, 1.0, 0.125]


def test_no_rows_still_show_the_columns() -> None:
    plain = StringIO()
    write_table(["audio_path", "text"], [], plain)
    assert plain.getvalue().splitlines()[0] == "audio_path  text"


def test_a_terminal_gets_the_first_rows_of_a_long_table_unless_all_are_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = Result(_table=pa.table({"n": [f"row{number}" for number in range(TERMINAL_ROWS + 1)]}))
    cut, whole, piped = Terminal(), Terminal(), StringIO()
    write_result(result, "table", cut)
    assert cut.getvalue().count("row") == TERMINAL_ROWS
    assert "the first 1,000 of 1,001 rows; all: --format csv, or --all" in capsys.readouterr().err
    write_result(result, "table", whole, all_rows=True)
    write_result(result, "table", piped)
    assert [stream.getvalue().count("row") for stream in (whole, piped)] == [TERMINAL_ROWS + 1] * 2
    assert capsys.readouterr().err == ""


def test_a_new_stage_takes_the_place_of_the_old_one() -> None:
    bars = Bars(TextColumn("{task.description} {task.fields[facts]}"), console=Console(file=StringIO()))
    show = BarProgress(bars)
    show(Progress(stage="preparing", done=1))
    show(Progress(stage="training", done=2, total=8, unit="steps", loss=0.5))
    (task,) = bars.tasks
    assert (task.description, task.completed, task.total) == ("training", 2, 8)
    assert task.fields["facts"] == "2/8 steps · loss 0.500"


def test_words_and_readings_are_told_shortly() -> None:
    words = [{"text": text, "start_s": float(at), "end_s": at + 1.0} for at, text in enumerate("ABCD")]
    assert cell(words) == "A 0.00, B 1.00, C 2.00, ... 4 words"
    assert cell(words[:2]) == "A 0.00, B 1.00"
    assert cell([{"text": "ONE"}, {"text": "WON"}]) == "ONE | WON"
    assert cell([]) == "[]"
