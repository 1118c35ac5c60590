"""Language models of the workspace: read once, kept on the disk by content, the oldest given up."""

import asyncio
import hashlib
import json
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

import structlog

from services.predictor.core.decoding.beam.compiled import is_intact
from services.predictor.core.decoding.beam.orders import CompileOrder
from services.predictor.core.decoding.beam.ports import CompileModel, WorkspaceFiles
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError, error

# Another number whenever the arrays change.
_FORMAT = 1
_MOST_REVISIONS = 1024
# Longer than any reading takes.
_LEFTOVER_S = 86_400.0
_T = TypeVar("_T")
_Stamps = frozenset[tuple[str, int, int]]

_log = structlog.get_logger("language_models")


@dataclass(frozen=True, kw_only=True)
class LanguageModelLimits:
    """What is taken.

    Attributes:
        max_bytes: Largest file, decompressed.
        max_ngrams: Most n-grams of a model.
        cache_bytes: Arrays that are kept on the disk.
    """

    max_bytes: int
    max_ngrams: int
    cache_bytes: int


class LanguageModels:
    """Folders with the arrays of language models.

    Args:
        folder: Where they are; made on first use.
        files: The workspace.
        compile_model: Reads a file into an empty folder.
        limits: What is taken.
    """

    def __init__(
        self, folder: Path, files: WorkspaceFiles, compile_model: CompileModel, limits: LanguageModelLimits
    ) -> None:
        self._folder = folder
        self._files = files
        self._compile_model = compile_model
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, "language-models")
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._digests: dict[tuple[str, str, int], str] = {}
        self._used: Counter[str] = Counter()
        self._verified: dict[str, _Stamps] = {}

    @asynccontextmanager
    async def opened(self, path: str, vocabulary: Vocabulary) -> AsyncIterator[Path]:
        """Give the folder with the arrays of a file, spelled in a vocabulary; it stays until it is left.

        Raises:
            ThanosqlError: FILE_NOT_FOUND; INVALID_DATA or UNSUPPORTED_FORMAT, with the line and what is wrong
                there; TEXT_OUTSIDE_VOCABULARY where the labels spell none of its words.
        """
        # A lock for each file: while a large one is read, others are used.
        lock = self._locks.setdefault(path, asyncio.Lock())
        try:
            async with lock, AsyncExitStack() as held:
                name = await self._ready(path, vocabulary, held)
                kept = held.pop_all()
        except ThanosqlError as failure:
            raise _about(path, failure) from failure
        async with kept:
            await self._in_thread(self._give_up_oldest, frozenset(self._used))
            yield self._folder / name

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _ready(self, path: str, vocabulary: Vocabulary, held: AsyncExitStack) -> str:
        """The name of the folder, which counts as used until what is held is let go."""
        digest = await self._in_thread(self._known_digest, path)
        name = _name(digest, vocabulary) if digest else ""
        if name:
            held.enter_context(self._in_use(name))
            if await self._in_thread(self._is_there, name):
                return name
        with ExitStack() as copied:
            copy = await self._in_thread(copied.enter_context, self._files.local_copy(path))
            digest = await self._in_thread(_digest, copy)
            name = _name(digest, vocabulary)
            held.enter_context(self._in_use(name))
            if not await self._in_thread(self._is_there, name):
                await self._read(copy, name, digest, vocabulary)
        return name

    async def _read(self, copy: Path, name: str, digest: str, vocabulary: Vocabulary) -> None:
        """Read a file into arrays, and see that it stayed the same meanwhile."""
        fresh = self._folder / f".{name}.{uuid.uuid4().hex}"
        try:
            fresh.mkdir(parents=True)
            order = CompileOrder(
                path=str(copy),
                folder=str(fresh),
                vocabulary=vocabulary,
                max_ngrams=self._limits.max_ngrams,
                max_bytes=self._limits.max_bytes,
            )
            await self._compile_model(order)
            if await self._in_thread(_digest, copy) != digest:
                raise error(Reason.CONFLICT, "it changed while it was read; run the statement again")
            if not (self._folder / name).exists():  # else the same content came by another path
                fresh.rename(self._folder / name)
        finally:
            await self._in_thread(shutil.rmtree, fresh, True)

    @contextmanager
    def _in_use(self, name: str) -> Iterator[None]:
        self._used[name] += 1
        try:
            yield
        finally:
            self._used[name] -= 1
            if not self._used[name]:
                del self._used[name]

    def _known_digest(self, path: str) -> str:
        """The digest of a file that was read before and has not changed; empty where it must be read."""
        info = self._files.stat(path)
        if info.size_bytes > self._limits.max_bytes:
            raise error(
                Reason.INVALID_DATA,
                f"it has {info.size_bytes:,} bytes, {self._limits.max_bytes:,} are taken at most "
                "(THANOSQL_PREDICTOR__MAX_LANGUAGE_MODEL_BYTES); prune it, for example with lmplz --prune",
            )
        if not info.revision:
            return ""
        key = (path, info.revision, info.size_bytes)
        if key not in self._digests:
            with self._files.local_copy(path) as copy:
                digest = _digest(copy)
            if len(self._digests) >= _MOST_REVISIONS:
                self._digests.clear()
            self._digests[key] = digest
        return self._digests[key]

    def _is_there(self, name: str) -> bool:
        """Whether a folder is there and whole; one that is damaged goes."""
        folder = self._folder / name
        if not folder.is_dir():
            return False
        if self._verified.get(name) != (stamps := _stamps(folder)) and not is_intact(folder):
            self._verified.pop(name, None)
            _log.warning("language model in the cache is damaged, reading it again", folder=name)
            shutil.rmtree(folder)
            return False
        self._verified[name] = stamps
        os.utime(folder)
        return True

    def _give_up_oldest(self, used: Set[str]) -> None:
        self._remove_leftovers()
        known = [_usage(path) for path in self._folder.glob("[!.]*")]
        total_bytes = 0
        for _used_s, size_bytes, path in sorted(filter(None, known), reverse=True):
            total_bytes += size_bytes
            if total_bytes > self._limits.cache_bytes and path.name not in used:
                shutil.rmtree(path, ignore_errors=True)
                self._verified.pop(path.name, None)

    def _remove_leftovers(self) -> None:
        """Remove what killed processes had begun to read."""
        for path in self._folder.glob(".*"):
            usage = _usage(path)
            if usage is not None and usage[0] < time.time() - _LEFTOVER_S:
                shutil.rmtree(path, ignore_errors=True)

    async def _in_thread(self, step: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(step, *arguments))


def _name(digest: str, vocabulary: Vocabulary) -> str:
    facts = asdict(vocabulary) | {"special_ids": sorted(vocabulary.special_ids), "format": _FORMAT}
    spelled = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"{digest[:40]}-{spelled[:20]}"


def _stamps(folder: Path) -> _Stamps:
    """The files that are there, with their sizes and times; others than were verified are verified again."""
    stats = ((file.name, file.stat()) for file in folder.iterdir())
    return frozenset((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _usage(path: Path) -> tuple[float, int, Path] | None:
    """When a folder was last used, and its size; None where another process removes it at this moment."""
    try:
        return path.stat().st_mtime, sum(file.stat().st_size for file in path.iterdir()), path
    except (FileNotFoundError, NotADirectoryError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _about(path: str, failure: ThanosqlError) -> ThanosqlError:
    if failure.reason is Reason.FILE_NOT_FOUND:
        text = f"there is no language model at '{path}' in the workspace"
    else:
        text = f"the language model '{path}' cannot be used: {failure.message}"
    metadata = {**failure.metadata, "option": "language_model", "value": path}
    return ThanosqlError(
        reason=failure.reason, message=text, metadata=metadata, retry_delay_s=failure.retry_delay_s
    )
