"""The values of a JSON file one after another, without ever holding the file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from services.storage.core.copying.decoding import JsonDecoder

_CHUNK_CHARACTERS = 1 << 20
_LONGEST_VALUE = 64 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
# What ends, or fails, this near the end of what was read may go on in the rest.
_LONGEST_TOKEN = 16


class BrokenJsonError(ValueError):
    """The file stops being JSON, so that what follows cannot be told apart either."""


@dataclass(frozen=True, kw_only=True)
class Element:
    """One value of a file.

    Attributes:
        line: Where it begins.
        text: How it is written.
        value: What it is; numbers may be approximate.
        problem: Why it cannot be kept although it is JSON; empty where nothing speaks against it.
    """

    line: int
    text: str
    value: object
    problem: str


class JsonElements:
    """The elements of an array, or values that simply follow one another.

    Iterated once.

    Args:
        file: The text.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decoder = JsonDecoder()
        self._buffer = ""
        self._position = 0
        self._line = 1

    def __iter__(self) -> Iterator[Element]:
        """Yield every element.

        Raises:
            BrokenJsonError: Where the text is no JSON, with the line.
        """
        in_array = self._take("[")
        if in_array and self._take("]"):
            return self._require_end()
        while in_array or self._next_character():
            yield self._element()
            if self._take(","):
                continue
            if in_array:
                if not self._take("]"):
                    raise self._broken("expected ',' or ']'")
                return self._require_end()
        return None

    def _element(self) -> Element:
        if not self._next_character():
            raise self._broken("the text ends in the middle")
        value, end = self._decoded()
        text, line = self._buffer[self._position : end], self._line
        self._advance(end)
        return Element(line=line, text=text, value=value, problem=self._decoder.problem)

    def _decoded(self) -> tuple[object, int]:
        while True:
            try:
                value, end = self._decoder.decode_at(self._buffer, self._position)
            except json.JSONDecodeError as problem:
                if self._may_go_on(problem) and self._read_more():
                    continue
                raise self._broken(_words(problem), problem.pos) from problem
            except RecursionError as problem:
                raise self._broken("it is nested too deeply") from problem
            # Near the end of what was read, `1` may become `1.5e10`.
            if end + _LONGEST_TOKEN < len(self._buffer) or not self._read_more():
                return value, end

    def _may_go_on(self, problem: json.JSONDecodeError) -> bool:
        unterminated = problem.msg.startswith("Unterminated string")
        return unterminated or problem.pos >= len(self._buffer) - _LONGEST_TOKEN

    def _read_more(self) -> bool:
        pending = len(self._buffer) - self._position
        if pending > _LONGEST_VALUE:
            raise self._broken(f"one value has more than {_LONGEST_VALUE} characters")
        # As much again as there is: a long value is not decoded once for every chunk of it.
        chunk = self._file.read(max(_CHUNK_CHARACTERS, pending))
        if chunk:
            self._buffer = self._buffer[self._position :] + chunk
            self._position = 0
        return bool(chunk)

    def _next_character(self) -> str:
        while True:
            found = _SPACE.match(self._buffer, self._position)
            self._advance(found.end() if found else self._position)
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._read_more():
                return ""

    def _take(self, character: str) -> bool:
        if self._next_character() != character:
            return False
        self._advance(self._position + 1)
        return True

    def _advance(self, end: int) -> None:
        self._line += self._buffer.count("\n", self._position, end)
        self._position = end

    def _require_end(self) -> None:
        if self._next_character():
            raise self._broken("something follows the end of the array")

    def _broken(self, why: str, position: int | None = None) -> BrokenJsonError:
        end = self._position if position is None else position
        line = self._line + self._buffer.count("\n", self._position, end)
        return BrokenJsonError(f"line {line}: {why}")


def _words(problem: json.JSONDecodeError) -> str:
    return problem.msg[0].lower() + problem.msg[1:]
