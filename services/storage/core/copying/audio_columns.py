"""What a table says of recordings: the columns, and their values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from services.storage.core.copying.probing import Look
from services.storage.core.types import Recording

AUDIO_PATH = "audio_path"
_FACTS = pa.schema(
    {"duration": pa.float64(), "sample_rate": pa.int64(), "channels": pa.int64(), "file_size": pa.int64()}
)
_KEPT = pa.schema({"source_path": pa.string(), "audio_sha256": pa.string()})
# Some writers of streams leave the length out; libsndfile then answers the largest number.
_LONGEST_S = 1e9


@dataclass(frozen=True, kw_only=True)
class AudioReading:
    """How a copy reads recordings.

    Attributes:
        look: Looks at one, or takes it into keeping.
        keeps: Whether the table names where they are kept; the path where they were found stands beside it.
        stop: Ends the looks that are under way.
    """

    look: Look
    keeps: bool = False
    stop: Callable[[], None] = lambda: None

    def schema(self, own: pa.Schema) -> pa.Schema:
        """Return the columns of a table that has these of its own; none is there twice."""
        if not self.keeps:
            return own
        names = {name.lower() for name in own.names}
        return pa.schema([*own, *(field for field in (*_FACTS, *_KEPT) if field.name.lower() not in names)])

    def values(self, recording: Recording) -> Mapping[str, object]:
        """Return the values of all columns that say something of a recording."""
        duration_s = recording.duration_s
        return {
            AUDIO_PATH: recording.key or recording.path,
            "duration": duration_s if duration_s < _LONGEST_S else None,
            "sample_rate": recording.sample_rate_hz,
            "channels": recording.channels,
            "file_size": recording.size_bytes,
            "source_path": recording.path,
            "audio_sha256": recording.sha256 or None,
        }
