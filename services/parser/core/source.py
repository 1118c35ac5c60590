"""The text of one call and places in it: every span of the parser is made here."""

import bisect
import re

from thanosql_runtime.errors import Span


class Source:
    """The text of a call, able to say on which line and column an offset stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def span(self, start: int, end: int) -> Span:
        """The place from `start` to `end`, both in characters, kept inside the text."""
        start = min(max(start, 0), len(self.text))
        end = min(max(end, start), len(self.text))
        line = bisect.bisect_right(self._line_starts, start)
        column = start - self._line_starts[line - 1] + 1
        return Span(start=start, end=end, line=line, column=column)
