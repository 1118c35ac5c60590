"""Compares what is stored with what is known, and removes what has belonged to nothing for long.

A leftover cannot be told from what somebody is just writing by looking at it once. It goes when it was
found at each round for a time, and nothing in it has changed meanwhile: no clock but our own is asked, and
files that lost their record by mistake are told of for as long before they go.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice

import structlog

from services.storage.core.reconciling.ledger import Ledger, Sighting
from services.storage.core.reconciling.leftovers import Leftover, LeftoverKind, Source
from services.storage.core.reconciling.sweeps import Sweep
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("storage")
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Leftovers of one kind.

    Attributes:
        found: How many there are, removed ones not counted.
        found_bytes: Their length.
        removed: How many were removed since the start of the service.
        removed_bytes: Their length.
    """

    found: int = 0
    found_bytes: int = 0
    removed: int = 0
    removed_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What the last round has found; before the first one, `time_s` is 0."""

    time_s: float = 0.0
    tallies: Mapping[LeftoverKind, Tally] = field(default_factory=dict)

    def facts(self) -> dict[str, int]:
        """Sum over all kinds, by what is summed."""
        tallies = [asdict(tally) for tally in self.tallies.values()]
        return {name: sum(tally[name] for tally in tallies) for name in asdict(Tally())}

    def lines(self, keep_h: float) -> list[str]:
        """Say to the operator what was found and what was removed, kind by kind."""
        told = []
        for kind, tally in self.tallies.items():
            if tally.removed:
                told.append(f"leftovers: {kind.words}: {tally.removed} removed, {tally.removed_bytes} bytes")
            if tally.found:
                told.append(
                    f"leftovers: {kind.words}: {tally.found} found, {tally.found_bytes} bytes; removed when"
                    f" they have not changed for {keep_h:g} hours"
                )
        return told


class Reconciliation:
    """Rounds over everything that is stored; one at a time.

    Args:
        sources: Where leftovers are looked for.
        sweeps: Those that are removed at once.
        ledger: Since when they are known.
        keep_s: How long one stays as it is before it is removed.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        sweeps: Sequence[Sweep],
        ledger: Ledger,
        keep_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sources = sources
        self._sweeps = sweeps
        self._ledger = ledger
        self._keep_s = keep_s
        self._clock = clock
        self._stopped = threading.Event()
        self.latest = Reconciled()

    def run(self) -> Reconciled:
        """Go round once; what one source cannot say is logged, and asked again in the next round.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE when what is known of earlier rounds cannot be read or noted.
        """
        known, now_s = self._ledger.read(), self._clock()
        tallies = {
            kind: replace(tally, found=0, found_bytes=0) for kind, tally in self.latest.tallies.items()
        }
        round_ = _Round(known=known, now_s=now_s, keep_s=self._keep_s, tallies=tallies)
        for source in self._sources:
            self._guarded(source.kind, partial(self._look, source, round_))
        for sweep in self._sweeps:
            self._guarded(sweep.kind, partial(self._sweep, sweep, round_))
        if round_.seen != known:
            self._ledger.write(round_.seen)
        self.latest = Reconciled(time_s=now_s, tallies=round_.tallies)
        return self.latest

    def stop(self) -> None:
        """End a round that is running after the leftover that it is at."""
        self._stopped.set()

    def _guarded(self, kind: LeftoverKind, look: Callable[[], None]) -> None:
        try:
            look()
        # The store is away, or a record is damaged: nothing of this kind is removed until it is mended.
        except (ThanosqlError, OSError) as problem:
            _log.warning("not_reconciled", kind=kind.value, error=str(problem)[:200])

    def _look(self, source: Source, round_: "_Round") -> None:
        try:
            found = iter(()) if self._stopped.is_set() else source.find()
            for leftover in islice(found, _MOST):
                round_.judge(source.kind, leftover)
                if self._stopped.is_set():
                    break
        except BaseException:
            round_.keep_known(source.kind)
            raise
        if self._stopped.is_set():
            round_.keep_known(source.kind)

    def _sweep(self, sweep: Sweep, round_: "_Round") -> None:
        if self._stopped.is_set():
            return
        for place, size_bytes in sweep.run():
            round_.count_removed(sweep.kind, place, size_bytes)
            if self._stopped.is_set():
                return


@dataclass(kw_only=True)
class _Round:
    """What one round knows and finds."""

    known: Mapping[str, Sighting]
    now_s: float
    keep_s: float
    tallies: dict[LeftoverKind, Tally]
    seen: dict[str, Sighting] = field(default_factory=dict)

    def judge(self, kind: LeftoverKind, leftover: Leftover) -> None:
        """Remove a leftover that has not changed for long; note any other."""
        name = _name(kind, leftover.place)
        before = self.known.get(name)
        facts = {"kind": kind.value, "objects": leftover.objects, "size_bytes": leftover.size_bytes}
        if before is None or before.state != leftover.state:
            _log.info("leftover_found", place=leftover.place, **facts)
            before = Sighting(state=leftover.state, since_s=self.now_s)
        elif self.now_s - before.since_s >= self.keep_s:
            if leftover.remove():
                self.count_removed(kind, leftover.place, leftover.size_bytes)
            return
        self.seen[name] = before
        tally = self._tally(kind)
        self.tallies[kind] = replace(
            tally, found=tally.found + 1, found_bytes=tally.found_bytes + leftover.size_bytes
        )

    def count_removed(self, kind: LeftoverKind, place: str, size_bytes: int) -> None:
        """Count and log what was removed."""
        _log.info("leftover_removed", kind=kind.value, place=place, size_bytes=size_bytes)
        tally = self._tally(kind)
        self.tallies[kind] = replace(
            tally, removed=tally.removed + 1, removed_bytes=tally.removed_bytes + size_bytes
        )

    def keep_known(self, kind: LeftoverKind) -> None:
        """Keep what earlier rounds noted of a kind that was not looked through."""
        unseen = {name: sighting for name, sighting in self.known.items() if name.startswith(_name(kind, ""))}
        self.seen = unseen | self.seen

    def _tally(self, kind: LeftoverKind) -> Tally:
        return self.tallies.get(kind, Tally())


def _name(kind: LeftoverKind, place: str) -> str:
    return f"{kind.value}:{place}"
