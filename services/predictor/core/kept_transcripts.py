"""Transcripts that were made before: looked up by content, kept a moment after they were made.

What is kept spares work and is never needed: where the store cannot be reached, everything is computed.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

import structlog

from services.predictor.core.seen_recordings import SeenRecordings
from services.predictor.core.types import Transcript
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("transcripts")
_MOST_AT_ONCE = 256
# A server takes messages of 4 MB; one transcript larger than this is not worth keeping.
_BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Manner:
    """All that a transcript depends on beside the recording: its digest, and the version of the model."""

    digest: str
    model: str
    version: int


@dataclass(frozen=True, kw_only=True)
class KeptTranscript:
    """A transcript as it was told, and whether it was kept before the stream that it answers began."""

    told: bytes
    was_before: bool = False


@dataclass(frozen=True, kw_only=True)
class StoredTranscripts:
    """What a store has, each with its number, and the number of the newest of all.

    Attributes:
        keeps: False where a store keeps nothing.
        newest: Raised by every transcript that is kept.
        told: By the digest of the recording.
        known: The starts of the digests of all recordings in the manner; None where it does not say.
    """

    keeps: bool
    newest: int
    told: Mapping[str, tuple[bytes, int]]
    known: bytes | None = None


class TranscriptStore(Protocol):
    """Where transcripts are kept for all processes."""

    async def find(
        self, manner: Manner, digests: Sequence[str], *, list_known: bool = False
    ) -> StoredTranscripts:
        """Look for the transcripts of recordings, and for the recordings that have any."""
        ...

    async def keep(self, manner: Manner, told: Mapping[str, bytes]) -> None:
        """Keep transcripts by the digests of their recordings."""
        ...


class KeptTranscripts:
    """What all streams of this process keep and find.

    Args:
        store: Where it is.
        tell: Writes a transcript as it is told to callers.
        stopping: Set once the server begins to stop.
        report_death: Called when the keeping ends by a bug.
        interval_s: Longest time from a transcript to its commit.
    """

    def __init__(
        self,
        store: TranscriptStore,
        tell: Callable[[Transcript], bytes],
        stopping: asyncio.Event,
        report_death: Callable[[], None],
        interval_s: float = 1.0,
    ) -> None:
        self._store = store
        self._tell = tell
        self._stopping = stopping
        self._report_death = report_death
        self._interval_s = interval_s
        self._made: dict[Manner, dict[str, bytes]] = defaultdict(dict)
        # What streams that hear in the same manner have seen; it goes with the last of them.
        self._seen: WeakValueDictionary[Manner, SeenRecordings] = WeakValueDictionary()
        self._in_work: dict[tuple[Manner, str], asyncio.Event] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def start(self) -> None:
        """Begin to keep."""
        self._keeping = asyncio.create_task(self._keep_for_ever(), name="transcripts")
        self._keeping.add_done_callback(self._tell_health)

    async def close(self) -> None:
        """Keep what was made, and stop."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self.flush()

    async def open(self, manner: Manner, *, reuse: bool) -> "StreamTranscripts | None":
        """Begin a stream; None where nothing is kept."""
        # Before the look at the store: what is noted from here on is not missed.
        seen = self._seen.get(manner) or SeenRecordings()
        self._seen[manner] = seen
        await self.flush()
        stored = await self._found(manner, (), list_known=reuse)
        if stored is None or not stored.keeps:
            return None
        seen.add(stored.known or b"")
        may_be_kept = _perhaps if stored.known is None else seen.may_have
        return StreamTranscripts(
            self, manner, reuse=reuse, newest=stored.newest, seen=seen, may_be_kept=may_be_kept
        )

    async def find(self, manner: Manner, sha256: str, newest: int) -> KeptTranscript | None:
        """Look for a transcript, one of this moment first."""
        made = self._made.get(manner, {}).get(sha256)
        # Also for one of this moment: an older one of the same recording may be kept.
        stored = await self._found(manner, (sha256,))
        if stored is None or sha256 not in stored.told:
            return None if made is None else KeptTranscript(told=made)
        told, number = stored.told[sha256]
        return KeptTranscript(told=told if made is None else made, was_before=number <= newest)

    def note(self, manner: Manner, sha256: str, transcript: Transcript) -> None:
        """Keep a transcript soon."""
        told = self._tell(transcript)
        if len(told) <= _BYTES_AT_ONCE:
            self._made[manner][sha256] = told
            if seen := self._seen.get(manner):
                seen.note(sha256)

    @contextlib.contextmanager
    def claimed(self, manner: Manner, sha256: str) -> Iterator[None]:
        """Be the only one who looks for a transcript and makes it; `in_work` must say that nobody is."""
        key = (manner, sha256)
        self._in_work[key] = asyncio.Event()
        try:
            yield
        finally:
            self._in_work.pop(key).set()

    def in_work(self, manner: Manner, sha256: str) -> asyncio.Event | None:
        """Return what is set when the one who has claimed a transcript has ended, well or not."""
        return self._in_work.get((manner, sha256))

    async def flush(self) -> None:
        """Hand everything that was made to the store; what it does not take is given up."""
        async with self._turn:
            for manner in list(self._made):
                for part in _parts(self._made[manner]):
                    try:
                        await self._store.keep(manner, part)
                    except ThanosqlError as failure:
                        _log.warning("transcripts_not_kept", count=len(part), error=failure.message)
                    for sha256, told in part.items():
                        # One that was made anew meanwhile has its turn next.
                        if self._made[manner].get(sha256) is told:
                            del self._made[manner][sha256]
                if not self._made[manner]:
                    del self._made[manner]

    async def _found(
        self, manner: Manner, digests: Sequence[str], *, list_known: bool = False
    ) -> StoredTranscripts | None:
        try:
            return await self._store.find(manner, digests, list_known=list_known)
        except ThanosqlError as failure:
            _log.warning("transcripts_not_found", error=failure.message)
            return None

    async def _keep_for_ever(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._interval_s)
            await self.flush()

    def _tell_health(self, ended: "asyncio.Task[None]") -> None:
        if not ended.cancelled() and ended.exception() is not None:
            _log.error("keeping_died", error=repr(ended.exception()))
            self._report_death()


