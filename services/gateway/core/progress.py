"""Progress of a statement that goes through rows: how often it is told, and what is left."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.core.events import Progress
from services.gateway.core.run import Run

# Rows whose transcript is kept pass in no time: only the last seconds tell how fast the others go.
_RECENT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What a query has: rows, and seconds of audio where one of its columns says so; None while unknown."""

    rows: int | None = None
    audio_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """How far it was at a moment."""

    at_s: float
    rows: int
    audio_s: float


class RowProgress:
    """Tells how many rows are done, at most once an interval and once at the end."""

    def __init__(self, run: Run, stage: str, totals: Callable[[], Totals], *, of_audio: bool = True) -> None:
        self._of_audio = of_audio
        self._run = run
        self._stage = stage
        self._totals = totals
        self._told_s = run.clock()
        self._marks = deque([_Mark(at_s=self._told_s, rows=0, audio_s=0.0)])
        self.rows = 0
        self.audio_s = 0.0

    async def begin(self) -> None:
        """Tell that nothing is done yet."""
        await self._tell(self._totals())

    async def advance(self, rows: int, audio_s: float) -> None:
        """Count rows, and tell where the last telling is long enough ago."""
        self.rows += rows
        self.audio_s += audio_s
        if self._run.clock() - self._told_s >= self._run.limits.progress_interval_s:
            await self._tell(self._totals())

    async def end(self) -> None:
        """Tell the final count."""
        await self._tell(Totals(rows=self.rows, audio_s=self.audio_s))

    async def _tell(self, totals: Totals) -> None:
        self._told_s = self._run.clock()
        # The count of a query with random parts may be less than what really comes, and so may told lengths.
        rows = None if totals.rows is None else max(totals.rows, self.rows)
        audio_s = None if totals.audio_s is None else max(totals.audio_s, self.audio_s)
        await self._run.emit(
            Progress(
                stage=self._stage,
                done=self.rows,
                unit="rows",
                total=rows,
                seconds_left=self._seconds_left(rows, audio_s if self._of_audio else None),
                audio_s=round(self.audio_s, 3) if self._of_audio else None,
                audio_total_s=round(audio_s, 3) if self._of_audio and audio_s is not None else None,
            )
        )

    def _seconds_left(self, rows: int | None, audio_s: float | None) -> float | None:
        """As long as the rest takes at the pace of the last seconds: by its audio where that is known."""
        now = _Mark(at_s=self._told_s, rows=self.rows, audio_s=self.audio_s)
        while len(self._marks) > 1 and self._marks[1].at_s <= now.at_s - _RECENT_S:
            self._marks.popleft()
        then = self._marks[0]
        if now.at_s > self._marks[-1].at_s:
            self._marks.append(now)
        if rows is None or not self.rows:
            return None
        if rows == self.rows:
            return 0.0
        done, left = float(now.rows - then.rows), float(rows - now.rows)
        if audio_s is not None and now.audio_s > then.audio_s and audio_s > now.audio_s:
            done, left = now.audio_s - then.audio_s, audio_s - now.audio_s
        return round((now.at_s - then.at_s) / done * left, 1) if done else None
