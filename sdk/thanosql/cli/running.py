"""Running a text with its progress shown, and each result as soon as it is complete."""

from collections.abc import Generator
from contextlib import closing

from thanosql.cli.output import write_result
from thanosql.cli.progress import progress_display
from thanosql.client import ThanoSQL
from thanosql.events import Event
from thanosql.result import Result, ResultBuilder
from thanosql.values import Progress


def run_text(client: ThanoSQL, text: str) -> list[Result]:
    """Run the statements of a text, with progress on the error output."""
    builder = ResultBuilder()
    with closing(client.stream(text)) as events:
        while _next_result(events, builder) is not None:
            pass
    return builder.results


def run_and_write(client: ThanoSQL, text: str, output_format: str, *, all_rows: bool = False) -> None:
    """Run the statements of a text and write each result; those before a failure are written too."""
    builder = ResultBuilder()
    with closing(client.stream(text)) as events:
        while (result := _next_result(events, builder)) is not None:
            write_result(result, output_format, all_rows=all_rows)


def _next_result(events: Generator[Event, None, None], builder: ResultBuilder) -> Result | None:
    """The result of the statement that runs now; `None` after the last one."""
    with progress_display() as show:
        for event in events:
            if isinstance(event, Progress):
                show(event)
            result = builder.add(event)
            if result is not None:
                return result
    return None
