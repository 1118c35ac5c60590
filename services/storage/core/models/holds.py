"""Who uses which models: told by each process, and over when it falls silent.

A process tells all that it uses, again and again. A process that was killed tells nothing more, so what
it held is free after a while. That while is measured on one clock, the one of the store, which stamps
what is written to it: the clocks of the processes need not agree.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

_HOLDS = "catalog/holds/"
_CLOCK = "catalog/clock"
_ID = re.compile(r"[0-9a-f]{32}")
# What is told in this many times the length of a hold is removed: nobody comes back to it.
_FORGOTTEN = 10
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Hold:
    """One version of a model that a process uses.

    Attributes:
        model: Its name.
        version: Its version.
        holder: The process, as people find it.
        job_id: The job that trains from it; empty where a server has it loaded.
        since_s: Seconds since the epoch, by the clock of the process.
    """

    model: str
    version: int
    holder: str
    job_id: str = ""
    since_s: float = 0.0


class ModelHolds:
    """What is in use.

    Args:
        store: Where it is told, for every process that serves this catalog.
        lasts_s: How long a process may be silent.
    """

    def __init__(self, store: ObjectStore, lasts_s: float = 60.0) -> None:
        self._store = store
        self.lasts_s = lasts_s

    def tell(self, holder_id: str, holds: Sequence[Hold]) -> None:
        """Take what a process uses, in place of what it told before.

        Raises:
            ThanosqlError: INVALID_ARGUMENT for an id that is no UUID in hexadecimal.
        """
        if not _ID.fullmatch(holder_id):
            raise error(Reason.INVALID_ARGUMENT, f"{holder_id!r} is no id of a holder: 32 hexadecimal digits")
        key = f"{_HOLDS}{holder_id}.json"
        if holds:
            self._store.write(key, [json.dumps([asdict(hold) for hold in holds]).encode()])
        else:
            self._store.delete(key)

    def require_none(self, model: str, versions: Collection[int]) -> None:
        """Raise where one of the versions is in use.

        Raises:
            ThanosqlError: MODEL_IN_USE, with those who use it, since when, and what to do.
        """
        holds = [hold for hold in self._all() if hold.model == model and hold.version in versions]
        if holds:
            raise _in_use(model, sorted(holds, key=lambda hold: hold.since_s))

    def _all(self) -> Iterator[Hold]:
        now_s = self._store.write(_CLOCK, [b""]).modified_s
        for info in self._store.walk(_HOLDS):
            silent_s = now_s - info.modified_s
            if silent_s <= self.lasts_s:
                yield from self._read(info.key)
            elif silent_s > _FORGOTTEN * self.lasts_s:
                self._store.delete(info.key)

    def _read(self, key: str) -> Iterator[Hold]:
        try:
            told = json.loads(self._store.read(key))
        except ThanosqlError as problem:
            if problem.reason is not Reason.FILE_NOT_FOUND:
                raise
            return  # Given up meanwhile.
        for entry in told:
            yield Hold(**entry)


def _in_use(model: str, holds: Sequence[Hold]) -> ThanosqlError:
    users = [_user(hold) for hold in holds[:_NAMED]]
    if len(holds) > _NAMED:
        users.append(f"{len(holds) - _NAMED} more")
    jobs = [hold.job_id for hold in holds if hold.job_id]
    cancel = f"; CANCEL JOB '{jobs[0]}' ends the job" if jobs else ""
    message = (
        f"model {model!r} is in use, so nothing was deleted: {'; '.join(users)}{cancel}; "
        "add OPTIONS(force=True) to delete it all the same: what uses it now still ends"
    )
    return error(Reason.MODEL_IN_USE, message, model=model, holders="; ".join(users))


def _user(hold: Hold) -> str:
    since = datetime.fromtimestamp(hold.since_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if hold.job_id:
        return f"job '{hold.job_id}' trains from version {hold.version} since {since}"
    return f"the {hold.holder} has version {hold.version} loaded since {since}"
