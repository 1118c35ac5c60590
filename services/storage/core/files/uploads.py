"""Files on their way in: what has arrived is kept, so that an upload that broke goes on where it was."""

import contextlib
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from services.storage.core.files.arriving import Arriving, disk_free_bytes, no_room, not_taken_in
from thanosql_objects.ports import ObjectInfo, ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("storage")

_LONGEST_ID = 128
_PART, _DONE = ".part", ".done"
_COME_BACK_S = 5.0


@dataclass(frozen=True, kw_only=True)
class UploadStart:
    """What is uploaded where.

    Attributes:
        key: Where the file will be in the object store.
        upload_id: Chosen by the caller; empty where nothing is kept if it breaks.
        offset: Bytes that are not sent again; 0 starts over.
        size_bytes: Size of the whole, where the caller knows it.
    """

    key: str
    upload_id: str = ""
    offset: int = 0
    size_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class UploadState:
    """How far an upload is.

    Attributes:
        received_bytes: What has arrived and is kept.
        expires_s: Seconds since the epoch until which it is; None where nothing is.
        file: The file, where the upload is complete and nobody has changed it since.
    """

    received_bytes: int = 0
    expires_s: float | None = None
    file: ObjectInfo | None = None


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """How large a file may be, how long parts of one are kept, and how large all may be together."""

    max_bytes: int
    keep_s: float
    total_bytes: int


