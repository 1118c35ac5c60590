"""A store of transcripts in memory, that tests can switch off and look into."""

from collections.abc import Mapping, Sequence

from services.predictor.core.kept_transcripts import Manner, StoredTranscripts
from services.predictor.core.types import Transcript
from thanosql_runtime.errors import Reason, error


class FakeTranscripts:
    """Satisfies `TranscriptStore`."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[bytes, int]] = {}
        self.newest = 0
        self.times_kept = 0
        self.keeps = True
        self.is_away = False
        self.tells_known = True
        self.asked: list[str] = []

    async def find(
        self, manner: Manner, digests: Sequence[str], *, list_known: bool = False
    ) -> StoredTranscripts:
        self._check()
        self.asked += digests
        told = {
            digest: self.kept[manner.digest, digest]
            for digest in digests
            if (manner.digest, digest) in self.kept
        }
        prefixes = [bytes.fromhex(digest[:16]) for kind, digest in self.kept if kind == manner.digest]
        known = b"".join(prefixes) if list_known and self.tells_known else None
        return StoredTranscripts(keeps=self.keeps, newest=self.newest, told=told, known=known)

    async def keep(self, manner: Manner, told: Mapping[str, bytes]) -> None:
        self._check()
        for digest, content in told.items():
            self.times_kept += 1
            _, number = self.kept.get((manner.digest, digest), (b"", self.newest + 1))
            self.newest = max(self.newest, number)
            self.kept[manner.digest, digest] = (content, number)

    def _check(self) -> None:
        if self.is_away:
            raise error(Reason.PEER_UNAVAILABLE, "storage is away")


def told(transcript: Transcript) -> bytes:
    """A transcript as tests compare it."""
    return transcript.text.encode()
