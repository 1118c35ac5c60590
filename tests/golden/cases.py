"""Reads and writes golden files: statements, each with what is expected of it as comments.

    --# what the case shows
    SELECT * FROM t
    --| the expected text, one line after the other

The title and the statement are written by hand. Everything behind `--|` is written by
`UPDATE_GOLDEN=1 pytest tests/golden` and reviewed in the diff.
"""

from dataclasses import dataclass, replace
from pathlib import Path

_TITLE = "--# "
_EXPECTED = "--| "


@dataclass(frozen=True, kw_only=True)
class Case:
    """One statement and what is expected of it."""

    title: str
    text: str
    expected: str

    def with_expected(self, expected: str) -> "Case":
        """The same statement with another expectation."""
        return replace(self, expected=expected)


def read_cases(path: Path) -> list[Case]:
    """The cases of a file, in order."""
    parts = ("\n" + path.read_text(encoding="utf-8")).split("\n" + _TITLE)
    assert not parts[0].strip(), f"{path.name} begins with something that is no case"
    return [_read_case(part.split("\n")) for part in parts[1:]]


def write_cases(path: Path, cases: list[Case]) -> None:
    """Write the file that `read_cases` reads as these cases."""
    path.write_text("\n".join(_write_case(case) for case in cases), encoding="utf-8")


def _read_case(lines: list[str]) -> Case:
    title, *body = lines
    text = [line for line in body if not line.startswith(_EXPECTED.rstrip())]
    expected = [line[len(_EXPECTED) :] for line in body if line.startswith(_EXPECTED.rstrip())]
    return Case(title=title, text="\n".join(text).strip("\n"), expected="\n".join(expected))


def _write_case(case: Case) -> str:
    expected = "".join(f"{_EXPECTED}{line}".rstrip() + "\n" for line in case.expected.split("\n"))
    return f"{_TITLE}{case.title}\n{case.text}\n{expected}"