class Uploads:
    """The uploads of one server.

    Args:
        folder: Where what has arrived is kept: of this server alone, and durable.
        store: Where the files go once they are whole.
        limits: What is taken in, and for how long.
        clock: Seconds since the epoch.
        free_bytes: How much the disk of a folder still takes.
    """

    def __init__(
        self,
        folder: Path,
        store: ObjectStore,
        limits: UploadLimits,
        clock: Callable[[], float] = time.time,
        free_bytes: Callable[[Path], int] = disk_free_bytes,
    ) -> None:
        self._folder = folder
        self._free_bytes = free_bytes
        # Apart from what has arrived, which is looked through at each upload: there may be very many.
        self._records = folder / "done"
        self._store = store
        self._limits = limits
        self._clock = clock
        self._guard = threading.Lock()
        self._open: dict[str, Upload] = {}

    def state(self, key: str, upload_id: str) -> UploadState:
        """Tell how far an upload is.

        Raises:
            ThanosqlError: INVALID_ARGUMENT for an id that can be none.
        """
        name = _name(key, upload_id)
        file = self._completed(name)
        if file is not None:
            return UploadState(received_bytes=file.size_bytes, file=file)
        with contextlib.suppress(FileNotFoundError):
            status = (self._folder / (name + _PART)).stat()
            expires_s = status.st_mtime + self._limits.keep_s
            return UploadState(received_bytes=status.st_size, expires_s=expires_s)
        return UploadState()

    def open(self, start: UploadStart) -> "Upload":
        """Begin an upload, or go on with it; another call that is at it has lost its turn.

        Raises:
            ThanosqlError: INVALID_DATA for a file that is too large, INVALID_ARGUMENT for an offset that is
                not where the upload is, CONFLICT while the file is put in its place, OVERLOADED where others
                leave no room, STORE_UNAVAILABLE on a full disk.
        """
        if (start.size_bytes or 0) > self._limits.max_bytes:
            raise error(Reason.INVALID_DATA, self.too_large(start.key), path=start.key)
        name = _name(start.key, start.upload_id) if start.upload_id else uuid.uuid4().hex
        upload = None
        while upload is None:
            earlier = self._open.get(name)
            if earlier is not None:  # Waits, so not under the guard; one that does not leave stays known.
                earlier.arriving.leave_to_another()
            with self._guard:
                if self._open.get(name) is earlier:
                    self._require_room(name, start)
                    upload = self._open[name] = self._begun(name, start)
                    self._give_up_oldest()
        return upload

    def put_in_place(self, upload: "Upload", sha256: str) -> ObjectInfo:
        """Make the file visible, and remember that it is."""
        file = self._store.take(upload.start.key, upload.arriving.path, sha256)
        if upload.start.upload_id:
            try:
                (self._records / (upload.name + _DONE)).write_text(json.dumps(asdict(file)))
            except OSError as problem:  # The file is there; who asks for its upload again sends it again.
                _log.warning("upload_not_remembered", error=str(problem)[:200])
        return file

    def left(self, upload: "Upload") -> None:
        """Forget that somebody is at it."""
        with self._guard:
            if self._open.get(upload.name) is upload:
                del self._open[upload.name]
                self._give_up_oldest()

    def clean(self) -> int:
        """Remove what was kept for long enough, or is too much, and say how many uploads that were."""
        oldest_s = self._clock() - self._limits.keep_s
        with self._guard:
            removed = self._give_up_oldest()
        for path in (*_within(self._folder), *_within(self._records)):
            with self._guard, contextlib.suppress(FileNotFoundError):
                if path.stem not in self._open and path.stat().st_mtime < oldest_s:
                    path.unlink()
                    removed += path.suffix == _PART
        return removed

    def too_large(self, key: str) -> str:
        """Say that a file is too large, and what to do."""
        limit = f"{self._limits.max_bytes} bytes that are taken in (THANOSQL_STORAGE__MAX_UPLOAD_BYTES)"
        return f"{key!r} is larger than the {limit}; split it, or put it into the workspace itself"

    @property
    def max_bytes(self) -> int:
        """Size of the largest file."""
        return self._limits.max_bytes

    def _begun(self, name: str, start: UploadStart) -> "Upload":
        try:
            self._records.mkdir(parents=True, exist_ok=True)
            self._require_disk(name, start)
            if not start.offset:
                (self._records / (name + _DONE)).unlink(missing_ok=True)
            arriving = Arriving(self._folder / (name + _PART), start.key, start.offset)
        except OSError as problem:
            raise not_taken_in(start.key, problem) from problem
        return Upload(self, name, start, arriving)

    def _require_room(self, name: str, start: UploadStart) -> None:
        others_bytes = sum(upload.claimed_bytes for other, upload in self._open.items() if other != name)
        if others_bytes + max(start.size_bytes or 0, start.offset) > self._room_bytes:
            message = f"{start.key!r} must wait: the uploads at work take all of the {self._room_bytes} bytes"
            raise ThanosqlError(
                reason=Reason.OVERLOADED,
                message=f"{message} for them (THANOSQL_STORAGE__KEEP_UPLOADS_BYTES)",
                retry_delay_s=_COME_BACK_S,
            )

    def _require_disk(self, name: str, start: UploadStart) -> None:
        """Refuse at once what cannot fit; what begins again takes the place of what came of it."""
        coming_bytes = (start.size_bytes or 0) - start.offset
        free_bytes = self._free_bytes(self._folder) if coming_bytes > 0 else 0
        if not start.offset:
            with contextlib.suppress(FileNotFoundError):
                free_bytes += (self._folder / (name + _PART)).stat().st_size
        if coming_bytes > free_bytes:
            raise no_room(start.key, coming_bytes, free_bytes)

    def _give_up_oldest(self) -> int:
        """Remove what nobody is at, the oldest first, until all has room, and say how many that were."""
        idle: list[tuple[float, int, Path]] = []
        for path in _within(self._folder):
            if path.suffix == _PART and path.stem not in self._open:
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    idle.append((status.st_mtime, status.st_size, path))
        excess_bytes, removed = sum(size_bytes for _, size_bytes, _ in idle) - self._room_bytes, 0
        excess_bytes += sum(upload.claimed_bytes for upload in self._open.values())
        for _, size_bytes, path in sorted(idle):
            if excess_bytes <= 0:
                break
            path.unlink(missing_ok=True)
            excess_bytes -= size_bytes
            removed += 1
        return removed

    @property
    def _room_bytes(self) -> int:
        return max(self._limits.total_bytes, self._limits.max_bytes)  # One file always has room.

    def _completed(self, name: str) -> ObjectInfo | None:
        """Return the file that the upload made, unless it was changed or removed."""
        try:
            file = ObjectInfo(**json.loads((self._records / (name + _DONE)).read_text()))
        except (FileNotFoundError, ValueError, TypeError):  # none, or a killed server has half written it
            return None
        if not self._store.exists(file.key):
            return None
        found = self._store.stat(file.key)
        same = (found.size_bytes, found.modified_s) == (file.size_bytes, file.modified_s)
        return file if same else None


