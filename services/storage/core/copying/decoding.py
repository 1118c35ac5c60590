"""JSON as COPY takes it: decoded once, with what keeps a value out of a table although it is JSON."""

import json
import re
import sys

_SPACE = re.compile(r"[ \t\r\n]*")
_SHAPES_REMEMBERED = 1000


class JsonDecoder:
    """Decodes values one after another, and notes what is wrong with the last one.

    Attributes:
        problem: Why the last value cannot be kept; empty where nothing speaks against it.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._decoder = json.JSONDecoder(object_pairs_hook=self._members)
        # Records of one file mostly have the same names, so that few are ever compared.
        self._shapes: set[tuple[str, ...]] = set()

    def decode_at(self, text: str, position: int) -> tuple[object, int]:
        """Decode the value that begins there, and say where it ends; a number may be approximate.

        Raises:
            json.JSONDecodeError: It is no JSON.
            RecursionError: It is nested too deeply.
        """
        self.problem = ""
        try:
            return self._decoder.raw_decode(text, position)
        except json.JSONDecodeError:
            raise
        except ValueError:
            # A number of more digits than Python turns into an int.
            self._decoder = json.JSONDecoder(object_pairs_hook=self._members, parse_int=self._number)
            return self.decode_at(text, position)

    def decode(self, text: str) -> object:
        """Decode a text that is one value, as `decode_at` does."""
        self.problem = ""
        if text.startswith("\ufeff"):
            raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
        value, end = self.decode_at(text, _after_space(text, 0))
        end = _after_space(text, end)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
        return value

    def _members(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        shape = tuple(members)
        if len(shape) == len(pairs) and shape in self._shapes:
            return members
        if len({name.lower() for name in shape}) != len(pairs):
            self._note("not JSON: a name stands twice in an object")
        elif len(self._shapes) < _SHAPES_REMEMBERED:
            self._shapes.add(shape)
        return members

    def _number(self, digits: str) -> float:
        try:
            return int(digits)
        except ValueError:
            most = sys.get_int_max_str_digits()
            self._note(f"not JSON that can be kept: a number has more than {most} digits")
            return float(digits)

    def _note(self, problem: str) -> None:
        self.problem = self.problem or problem


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
