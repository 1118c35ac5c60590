"""The token that users show: made once, told once, kept only as a hash.

The token has 256 random bits, so nobody finds it by trying, and a fast hash keeps it as well as a slow
one would; slow hashes protect words that people choose.
"""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("gateway")
TOKEN_PREFIX = "thanosql_"  # noqa: S105 - the public start of every token
_SCHEME = "bearer "
_RANDOM_BYTES = 32
_LOOK_AGAIN_S = 1.0

_Written = tuple[int, int, int]


class TokenKeeper:
    """Makes, keeps and compares the token of one server; safe in several threads.

    Args:
        path: Where the hash is kept; a file that takes its place is noticed within a second.
        announce: Tells a new token to the person who started the server.
        clock: Seconds that only grow.
    """

    def __init__(
        self, path: Path, announce: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._announce = announce
        self._clock = clock
        self._digest = ""
        self._written: _Written | None = None
        self._look_again_s = 0.0
        # Whoever holds it may change the digest, or what it came from.
        self._changing = threading.Lock()

    def start(self) -> None:
        """Read the hash, or make the first token and tell it.

        Raises:
            ThanosqlError: INVALID_DATA where the file is not readable as ours.
        """
        with self._changing:
            self._written = _written(self._path)
            if self._written is not None:
                self._digest = _read_digest(self._path)
                return
        token, _created = self.rotate()
        self._announce(f"token: {token}")
        self._announce("shown this once; `thanosql token set` keeps it for you")

    def rotate(self) -> tuple[str, datetime]:
        """Make a new token; the one before ends once the new hash is on disk."""
        token = f"{TOKEN_PREFIX}{secrets.token_urlsafe(_RANDOM_BYTES)}"
        created = datetime.now(UTC)
        digest = _digest_of(token)
        # Two at once must leave the same hash on disk and in memory.
        with self._changing:
            _write_private(self._path, json.dumps({"sha256": digest, "create_time": created.isoformat()}))
            self._digest = digest
            self._written = _written(self._path)
        return token, created

    def authorise(self, metadata: Mapping[str, str]) -> None:
        """Let a call through whose `authorization` is `Bearer <the token>`.

        Raises:
            ThanosqlError: INVALID_TOKEN, saying what to do; PEER_UNAVAILABLE before the start.
        """
        header = metadata.get("authorization", "")
        if not header:
            raise error(
                Reason.INVALID_TOKEN,
                "the call has no token; set API_TOKEN or THANOSQL_API_TOKEN to the token that the server "
                "printed at its first start",
            )
        if not self._digest:
            # The port is open before the services behind it have started.
            raise error(Reason.PEER_UNAVAILABLE, "the server is still starting; try again in a moment")
        self._notice_change()
        token = header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else ""
        if not hmac.compare_digest(_digest_of(token), self._digest):
            raise error(
                Reason.INVALID_TOKEN,
                "the token is not the one of this server; use the token that it printed at its "
                "first start. A lost token is replaced by stopping the server, deleting gateway/token.json "
                "in its home directory, and starting it again",
            )

    def _notice_change(self) -> None:
        """Take up the hash of a file that took the place of ours; one that cannot be read changes nothing."""
        now_s = self._clock()
        if now_s < self._look_again_s or not self._changing.acquire(blocking=False):
            return
        try:
            self._look_again_s = now_s + _LOOK_AGAIN_S
            written = _written(self._path)
            if written is None or written == self._written:
                return
            # Known before it is read: what takes its place meanwhile is another one, and read next time.
            self._written = written
            self._digest = _read_digest(self._path)
            _log.info("token_changed")
        except (ThanosqlError, OSError) as problem:
            _log.warning("token_not_read", error=str(problem)[:200])
        finally:
            self._changing.release()


def _digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _written(path: Path) -> _Written | None:
    """Tell one file from what takes its place; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read_digest(path: Path) -> str:
    try:
        digest = str(json.loads(path.read_text("utf-8"))["sha256"])
        if len(bytes.fromhex(digest)) != hashlib.sha256().digest_size:
            raise ValueError("not a SHA-256")
    except (ValueError, KeyError, TypeError) as failure:
        raise error(
            Reason.INVALID_DATA,
            f"{path} does not hold the hash of a token ({failure}); "
            "delete it to get a new token at the next start",
        ) from failure
    return digest


def _write_private(path: Path, text: str) -> None:
    """Replace the file as a whole; only its owner may ever read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".token-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