class Upload:
    """One call that sends a file, or the rest of one."""

    def __init__(self, uploads: Uploads, name: str, start: UploadStart, arriving: Arriving) -> None:
        self.name = name
        self.start = start
        self.arriving = arriving
        self._uploads = uploads

    @property
    def claimed_bytes(self) -> int:
        """What it takes of the room for uploads: all that was announced, or else what has arrived."""
        return max(self.start.size_bytes or 0, self.arriving.size_bytes)

    def write(self, block: bytes | bytearray) -> None:
        """Add bytes.

        Raises:
            ThanosqlError: INVALID_DATA beyond the largest size, INVALID_ARGUMENT beyond the one announced,
                CONFLICT where another call has gone on with this upload, STORE_UNAVAILABLE on a full disk.
        """
        size_bytes = self.arriving.size_bytes + len(block)
        if size_bytes > self._uploads.max_bytes:
            self.arriving.discard()
            raise error(Reason.INVALID_DATA, self._uploads.too_large(self.start.key), path=self.start.key)
        if self.start.size_bytes is not None and size_bytes > self.start.size_bytes:
            self.arriving.discard()
            raise self._other_size("more")
        self.arriving.write(block)

    def commit(self, sha256: str) -> ObjectInfo:
        """Make the file visible, if what has arrived is what was sent.

        Raises:
            ThanosqlError: FILE_DAMAGED, and nothing is kept; INVALID_ARGUMENT where bytes are missing,
                or where an upload with an id has no digest: it may have gone on with another file.
        """
        with self.arriving.turn():
            if self.start.upload_id and not sha256:
                message = f"{self.start.key!r} is uploaded with an upload_id, so its commit needs the SHA-256"
                raise error(Reason.INVALID_ARGUMENT, f"{message} of the whole file; commit it with that")
            if self.start.size_bytes is not None and self.arriving.size_bytes < self.start.size_bytes:
                raise self._other_size("fewer")
            arrived = self.arriving.sha256()
            if sha256 and sha256.lower() != arrived:
                self.arriving.discard()
                message = f"{self.start.key!r} arrived with the digest {arrived}, not {sha256}; send it again"
                raise error(Reason.FILE_DAMAGED, message, path=self.start.key)
            file = self._uploads.put_in_place(self, arrived)
            self.arriving.discard()
            return file

    def close(self) -> None:
        """End the call; what has arrived is kept where the upload can go on."""
        self.arriving.close(keep=bool(self.start.upload_id))
        self._uploads.left(self)

    def _other_size(self, which: str) -> ThanosqlError:
        message = f"{which} bytes came than the {self.start.size_bytes} announced for {self.start.key!r}"
        return error(Reason.INVALID_ARGUMENT, f"{message}; was the file changed meanwhile? send it again")


def _within(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.suffix in (_PART, _DONE))


def _name(key: str, upload_id: str) -> str:
    """Return the name of the files that belong to an upload: an id means nothing for another path."""
    if not 0 < len(upload_id) <= _LONGEST_ID:
        message = f"an upload_id has 1 to {_LONGEST_ID} characters, not {len(upload_id)}"
        raise error(Reason.INVALID_ARGUMENT, message)
    return hashlib.sha256(json.dumps([key, upload_id]).encode()).hexdigest()
