import io

from thanosql.cli.output import write_table


class Terminal(io.StringIO):
    """A terminal of 80 columns, as rich sees one."""

    def isatty(self) -> bool:
        return True


def test_a_table_too_wide_for_the_terminal_goes_one_column_a_line() -> None:
    terminal = Terminal()
    columns = [f"column_{number}" for number in range(17)]
    write_table(columns, [["a"] * 17, ["b"] * 17], terminal)
    lines = terminal.getvalue().splitlines()
    assert lines[0] == "-- row 1"
    assert lines[1].split() == ["column_0", "a"]
    assert lines[18] == "-- row 2"


def test_a_table_that_fits_is_boxed() -> None:
    terminal = Terminal()
    write_table(["text", "n"], [["HELLO", "1"], ["WORLD", "2"]], terminal)
    assert "HELLO" in terminal.getvalue()
    assert "-- row" not in terminal.getvalue()