class StreamTranscripts:
    """What one stream keeps and finds.

    Args:
        kept: What all streams do.
        manner: How it hears.
        reuse: Whether it takes what is kept; what it computes is kept either way.
        newest: Number of the newest transcript when it began.
        seen: What streams in this manner have seen; held for as long as this one runs.
        may_be_kept: Tells whether it is worth looking for a recording.
    """

    def __init__(
        self,
        kept: KeptTranscripts,
        manner: Manner,
        *,
        reuse: bool,
        newest: int,
        seen: SeenRecordings,
        may_be_kept: Callable[[str], bool],
    ) -> None:
        self._kept = kept
        self._manner = manner
        self._reuse = reuse
        self._newest = newest
        self._seen = seen
        self._may_be_kept = may_be_kept

    async def find(self, sha256: str) -> KeptTranscript | None:
        """Return a transcript that may be taken."""
        if not self._reuse or not self._may_be_kept(sha256):
            return None
        return await self._kept.find(self._manner, sha256, self._newest)

    def in_work(self, sha256: str) -> asyncio.Event | None:
        """Return what to wait for where another row, of whatever stream, is at the same recording."""
        return self._kept.in_work(self._manner, sha256) if self._reuse else None

    def claimed(self, sha256: str) -> contextlib.AbstractContextManager[None]:
        """Look for a transcript, and make it, while nobody else does."""
        return self._kept.claimed(self._manner, sha256) if self._reuse else contextlib.nullcontext()

    def note(self, sha256: str, transcript: Transcript) -> None:
        """Keep a transcript."""
        self._kept.note(self._manner, sha256, transcript)


def _perhaps(_sha256: str) -> bool:
    return True


def _parts(made: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Cut what was made into parts that one message holds."""
    part: dict[str, bytes] = {}
    size_bytes = 0
    for sha256, told in list(made.items()):
        if part and (len(part) >= _MOST_AT_ONCE or size_bytes + len(told) > _BYTES_AT_ONCE):
            yield part
            part, size_bytes = {}, 0
        part[sha256] = told
        size_bytes += len(told)
    if part:
        yield part
