"""What is said of a store that fails: what failed and what to do. Rows that it refuses are another matter."""

import pytest
from lance.commit import CommitConflictError

from services.storage.core.tables.outages import in_short, is_outage, outcome_unknown, store_failed
from thanosql_runtime.errors import Reason

REFUSED = OSError(
    "LanceError(IO): Generic S3 error: Error performing list request: Error performing GET "
    "http://127.0.0.1:9000/speech?list-type=2&prefix=tables%2Ft.lance in 552.1ms, after 3 retries, "
    "max_retries: 3, retry_timeout: 3s  - HTTP error: error sending request, /home/runner/lance/rust/x.rs:1"
)


def test_a_request_that_failed_is_named_by_its_server_and_its_cause() -> None:
    assert in_short(REFUSED) == "GET http://127.0.0.1:9000 failed: HTTP error: error sending request"


@pytest.mark.parametrize(
    "problem",
    [
        REFUSED,
        OSError(28, "No space left on device"),
        RuntimeError("LanceError(IO): No space left on device"),
    ],
)
def test_failures_of_the_store_are_outages(problem: Exception) -> None:
    assert is_outage(problem)


@pytest.mark.parametrize(
    "problem",
    [
        CommitConflictError("Retryable commit conflict for version 6"),
        ValueError("Dataset at path t.lance was not found: Not found: t.lance/_versions"),
        OSError("LanceError(Arrow): C Data interface error: Invalid: boom"),
        ValueError("column a is not a column of the table"),
    ],
)
def test_refusals_are_not_outages(problem: Exception) -> None:
    assert not is_outage(problem)


def test_a_failure_says_whether_something_was_changed() -> None:
    before, during = store_failed(REFUSED, "it cannot be written"), outcome_unknown(REFUSED)
    assert before.reason is during.reason is Reason.STORE_UNAVAILABLE
    assert "nothing was changed" in before.message
    assert "is not known" in during.message
    assert dict(during.metadata) == {"outcome": "unknown"}
    assert all("run the statement again" in failure.message for failure in (before, during))
