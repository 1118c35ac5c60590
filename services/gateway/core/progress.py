"""Progress of a statement that goes through rows: how often it is told, and what is left."""

from collections.abc import Callable

from services.gateway.core.events import Progress
from services.gateway.core.run import Run


class RowProgress:
    """Tells how many rows are done, at most once an interval and once at the end."""

    def __init__(
        self, run: Run, stage: str, total: Callable[[], int | None], *, of_audio: bool = True
    ) -> None:
        self._of_audio = of_audio
        self._run = run
        self._stage = stage
        self._total = total
        self._begun_s = run.clock()
        self._told_s = self._begun_s
        self.rows = 0
        self.audio_s = 0.0

    async def begin(self) -> None:
        """Tell that nothing is done yet."""
        await self._tell()

    async def advance(self, rows: int, audio_s: float) -> None:
        """Count rows, and tell where the last telling is long enough ago."""
        self.rows += rows
        self.audio_s += audio_s
        if self._run.clock() - self._told_s >= self._run.limits.progress_interval_s:
            await self._tell()

    async def end(self) -> None:
        """Tell the final count."""
        self._total = lambda: self.rows
        await self._tell()

    async def _tell(self) -> None:
        self._told_s = self._run.clock()
        total = self._total()
        # A count of a query with random parts may be smaller than what really came.
        known = None if total is None else max(total, self.rows)
        await self._run.emit(
            Progress(
                stage=self._stage,
                done=self.rows,
                unit="rows",
                total=known,
                seconds_left=self._seconds_left(known),
                audio_s=round(self.audio_s, 3) if self._of_audio else None,
            )
        )

    def _seconds_left(self, total: int | None) -> float | None:
        if total is None or self.rows == 0:
            return None
        return round((self._told_s - self._begun_s) / self.rows * (total - self.rows), 1)
