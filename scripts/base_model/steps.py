"""Which steps of the recipe a work folder has behind it: a call after an interruption repeats none."""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from thanosql_runtime.whole_files import write_whole

Facts = dict[str, str | int | float]


class Steps:
    """A record in the work folder: each finished step with what its result depends on.

    Args:
        folder: The work folder; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._record = folder / "steps.json"

    def once(self, name: str, facts: Facts, work: Callable[[], None]) -> None:
        """Do a step unless it was finished with the same facts; those after it are to be done anew then."""
        done = self._done()
        if done.get(name) == facts:
            print(f"{name}: done already", flush=True)
            return
        kept = list(done)[: list(done).index(name)] if name in done else list(done)
        self._write({one: done[one] for one in kept})
        print(f"{name}: begins", flush=True)
        work()
        self._write({**{one: done[one] for one in kept}, name: facts})
        print(f"{name}: done", flush=True)

    def _done(self) -> dict[str, Facts]:
        if not self._record.exists():
            return {}
        done: dict[str, Facts] = json.loads(self._record.read_text(encoding="utf-8"))
        return done

    def _write(self, done: dict[str, Facts]) -> None:
        write_whole(self._record, (json.dumps(done, indent=2) + "\n").encode())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second call out of the same work folder until the end; a call that is killed lets go.

    Raises:
        RuntimeError: Another call is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise RuntimeError(
                f"another call is at work in {folder}: wait for its end, or name another --work"
            ) from busy
        yield
