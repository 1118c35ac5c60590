"""Draws an error under the line of the statement that it speaks of."""

import unicodedata
from collections.abc import Sequence

from thanosql.values import Span

_KNOWN_SHOWN = 4
_EXPECTED_SHOWN = 6
_LINE_LIMIT = 100
_LEAD = 30


def draw(
    message: str,
    *,
    text: str = "",
    span: Span | None = None,
    expected: Sequence[str] = (),
    suggestion: str = "",
    known: Sequence[str] = (),
) -> str:
    """The message, then the line with carets and what would be right there.

    >>> span = Span(start=0, end=5, line=1, column=1)
    >>> print(draw("unknown option 'epoch'", text="epoch=1", span=span, suggestion="epochs"))
    error: unknown option 'epoch'
      line 1  |   epoch=1
              |   ^^^^^ did you mean 'epochs'?
    """
    hint = _hint(message, expected, suggestion, known)
    if span is None or not text:
        return f"error: {message}" + (f"\n  {hint}" if hint else "")
    place = f"  line {span.line}  |   "
    margin = " " * (len(place) - 4) + "|   "
    shown, before, marked = _window(_line_of(text, span), span)
    carets = "^" * max(1, _width(marked))
    caret_line = f"{margin}{_blank(before)}{carets} {hint}".rstrip()
    return f"error: {message}\n{place}{shown}\n{caret_line}"


def _line_of(text: str, span: Span) -> str:
    lines = text.split("\n")
    line = lines[span.line - 1] if 0 < span.line <= len(lines) else ""
    return line.rstrip("\r")


def _window(line: str, span: Span) -> tuple[str, str, str]:
    """The part of the line that is shown, the part of it before the mark, and the marked part."""
    start = min(max(0, span.column - 1), len(line))
    end = min(len(line), start + max(1, span.end - span.start))
    first = max(0, start - _LEAD) if len(line) > _LINE_LIMIT else 0
    head = "…" if first else ""
    body = line[first : first + _LINE_LIMIT]
    tail = "…" if first + _LINE_LIMIT < len(line) else ""
    end = min(end, first + len(body))
    return head + body + tail, head + line[first:start], line[start:end]


def _hint(message: str, expected: Sequence[str], suggestion: str, known: Sequence[str]) -> str:
    parts = []
    more = ["..."] if len(known) > _KNOWN_SHOWN else []
    if suggestion and "did you mean" not in message:
        parts.append(f"did you mean '{suggestion}'?")
    if known and "known:" not in message:
        parts.append("known: " + ", ".join([*known[:_KNOWN_SHOWN], *more]))
    if expected and not parts and "expected" not in message:
        parts.append("expected " + " or ".join(expected[:_EXPECTED_SHOWN]))
    return " ".join(parts)


def _width(text: str) -> int:
    """Columns that a terminal gives the text: wide letters take two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) != 0 for letter in text)


def _blank(text: str) -> str:
    """Blanks as wide as the text; tabs stay, so that both lines move alike."""
    return "".join("\t" if letter == "\t" else " " * _width(letter) for letter in text)
