"""Columns by name, and the names of models with versions."""

import pyarrow as pa
import pytest

from services.gateway.core.columns import check_texts, find_column, texts, without
from services.gateway.core.plans import split_version
from thanosql_runtime.errors import Reason, ThanosqlError

SCHEMA = pa.schema([("Audio_Path", pa.string()), ("n", pa.int64()), ("audio_path", pa.string())])


def test_the_exact_name_wins_and_case_does_not_matter_otherwise() -> None:
    assert find_column(SCHEMA, "audio_path", "recordings") == 2
    assert find_column(SCHEMA, "AUDIO_PATH", "recordings") == 0


def test_a_column_that_is_not_there_offers_the_nearest() -> None:
    with pytest.raises(ThanosqlError) as raised:
        find_column(SCHEMA, "audio_pth", "recordings")
    assert raised.value.reason is Reason.COLUMN_NOT_FOUND
    assert raised.value.statement is not None
    assert raised.value.statement.suggestion.casefold() == "audio_path"


def test_a_query_without_columns_near_the_name_lists_what_it_has() -> None:
    with pytest.raises(ThanosqlError, match=r"no column 'zzz' for the texts; it has: n$"):
        find_column(pa.schema([("n", pa.int64())]), "zzz", "texts")


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.null()],
)
def test_every_kind_of_text_is_text(kind: pa.DataType) -> None:
    check_texts(pa.schema([("a", kind)]), 0, "texts")


def test_numbers_are_no_text() -> None:
    with pytest.raises(ThanosqlError, match="column 'n' holds int64") as raised:
        check_texts(SCHEMA, 1, "paths of recordings")
    assert raised.value.reason is Reason.INVALID_DATA


def test_values_are_read_as_text_or_nothing() -> None:
    column = pa.array(["a", None, "a"]).dictionary_encode()
    assert texts(pa.record_batch({"a": column}), 0) == ["a", None, "a"]


def test_columns_are_dropped_whatever_their_case() -> None:
    assert without(SCHEMA, ("AUDIO_PATH",)) == [1]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("m", ("m", 0)),
        ("m.2", ("m", 2)),
        ("a.b", ("a.b", 0)),
        (".3", (".3", 0)),
        ("m.9999999999", ("m.9999999999", 0)),
    ],
)
def test_a_version_is_a_number_behind_the_last_dot(name: str, parts: tuple[str, int]) -> None:
    assert split_version(name) == parts
