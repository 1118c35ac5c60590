"""Why a call to another service failed, where grpc.aio tells it twice: once as it was, once made up."""

from collections.abc import Callable

import grpc
import pytest

from services.gateway.core.pipes import Pipe
from services.gateway.peer_streams import answer
from thanosql_runtime.errors import Reason, ThanosqlError

TRUE = (grpc.StatusCode.UNAVAILABLE, "recvmsg: Connection reset by peer")
MADE_UP = (grpc.StatusCode.INTERNAL, "Internal error from Core")
Status = tuple[grpc.StatusCode, str]


class Call:
    """Shows one status to a callback, and raises another."""

    def __init__(self, shown: Status, raised: Status) -> None:
        self._shown = shown
        self._raised = raised
        self._callbacks: list[Callable[[Call], None]] = []

    def add_done_callback(self, callback: Callable[["Call"], None]) -> None:
        self._callbacks.append(callback)

    async def code(self) -> grpc.StatusCode:
        return self._shown[0]

    async def details(self) -> str:
        return self._shown[1]

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    def cancel(self) -> bool:
        return False

    def __await__(self):  # type: ignore[no-untyped-def]  # raises, whatever it is
        for callback in self._callbacks:
            callback(self)
        raise grpc.aio.AioRpcError(
            self._raised[0], grpc.aio.Metadata(), grpc.aio.Metadata(), details=self._raised[1]
        )
        yield


@pytest.mark.parametrize(("shown", "raised"), [(TRUE, MADE_UP), (MADE_UP, TRUE), (TRUE, TRUE)])
async def test_the_failure_that_is_told_is_the_true_one(shown: Status, raised: Status) -> None:
    with pytest.raises(ThanosqlError) as caught:
        await answer(Call(shown, raised), "storage", Pipe(1))
    assert caught.value.reason is Reason.PEER_UNAVAILABLE


async def test_a_failure_that_is_made_up_both_times_is_still_told() -> None:
    with pytest.raises(ThanosqlError) as caught:
        await answer(Call(MADE_UP, MADE_UP), "storage", Pipe(1))
    assert caught.value.reason is Reason.INTERNAL
