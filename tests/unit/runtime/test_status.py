import grpc
import pytest
from google.rpc import status_pb2

from thanosql.v1 import errors_pb2
from thanosql_runtime.errors import Reason, Span, StatementError, ThanosqlError, error
from thanosql_runtime.status import CODES, from_status, to_status


def test_every_reason_on_the_wire_is_a_reason_in_python() -> None:
    wire = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()}  # noqa: SIM118 - no mapping
    assert wire - {"UNSPECIFIED"} == set(Reason.__members__)


def test_every_reason_has_a_status_code_that_is_no_success() -> None:
    assert set(CODES) == set(Reason)
    assert grpc.StatusCode.OK not in CODES.values()


@pytest.mark.parametrize("reason", list(Reason))
def test_an_error_survives_the_wire_with_every_detail(reason: Reason) -> None:
    place = StatementError(
        span=Span(start=7, end=12, line=3, column=3),
        expected=("a number",),
        suggestion="epochs",
        known=("epochs", "batch_size"),
    )
    sent = ThanosqlError(
        reason=reason,
        message="no such option",
        metadata={"option": "epoch"},
        statement=place,
        retry_delay_s=2.25,
    )

    received = from_status(status_pb2.Status.FromString(to_status(sent).SerializeToString()))

    assert (received.reason, received.message) == (reason, "no such option")
    assert received.metadata == {"option": "epoch"}
    assert received.statement == place
    assert received.retry_delay_s == 2.25


def test_a_status_of_a_stranger_gets_the_nearest_reason() -> None:
    stranger = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="gone")
    assert from_status(stranger).reason is Reason.PEER_UNAVAILABLE
    assert from_status(status_pb2.Status(code=99)).reason is Reason.INTERNAL


def test_an_error_reads_as_its_message() -> None:
    failure = error(Reason.FILE_NOT_FOUND, "no file 'a.csv'", path="a.csv")
    assert str(failure) == "no file 'a.csv'"
    assert {failure: "exceptions stay hashable"}
