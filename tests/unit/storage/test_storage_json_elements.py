"""JSON arrays are read element by element, whatever their size and layout."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.copying.elements import BrokenJsonError, JsonElements
from services.storage.core.types import CopyOutcome, IfExists
from thanosql_runtime.errors import Reason, ThanosqlError

Select = Callable[[str], list[dict[str, object]]]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Dripping(io.StringIO):
    """Gives a few characters at a time, whatever is asked for."""

    def read(self, size: int | None = -1) -> str:
        return super().read(3)


def values(text: str) -> list[object]:
    return [element.value for element in JsonElements(io.StringIO(text))]


@settings(deadline=None)
@given(st.lists(JSON, max_size=5), st.sampled_from([None, 2]))
def test_an_array_gives_its_elements(items: list[object], indent: int | None) -> None:
    text = json.dumps(items, indent=indent)
    assert values(text) == items
    assert [element.value for element in JsonElements(Dripping(text))] == items


@settings(deadline=None)
@given(st.lists(JSON, max_size=5), st.sampled_from(["\n", " ", "\r\n\r\n", ","]))
def test_values_that_follow_one_another_are_given_too(items: list[object], between: str) -> None:
    items = [item for item in items if not isinstance(item, list)]
    text = between.join(json.dumps(item, indent=1) for item in items)
    assert [element.value for element in JsonElements(Dripping(text))] == items


def test_each_element_knows_its_line_and_its_text() -> None:
    elements = list(JsonElements(io.StringIO('[\n {"a": 1},\n\n 2.50 ,{\n"b":\n"x"}]')))
    assert [element.line for element in elements] == [2, 4, 4]
    assert [element.text for element in elements] == ['{"a": 1}', "2.50", '{\n"b":\n"x"}']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}\n {"a": 2}]', "line 2: expected ',' or ']'"),
        ('[{"a": 1},\n\n{"a" 2}]', "line 3: expecting ':' delimiter"),
        ('[{"a": 1}', "line 1: expected ',' or ']'"),
        ('[{"a": 1},', "line 1: the text ends in the middle"),
        ('[{"a": "x', "line 1: unterminated string"),
        ("[1]\n[2]", "line 2: something follows the end of the array"),
        ("[" * 100_000, "line 1: it is nested too deeply"),
    ],
)
def test_text_that_is_no_json_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BrokenJsonError) as caught:
        values(text)
    assert message in str(caught.value)


def test_a_long_array_is_read_in_little_memory(copying: CopyCommand, files: Path) -> None:
    record = json.dumps({"text": "x" * 1000})
    (files / "t.json").write_text("[" + ",\n".join([record] * 20_000) + "]")
    with (files / "t.json").open() as file:
        elements = JsonElements(file)
        longest = max(len(elements._buffer) for _ in elements)
    assert longest < 3 << 20


class TestCopies:
    @pytest.fixture
    def copy(self, copying: CopyCommand, files: Path) -> Callable[..., CopyOutcome]:
        def run(content: str, name: str = "t.json") -> CopyOutcome:
            if name:
                (files / name).write_text(content)
            request = CopyRequest(table="t", source=name or content, if_exists=IfExists.REPLACE)
            return copying.run(request, lambda _: None)

        return run

    @pytest.mark.parametrize("name", ["t.json", ""], ids=["file", "statement"])
    def test_an_element_that_is_no_object_is_left_out(
        self, copy: Callable[..., CopyOutcome], select: Select, name: str
    ) -> None:
        outcome = copy('[{"a": 1},\n7, {},\n{"a": 2, "a": 3},\n{"a": 4}]', name)
        assert (outcome.rows_copied, outcome.rows_quarantined) == (2, 3)
        assert select("SELECT line, raw, message FROM t_quarantine") == [
            {"line": 2, "raw": "7", "message": "not a JSON object"},
            {"line": 2, "raw": "{}", "message": "an object without a single name"},
            {"line": 3, "raw": '{"a": 2, "a": 3}', "message": "not JSON: a name stands twice in an object"},
        ]
        source = select("SELECT DISTINCT source FROM t_quarantine")
        assert source == [{"source": name or "the JSON text"}]

    @pytest.mark.parametrize("name", ["t.json", "t.jsonl", ""], ids=["file", "lines", "statement"])
    def test_a_number_of_thousands_of_digits_is_left_out(
        self, copy: Callable[..., CopyOutcome], select: Select, name: str
    ) -> None:
        records = ['{"a": 1}', f'{{"a": {"9" * 5000}}}', '{"a": 3}']
        outcome = copy("\n".join(records) if name == "t.jsonl" else f"[{','.join(records)}]", name)
        assert (outcome.rows_copied, outcome.rows_quarantined) == (2, 1)
        assert select("SELECT message FROM t_quarantine") == [
            {"message": "not JSON that can be kept: a number has more than 4300 digits"}
        ]
        assert select("SELECT a FROM t") == [{"a": 1}, {"a": 3}]

    def test_what_is_wrong_with_a_line_is_not_said_of_the_next(
        self, copy: Callable[..., CopyOutcome], select: Select
    ) -> None:
        lines = [
            '{"a": 1, "A": 2}',
            '\ufeff{"a": 1}',
            '{"a": "\\ud800"}',
            '{"a": {"b": 1, "b": 2}} x',
            '{"a": 3}',
        ]
        copy("\n".join(["", *lines]), "t.jsonl")
        assert [row["message"] for row in select("SELECT message FROM t_quarantine")] == [
            "not JSON: a name stands twice in an object",
            "not JSON: Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)",
            "not JSON: an escape that is half of a character",
            "not JSON: a name stands twice in an object",
        ]

    def test_text_and_numbers_in_one_column_become_plain_text(
        self, copy: Callable[..., CopyOutcome], select: Select
    ) -> None:
        copy('[{"a": 1}, {"a": "x"}, {"a": null}, {"a": "1"}]')
        assert select("SELECT a FROM t") == [{"a": "1"}, {"a": "x"}, {"a": None}, {"a": "1"}]

    def test_objects_with_different_names_become_one_structure(
        self, copy: Callable[..., CopyOutcome], select: Select
    ) -> None:
        copy("[" + ", ".join(f'{{"a": {{"k{number}": {number}}}}}' for number in range(300)) + "]")
        assert select("SELECT a.k7 AS k FROM t WHERE a.k7 IS NOT NULL") == [{"k": 7}]

    @pytest.mark.parametrize(("content", "words"), [
        ("[]", "the JSON text holds no JSON object"),
        ("[1, 2]", "no row of the JSON text can be read (2 tried); line 1: not a JSON object"),
        ('[{"a": 1},\n{"a" 1}]', "the JSON text cannot be read: line 2: expecting ':' delimiter"),
    ])  # fmt: skip
    def test_a_statement_without_a_record_is_refused(
        self, copy: Callable[..., CopyOutcome], content: str, words: str
    ) -> None:
        with pytest.raises(ThanosqlError) as caught:
            copy(content, "")
        assert caught.value.reason is Reason.INVALID_DATA
        assert words in caught.value.message
