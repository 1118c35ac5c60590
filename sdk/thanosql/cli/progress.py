"""Progress on the error output: a bar in a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars

from thanosql.facts import progress_facts
from thanosql.values import Progress

_EVERY_S = 5.0

Show = Callable[[Progress], None]


@contextmanager
def progress_display() -> Iterator[Show]:
    """A function that shows the newest progress; what it drew is gone at the end."""
    if not sys.stderr.isatty():
        yield LineProgress(write=lambda line: click.echo(line, err=True))
        return
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[facts]}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bars:
        yield BarProgress(bars)


class BarProgress:
    """One bar, made anew for every stage."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        """Move the bar."""
        if progress.stage != self._stage:
            for task in self._bars.task_ids:
                self._bars.remove_task(task)
            self._bars.add_task(progress.stage, total=None, facts="")
            self._stage = progress.stage
        self._bars.update(
            self._bars.task_ids[0],
            completed=progress.done,
            total=progress.total,
            facts=" · ".join(progress_facts(progress)),
        )


class LineProgress:
    """A line with the first rows of a stage, then one every few seconds, and one when all is done."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._stage = ""
        self._done = 0.0
        self._next_s = 0.0

    def __call__(self, progress: Progress) -> None:
        """Write a line when it is time."""
        if progress.unit == "rows" and not progress.done:
            return
        now = self._clock()
        if progress.stage == self._stage and not self._is_last(progress) and now < self._next_s:
            return
        self._stage, self._done, self._next_s = progress.stage, progress.done, now + _EVERY_S
        self._write(f"{progress.stage}: " + " · ".join(progress_facts(progress)))

    def _is_last(self, progress: Progress) -> bool:
        """Tell whether all is done, and that has not been written yet."""
        return progress.done == progress.total and progress.done > self._done
