"""Recordings of the rows: decoded, normalised as the model wants them, kept in memory up to a limit."""

import threading

from thanosql_audio.decoding import decode
from thanosql_ctc.waveform import Samples, normalise_waveform, with_margins
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError, error


class AudioReader:
    """Reads by path; safe to use from several threads.

    Args:
        workspace: Where the paths lead.
        sample_rate_hz: The model's.
        do_normalize: Whether the model wants zero mean and unit variance.
        max_clip_s: Longest recording taken.
        cache_bytes: Decoded audio kept; what comes after is read again each time.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        sample_rate_hz: int,
        do_normalize: bool,
        max_clip_s: float,
        cache_bytes: int,
    ) -> None:
        self._workspace = workspace
        self._sample_rate_hz = sample_rate_hz
        self._do_normalize = do_normalize
        self._max_clip_s = max_clip_s
        self._free_bytes = cache_bytes
        self._cache: dict[str, Samples] = {}
        self._lock = threading.Lock()

    def read(self, path: str) -> Samples:
        """Read one recording.

        Raises:
            ThanosqlError: AUDIO_NOT_FOUND, AUDIO_UNREADABLE, AUDIO_EMPTY, AUDIO_TOO_LONG,
                PATH_OUTSIDE_WORKSPACE; or what the object store says of itself.
        """
        cached = self._cache.get(path)
        if cached is not None:
            return cached
        samples = self._decode(path)
        with self._lock:
            if path not in self._cache and samples.nbytes <= self._free_bytes:
                self._cache[path] = samples
                self._free_bytes -= samples.nbytes
        return samples

    def _decode(self, path: str) -> Samples:
        try:
            with self._workspace.open(path) as source:
                audio = decode(source, sample_rate_hz=self._sample_rate_hz, max_duration_s=self._max_clip_s)
        except ThanosqlError as failure:
            if failure.reason is Reason.FILE_NOT_FOUND:
                raise error(Reason.AUDIO_NOT_FOUND, failure.message, **dict(failure.metadata)) from failure
            raise
        except OSError as failure:
            raise error(Reason.AUDIO_UNREADABLE, f"the recording cannot be read: {failure}") from failure
        if len(audio.samples) == 0:
            raise error(Reason.AUDIO_EMPTY, "the recording holds no audio")
        samples = with_margins(audio.samples, self._sample_rate_hz)
        return normalise_waveform(samples) if self._do_normalize else samples
