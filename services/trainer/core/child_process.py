"""What a process of the trainer does beside its work: messages, signs of life, an end with its parent."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import structlog

from services.trainer.core.messages import Heartbeat, Message, MessageCodec

Tell = Callable[[Message], None]
"""Sends a message to the parent."""

_PARENT_GONE = 70
_SACRIFICE = Path("/proc/self/oom_score_adj")


def offer_itself() -> None:
    """Be the first that Linux ends when memory runs out; elsewhere, nothing."""
    with contextlib.suppress(OSError):
        _SACRIFICE.write_text("1000")


def claim_stdout() -> BinaryIO:
    """Keep the pipe to the parent for messages; what libraries print goes to standard error."""
    messages = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return messages


def teller(messages: BinaryIO) -> Tell:
    """Send messages through a pipe, from any thread."""
    codec, lock = MessageCodec(), threading.Lock()

    def tell(message: Message) -> None:
        with lock:
            messages.write(codec.encode(message))

    return tell


def end_with_parent() -> None:
    """End at once when the standard input does: its other end is the parent's."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os._exit(_PARENT_GONE)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def beat(tell: Tell, interval_s: float) -> None:
    """Tell that the process lives, now and then."""

    def keep_telling() -> None:
        while True:
            tell(Heartbeat())
            time.sleep(interval_s)

    threading.Thread(target=keep_telling, name="heartbeat", daemon=True).start()


def log_to_stderr() -> None:
    """Log as JSON lines to standard error, which the parent keeps."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
