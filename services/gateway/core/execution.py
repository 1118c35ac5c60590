"""The statements of a call, one after another, as one stream of events."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial

from services.gateway.core.admission import Admission
from services.gateway.core.events import Event
from services.gateway.core.explaining import explain
from services.gateway.core.lookups import open_nested
from services.gateway.core.pipes import Pipe
from services.gateway.core.places import placed_at
from services.gateway.core.plans import Plan
from services.gateway.core.ports import Peers
from services.gateway.core.run import Emit, Limits, Run
from services.gateway.core.statements import run_statement
from thanosql_runtime.errors import Reason, ThanosqlError, error

# Events made and not yet sent; the largest is a batch of 1 MB.
_EVENTS_AHEAD = 4
_MAX_REQUEST_ID = 128


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What one statement would do."""

    plan: Plan
    steps: Sequence[str]


class Executor:
    """Runs texts of statements against the services behind the gateway."""

    def __init__(
        self,
        peers: Peers,
        limits: Limits,
        admission: Admission,
        max_text_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peers = peers
        self._limits = limits
        self._admission = admission
        self._max_text_bytes = max_text_bytes
        self._clock = clock

    async def execute(self, text: str, request_id: str) -> AsyncGenerator[tuple[int, Event]]:
        """The events of every statement with its number; the first failure ends them.

        Closing the iterator stops the statement that runs, and waits until it has stopped.
        """
        with self._admission.admitted():
            call_key = _checked(request_id) or uuid.uuid4().hex
            for index, plan in enumerate(await self._parse(text)):
                async with aclosing(self._events(text, plan, f"{call_key}/{index}")) as events:
                    with _numbered(index):
                        async for event in events:
                            yield index, event

    async def explain(self, text: str) -> Sequence[Explanation]:
        """What every statement would do."""
        with self._admission.admitted():
            return [
                await self._explained(text, plan, index) for index, plan in enumerate(await self._parse(text))
            ]

    async def _parse(self, text: str) -> Sequence[Plan]:
        size_bytes = len(text.encode())
        if size_bytes > self._max_text_bytes:
            raise error(
                Reason.STATEMENT_TOO_LARGE,
                f"the text has {size_bytes} bytes, {self._max_text_bytes} are taken; "
                "send its statements one by one",
                limit_bytes=str(self._max_text_bytes),
            )
        return await self._peers.parser.parse(text)

    async def _events(self, text: str, plan: Plan, request_key: str) -> AsyncGenerator[Event]:
        pipe: Pipe[Event] = Pipe(depth=_EVENTS_AHEAD)
        run = self._run(text, plan, request_key, pipe.put)
        async with pipe.fed_by(partial(run_statement, run)):
            async for event in pipe.items():
                yield event

    async def _explained(self, text: str, plan: Plan, index: int) -> Explanation:
        run = self._run(text, plan, f"explain/{index}", _tell_nobody)
        with _numbered(index), placed_at(plan.span):
            return Explanation(plan=plan, steps=(await explain(run, plan.statement)).steps)

    def _run(self, text: str, plan: Plan, request_key: str, emit: Emit) -> Run:
        return Run(
            peers=self._peers,
            limits=self._limits,
            emit=emit,
            open_nested=open_nested,
            text=text,
            plan=plan,
            request_key=request_key,
            clock=self._clock,
        )


def _checked(request_id: str) -> str:
    if len(request_id) > _MAX_REQUEST_ID:
        raise error(
            Reason.INVALID_ARGUMENT,
            f"request_id has {len(request_id)} characters, {_MAX_REQUEST_ID} are taken; send a UUID",
            field="request_id",
        )
    return request_id


async def _tell_nobody(_event: Event) -> None:
    """Explaining changes nothing and tells nothing on the way."""


@contextmanager
def _numbered(index: int) -> Iterator[None]:
    """Put the number of the statement on the errors raised inside."""
    try:
        yield
    except ThanosqlError as failure:
        failure.metadata = {**failure.metadata, "statement_index": str(index)}
        raise
