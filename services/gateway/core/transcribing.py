"""Rows to the predictor and back: a bounded window in flight, the order kept, failures counted."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import pyarrow as pa

from services.gateway.core.columns import texts
from services.gateway.core.ordering import AnsweredChunk, OrderedWindow
from services.gateway.core.pipes import Pipe
from services.gateway.core.places import placed_at, placed_at_value
from services.gateway.core.plan_parts import Detail, Name
from services.gateway.core.plans import AS_SPOKEN, BeamSearch, Evaluate, Predict, SpeechWish, split_version
from services.gateway.core.ports import SendRow
from services.gateway.core.progress import RowProgress
from services.gateway.core.records import Embedding, InputRow, RowAnswer, RowError, Rows, Transcription
from services.gateway.core.run import Run
from thanosql_runtime.errors import Reason, Span
from thanosql_runtime.long_texts import why_too_long

_SUBJECT_LENGTH = 300

Answers = TypeVar("Answers", Transcription, Embedding)
Ask = Callable[[str, int, Callable[[SendRow], Awaitable[None]]], AbstractAsyncContextManager[Answers]]
"""Opens a call to the predictor: name and version of the model, and what sends the rows."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to transcribe or to embed.

    Attributes:
        model: The model; `m.2` names a version.
        batch_size: Rows that go in flight, and come back, together.
        input_index: Column with the paths of recordings, or with texts.
        text_index: Column whose text a row must have, where one is needed.
        reads_texts: Whether the first is a column with texts.
        precision: In which to compute; empty for what the predictor's settings say.
        reuse: Whether transcripts that are kept are taken.
        only_unkept: Whether rows go whose transcript was kept when the statement began.
        beam: How labels become text; None for the best label of every frame.
        wish: What Whisper is told.
        span: The statement, in which an option at fault is looked for; None where no option can be.
        detail: What is told beside the text.
    """

    model: Name
    batch_size: int
    input_index: int
    text_index: int | None = None
    reads_texts: bool = False
    precision: str = ""
    reuse: bool = False
    only_unkept: bool = False
    beam: BeamSearch | None = None
    span: Span | None = None
    detail: Detail = field(default_factory=Detail)
    wish: SpeechWish = AS_SPOKEN


@dataclass(frozen=True, kw_only=True)
class Answered(Generic[Answers]):
    """Rows with their answers, in the order of the rows, and the call that they came from."""

    call: Answers
    chunks: AsyncIterator[AnsweredChunk]


@asynccontextmanager
async def open_transcription(
    run: Run, task: Task, rows: Rows, progress: RowProgress
) -> AsyncIterator[Answered[Transcription]]:
    """Transcribe the rows; who asked for a precision is told where another one serves."""
    reuse = task.reuse or task.only_unkept
    ask = partial(
        run.peers.predictor.transcribe,
        task.precision,
        reuse=reuse,
        beam=task.beam,
        detail=task.detail,
        wish=task.wish,
    )
    async with open_answers(run, task, rows, progress, ask) as transcribed:
        if task.precision and transcribed.call.notice:
            await run.notify(transcribed.call.notice)
        yield transcribed


async def check_transcription(run: Run, statement: Predict | Evaluate) -> None:
    """Have the predictor make everything ready for recordings, and send none."""

    async def send_nothing(_send: SendRow) -> None:
        return

    name, version = split_version(statement.model.text)
    ask = partial(run.peers.predictor.transcribe, statement.precision, beam=statement.beam)
    with placed_at(statement.model.span), placed_at_value(statement.span, run.text):
        async with ask(name, version, send_nothing):
            return


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
        with placed_at(task.model.span), placed_at_value(task.span, run.text):
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
    contents = texts(chunk, task.input_index)
    references = texts(chunk, task.text_index) if task.text_index is not None else ["-"] * len(contents)
    for key, (content, reference) in enumerate(zip(contents, references, strict=True), start=first_key):
        refusal = _refusal(task, content or "", reference or "")
        if refusal is None:
            await send(InputRow(key=key, content=content or ""))
        else:
            await answers.put(RowAnswer(key=key, reason=refusal[0].value, message=refusal[1]))


def _refusal(task: Task, content: str, reference: str) -> tuple[Reason, str] | None:
    """Why a row is not sent, if it is not."""
    if not content:
        no_text = (Reason.TEXT_EMPTY, "the row has no text, so it has no embedding")
        return no_text if task.reads_texts else (Reason.AUDIO_NOT_FOUND, "the row has no path of a recording")
    if not reference.strip():
        return Reason.TEXT_EMPTY, "the row has no text to compare with"
    if task.reads_texts and (too_long := why_too_long(content)):
        return Reason.INVALID_DATA, too_long
    return None


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
        contents = texts(chunk.batch, task.input_index)
        pairs = zip(chunk.answers, contents, strict=True)
        await run.report([_row_error(a, content or "") for a, content in pairs if a.failed])
        wanted = _unkept(chunk) if task.only_unkept else chunk
        run.outcome.rows_left += len(chunk.answers) - len(wanted.answers)
        run.outcome.rows_reused += sum(answer.reused for answer in wanted.answers)
        if wanted.answers:
            yield wanted
        await progress.advance(len(chunk.answers), sum(answer.audio_s for answer in chunk.answers))
    await progress.end()


def _unkept(chunk: AnsweredChunk) -> AnsweredChunk:
    """The rows whose transcript was not kept when the statement began, and those that have none."""
    mask = [not answer.was_kept for answer in chunk.answers]
    answers = [answer for answer in chunk.answers if not answer.was_kept]
    return AnsweredChunk(
        batch=chunk.batch.filter(pa.array(mask, pa.bool_())), first_key=chunk.first_key, answers=answers
    )


def _row_error(answer: RowAnswer, content: str) -> RowError:
    """Paths are told whole, of long texts the start."""
    subject = content if len(content) <= _SUBJECT_LENGTH else f"{content[:_SUBJECT_LENGTH]}..."
    return RowError(row=answer.key, subject=subject, reason=answer.reason, message=answer.message)
