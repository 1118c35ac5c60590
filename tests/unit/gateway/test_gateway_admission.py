"""Admission: so many and no more, and room again once one has left."""

import pytest

from services.gateway.core.admission import Admission
from thanosql_runtime.errors import Reason, ThanosqlError


def test_the_call_above_the_limit_is_refused_with_a_time_to_come_back() -> None:
    admission = Admission(2, retry_delay_s=1.5)
    with (
        admission.admitted(),
        admission.admitted(),
        pytest.raises(ThanosqlError) as raised,
        admission.admitted(),
    ):
        pytest.fail("a third call was let in")
    assert raised.value.reason is Reason.OVERLOADED
    assert raised.value.retry_delay_s == 1.5
    assert admission.inside == 0


def test_a_call_that_fails_makes_room() -> None:
    admission = Admission(1, retry_delay_s=1)
    with pytest.raises(ZeroDivisionError), admission.admitted():
        raise ZeroDivisionError
    with admission.admitted():
        assert admission.inside == 1
