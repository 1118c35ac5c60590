"""Every statement of the golden files gives the plan, or draws the error, that stands beneath it."""

import os
from pathlib import Path

import pytest

from services.parser.core.parser import Parser
from tests.golden.cases import read_cases, write_cases
from tests.golden.plan_text import error_text, plan_text
from thanosql_runtime.errors import ThanosqlError

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.sql"))
ENOUGH = 120


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


def outcome(parser: Parser, text: str) -> tuple[str, str]:
    """The folder that a statement belongs to, and its text there."""
    try:
        return "good", plan_text(parser.parse(text))
    except ThanosqlError as failure:
        return "bad", error_text(failure, text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_statements_give_what_the_golden_file_says(path: Path, parser: Parser) -> None:
    cases = read_cases(path)
    outcomes = [outcome(parser, case.text) for case in cases]
    misplaced = [
        f"{case.title}: {text}"
        for case, (kind, text) in zip(cases, outcomes, strict=True)
        if kind != path.parent.name
    ]
    assert not misplaced, "\n".join(misplaced)
    if os.environ.get("UPDATE_GOLDEN"):
        write_cases(path, [case.with_expected(text) for case, (_, text) in zip(cases, outcomes, strict=True)])
    for case, (_, text) in zip(cases, outcomes, strict=True):
        if not os.environ.get("UPDATE_GOLDEN"):
            assert text == case.expected, case.title


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_there_are_enough_statements(kind: str) -> None:
    cases = [case for path in FILES if path.parent.name == kind for case in read_cases(path)]
    assert len(cases) >= ENOUGH
    assert len({case.text for case in cases}) == len(cases)
