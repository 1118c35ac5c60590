"""Running a text with its progress shown and each result written as it is complete."""

from thanosql.cli.output import write_result
from thanosql.cli.progress import progress_display
from thanosql.client import ThanoSQL
from thanosql.result import Result, ResultBuilder
from thanosql.values import Progress


def run_text(client: ThanoSQL, text: str) -> list[Result]:
    """Run the statements of a text, with progress on the error output."""
    builder = ResultBuilder()
    with progress_display() as show:
        for event in client.stream(text):
            if isinstance(event, Progress):
                show(event)
            builder.add(event)
    return builder.results


def run_and_write(client: ThanoSQL, text: str, output_format: str) -> None:
    """Run the statements of a text and write each result; those before a failure are written too."""
    builder = ResultBuilder()
    events = client.stream(text)
    pending = True
    while pending:
        result = None
        with progress_display() as show:
            for event in events:
                if isinstance(event, Progress):
                    show(event)
                result = builder.add(event)
                if result is not None:
                    break
            else:
                pending = False
        if result is not None:
            write_result(result, output_format)
