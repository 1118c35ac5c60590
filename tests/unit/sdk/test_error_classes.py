"""Every reason of the contract has an exception class; nothing else has."""

import pytest
from google.rpc import status_pb2

import thanosql
from thanosql.failures import CLASSES, from_status
from thanosql.v1 import errors_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.status import to_status

VALUES = errors_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"].values
NAMES = {value.name.removeprefix("ERROR_REASON_") for value in VALUES} - {"UNSPECIFIED"}


def test_every_reason_of_the_contract_has_a_class() -> None:
    assert set(CLASSES) == NAMES


@pytest.mark.parametrize("reason", sorted(Reason))
def test_a_status_of_the_server_comes_back_as_its_class(reason: Reason) -> None:
    failure = from_status(to_status(error(reason, "what happened", table="t")))
    assert type(failure) is CLASSES[reason.value]
    assert (failure.reason, failure.message, failure.metadata) == (
        reason.value,
        "what happened",
        {"table": "t"},
    )


def test_overload_tells_when_to_come_back() -> None:
    refused = error(Reason.OVERLOADED, "the queue is full")
    refused.retry_delay_s = 1.5
    failure = from_status(to_status(refused))
    assert isinstance(failure, thanosql.Overloaded)
    assert failure.retry_after_s == 1.5


def test_a_status_without_a_reason_is_classed_by_its_code() -> None:
    assert isinstance(from_status(status_pb2.Status(code=14, message="gone")), thanosql.Unavailable)
    assert isinstance(from_status(status_pb2.Status(code=2, message="odd")), thanosql.InternalError)


def test_errors_can_be_raised_hashed_and_shown() -> None:
    failure = thanosql.NotFound(reason="TABLE_NOT_FOUND", message="no table 't'")
    assert str(failure) == "no table 't'"
    assert {failure: 1}[failure] == 1
    assert failure.drawn() == "error: no table 't'"
