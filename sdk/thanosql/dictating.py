"""Dictation: chunks of live audio to the server, what it hears back, both at once."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from thanosql.errors import InvalidArgument
from thanosql.transfer import EndOfCall
from thanosql.v1 import gateway_pb2, predictor_pb2, types_pb2
from thanosql.values import FinalizeUtterance, LiveTranscript, Word

_MESSAGE_BYTES = 32 << 10
_CHUNKS_AHEAD = 4
_STABLE = 0.5
_LARGEST = (1 << 31) - 1  # what a message holds
_Request = gateway_pb2.DictateRequest

Chunk = bytes | FinalizeUtterance
Chunks = Iterable[Chunk] | AsyncIterable[Chunk]


@dataclass(frozen=True, kw_only=True)
class Listening:
    """How the server listens.

    Attributes:
        sample_rate_hz: Rate of the samples.
        model: A name, or a name with a version, such as `mine.2`.
        interim_results: Whether interim results are wanted.
        endpoint_silence_s: Silence that ends an utterance; None for the server's own choice.
        max_utterance_s: Longest utterance; None for the server's own choice.
        words: Whether final results have their words, with times and confidence.
    """

    sample_rate_hz: int
    model: str
    interim_results: bool
    endpoint_silence_s: float | None
    max_utterance_s: float | None
    words: bool = False

    def message(self) -> gateway_pb2.DictateRequest:
        """The first message of a stream; its limits are the server's, but for what no message can hold.

        Raises:
            InvalidArgument: A version, a rate or a length is no such number.
        """
        name, _, version = self.model.partition(".")
        if not (version or "0").isdecimal() or float(version or 0) > _LARGEST:
            raise _invalid(
                f"'{self.model}' is no model: write a name, or a name with a version, such as mine.2"
            )
        rate_hz = self.sample_rate_hz
        if not abs(rate_hz) <= _LARGEST or rate_hz != int(rate_hz):  # the first is true of NaN
            raise _invalid(f"sample_rate_hz is {rate_hz}: give a whole number from 8000 to 96000")
        config = predictor_pb2.StreamingConfig(
            model=name,
            version=int(version or 0),
            sample_rate_hz=int(rate_hz),
            interim_results=self.interim_results,
            endpoint_silence=_duration("endpoint_silence_s", self.endpoint_silence_s, "0.2 to 5"),
            max_utterance=_duration("max_utterance_s", self.max_utterance_s, "2 to 30"),
            word_times=self.words,
            confidence=self.words,
        )
        return _Request(config=config)


# Any: the calls of grpc.aio share no type that has all of this.
async def dictation(call: Any, listening: Listening, chunks: Chunks) -> AsyncGenerator[LiveTranscript, None]:
    """Send the chunks and yield what is heard; leaving early cancels the call.

    Raises:
        AioRpcError: The server has ended the call.
    """
    sender = _Sender(call, listening, chunks)
    try:
        async with EndOfCall(call).told(), sender.sending():
            async for response in call:
                for transcript in to_transcripts(response):
                    yield transcript
    except asyncio.CancelledError:
        if sender.failure is None:
            raise
        raise sender.failure from None
    finally:
        call.cancel()


def to_transcripts(response: gateway_pb2.DictateResponse) -> list[LiveTranscript]:
    """The final result of a response, and its interim ones as one."""
    finals = [result for result in response.results if result.is_final]
    interims = [result for result in response.results if not result.is_final]
    return [_transcript(part) for part in (finals, interims) if part]


class _Sender:
    """What sends, in a task of its own."""

    def __init__(self, call: Any, listening: Listening, chunks: Chunks) -> None:
        self.failure: Exception | None = None
        self._call = call
        self._listening = listening
        self._chunks = chunks

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send for the time of the block."""
        task = asyncio.ensure_future(self._send())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _send(self) -> None:
        try:
            await self._call.write(self._listening.message())
            async with aclosing(_all(self._chunks)) as chunks:
                async for chunk in chunks:
                    for request in _requests(chunk):
                        await self._call.write(request)
            await self._call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the server has ended the call, and tells the reader of the answers why
        except Exception as failure:  # noqa: BLE001 - what the caller's chunks raised is the caller's again
            self.failure = failure
            self._call.cancel()


async def _all(chunks: Chunks) -> AsyncGenerator[Chunk, None]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
        return
    async with aclosing(_Thread(chunks).chunks()) as threaded:
        async for chunk in threaded:
            yield chunk


class _Thread:
    """An iterator that blocks, as that of a microphone does, in a thread of its own.

    The thread is a daemon, and nobody waits for it: it may wait for a microphone for ever.
    """

    def __init__(self, source: Iterable[Chunk]) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(_CHUNKS_AHEAD)
        self._left = False

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """The chunks, as they come; raises what the iterator raised."""
        threading.Thread(target=self._read, name="thanosql chunks", daemon=True).start()
        try:
            while (item := await self._queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                self._room.release()
                yield item
        finally:
            self._left = True
            self._room.release()

    def _read(self) -> None:
        end: Exception | None = None
        try:
            for chunk in self._source:
                self._room.acquire()
                if self._left or not self._put(chunk):
                    return
        except Exception as failure:  # noqa: BLE001 - raised again where the chunks are taken
            end = failure
        except BaseException as failure:  # noqa: BLE001 - as it is, it would end the loop of whoever waits
            end = RuntimeError(f"the iterator of the chunks ended with {failure!r}")
            end.__cause__ = failure
        self._put(end)

    def _put(self, item: Chunk | Exception | None) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
        except RuntimeError:  # the loop has ended, and everything in it
            return False
        return True


def _requests(chunk: Chunk) -> Iterable[gateway_pb2.DictateRequest]:
    if isinstance(chunk, FinalizeUtterance):
        return [_Request(finalize=predictor_pb2.FinalizeUtterance())]
    parts = range(0, len(chunk), _MESSAGE_BYTES)
    return (_Request(audio=bytes(chunk[begin : begin + _MESSAGE_BYTES])) for begin in parts)


def _transcript(results: list[predictor_pb2.StreamingResult]) -> LiveTranscript:
    stable = [result.text for result in results if result.stability >= _STABLE]
    return LiveTranscript(
        text=" ".join(result.text for result in results),
        stable_text=" ".join(stable),
        is_final=results[0].is_final,
        start_s=results[0].start_offset.ToMicroseconds() / 1e6,
        end_s=results[-1].end_offset.ToMicroseconds() / 1e6,
        words=tuple(_word(word) for result in results for word in result.words),
        confidence=results[0].confidence if results[0].HasField("confidence") else None,
    )


def _word(word: types_pb2.Word) -> Word:
    return Word(
        text=word.text,
        start_s=word.start_offset.ToMicroseconds() / 1e6,
        end_s=word.end_offset.ToMicroseconds() / 1e6,
        confidence=word.confidence if word.HasField("confidence") else None,
    )


def _duration(name: str, seconds: float | None, sensible: str) -> Duration | None:
    if seconds is None:
        return None
    if not abs(seconds) <= _LARGEST:  # true of NaN
        raise _invalid(f"{name} is {seconds}: give seconds, {sensible}")
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1e6))
    return duration


def _invalid(message: str) -> InvalidArgument:
    return InvalidArgument(reason="INVALID_ARGUMENT", message=message)
