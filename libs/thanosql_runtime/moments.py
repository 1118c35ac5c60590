"""Seconds as the wire tells them: moments since the epoch, and lengths of time."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(seconds: float) -> Timestamp:
    """A moment, from seconds since the epoch."""
    message = Timestamp()
    message.FromMicroseconds(round(seconds * 1e6))
    return message


def duration(seconds: float) -> Duration:
    """A length of time."""
    message = Duration()
    message.FromMicroseconds(round(seconds * 1e6))
    return message


def seconds_of(message: Timestamp | Duration) -> float:
    """Seconds since the epoch, or those of a length of time."""
    return message.ToMicroseconds() / 1e6
