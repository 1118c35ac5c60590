"""Rows to the predictor and back: a bounded window in flight, the order kept, failures counted."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import pyarrow as pa

from services.gateway.core.columns import texts
from services.gateway.core.ordering import AnsweredChunk, OrderedWindow
from services.gateway.core.pipes import Pipe
from services.gateway.core.places import placed_at
from services.gateway.core.plan_parts import Name
from services.gateway.core.plans import split_version
from services.gateway.core.ports import SendRow
from services.gateway.core.progress import RowProgress
from services.gateway.core.records import AudioRow, Embedding, RowAnswer, RowError, Rows, Transcription
from services.gateway.core.run import Run
from thanosql_runtime.errors import Reason

Answers = TypeVar("Answers", Transcription, Embedding)
Ask = Callable[[str, int, Callable[[SendRow], Awaitable[None]]], AbstractAsyncContextManager[Answers]]
"""Opens a call to the predictor: name and version of the model, and what sends the rows."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to transcribe or to embed.

    Attributes:
        model: The model; `m.2` names a version.
        batch_size: Rows that go in flight, and come back, together.
        audio_index: Column with the paths.
        text_index: Column whose text a row must have, where one is needed.
    """

    model: Name
    batch_size: int
    audio_index: int
    text_index: int | None = None


@dataclass(frozen=True, kw_only=True)
class Answered(Generic[Answers]):
    """Rows with their answers, in the order of the rows, and the call that they came from."""

    call: Answers
    chunks: AsyncIterator[AnsweredChunk]


def open_transcription(
    run: Run, task: Task, rows: Rows, progress: RowProgress
) -> AbstractAsyncContextManager[Answered[Transcription]]:
    """Transcribe the rows."""
    return open_answers(run, task, rows, progress, run.peers.predictor.transcribe)


@asynccontextmanager
async def open_answers(
    run: Run, task: Task, rows: Rows, progress: RowProgress, ask: Ask[Answers]
) -> AsyncIterator[Answered[Answers]]:
    """Have the rows answered; at most `limits.window_batches` batches of them are in memory."""
    limit_rows = run.limits.window_batches * task.batch_size
    window = OrderedWindow(limit_rows)
    # Never more answers than rows in the window, so that putting one never waits.
    answers: Pipe[RowAnswer] = Pipe(depth=limit_rows + 1)
    name, version = split_version(task.model.text)
    send = partial(_send_rows, rows, task, window, answers)
    async with AsyncExitStack() as stack:
        with placed_at(task.model.span):
            call = await stack.enter_async_context(ask(name, version, send))
        await stack.enter_async_context(answers.fed_by(partial(_forward, call.answers, answers)))
        run.outcome.model = call.model
        chunks = _in_order(window, answers)
        yield Answered(call=call, chunks=_accounted(run, task, chunks, progress))


async def _send_rows(
    rows: Rows, task: Task, window: OrderedWindow, answers: Pipe[RowAnswer], send: SendRow
) -> None:
    async for batch in rows.batches:
        for start in range(0, batch.num_rows, task.batch_size):
            await _send_chunk(batch.slice(start, task.batch_size), task, window, answers, send)


async def _send_chunk(
    chunk: pa.RecordBatch, task: Task, window: OrderedWindow, answers: Pipe[RowAnswer], send: SendRow
) -> None:
    first_key = await window.add(chunk)
    paths = texts(chunk, task.audio_index)
    references = texts(chunk, task.text_index) if task.text_index is not None else ["-"] * len(paths)
    for key, (path, reference) in enumerate(zip(paths, references, strict=True), start=first_key):
        if not path:
            await answers.put(_refusal(key, Reason.AUDIO_NOT_FOUND, "the row has no path of a recording"))
        elif not (reference or "").strip():
            await answers.put(_refusal(key, Reason.TEXT_EMPTY, "the row has no text to compare with"))
        else:
            await send(AudioRow(key=key, path=path))


def _refusal(key: int, reason: Reason, message: str) -> RowAnswer:
    return RowAnswer(key=key, reason=reason.value, message=message)


async def _forward(answered: AsyncIterator[RowAnswer], answers: Pipe[RowAnswer]) -> None:
    async for answer in answered:
        await answers.put(answer)


async def _in_order(window: OrderedWindow, answers: Pipe[RowAnswer]) -> AsyncIterator[AnsweredChunk]:
    async for answer in answers.items():
        window.answer(answer)
        for chunk in window.take_complete():
            yield chunk
    window.check_empty()


async def _accounted(
    run: Run, task: Task, chunks: AsyncIterator[AnsweredChunk], progress: RowProgress
) -> AsyncIterator[AnsweredChunk]:
    await progress.begin()
    async for chunk in chunks:
        paths = texts(chunk.batch, task.audio_index)
        await run.report(
            [_row_error(a, path) for a, path in zip(chunk.answers, paths, strict=True) if a.failed]
        )
        yield chunk
        await progress.advance(len(chunk.answers), sum(answer.audio_s for answer in chunk.answers))
    await progress.end()


def _row_error(answer: RowAnswer, path: str | None) -> RowError:
    return RowError(row=answer.key, subject=path or "", reason=answer.reason, message=answer.message)
