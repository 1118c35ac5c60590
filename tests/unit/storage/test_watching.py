"""One thread looks at all blocks that run, and at none that has ended."""

import threading
import weakref

import pytest

from services.storage.core import watching
from services.storage.core.watching import Watcher


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "storage-watch"]


class Eye:
    """Sees how often it looks, and whether it is late."""

    def __init__(self, wanted: int = 3) -> None:
        self.looks: list[bool] = []
        self.enough = threading.Event()
        self._wanted = wanted

    def __call__(self, *, late: bool) -> None:
        self.looks.append(late)
        if len(self.looks) >= self._wanted:
            self.enough.set()


def test_a_block_is_looked_at_again_and_again_until_it_ends() -> None:
    watcher, eye = Watcher(), Eye()
    with watcher.watch(100.0, eye):
        assert eye.enough.wait(10)
    seen = len(eye.looks)
    other = Eye()
    with watcher.watch(100.0, other):
        assert other.enough.wait(10)
    assert len(eye.looks) == seen
    assert set(eye.looks) == {False}


def test_a_block_hears_that_it_is_late_and_knows_how_long_it_took() -> None:
    eye = Eye(1)
    watch = Watcher().watch(0.0, eye)
    with watch:
        assert eye.enough.wait(10)
    assert eye.looks[0] is True
    assert watch.elapsed_s > 0


def test_nothing_of_a_block_is_kept_when_it_has_ended() -> None:
    eye = Eye()
    kept = weakref.ref(eye)
    watcher = Watcher()
    with watcher.watch(100.0, eye):
        assert eye.enough.wait(10)
    del eye
    assert kept() is None


def test_all_blocks_share_a_thread_that_ends_when_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_IDLE_LOOKS", 2)
    before = set(watchers())
    watcher, first, second = Watcher(), Eye(), Eye()
    with watcher.watch(100.0, first), watcher.watch(100.0, second):
        assert first.enough.wait(10)
        assert second.enough.wait(10)
        (thread,) = set(watchers()) - before
    thread.join(10)
    assert not thread.is_alive()
    again = Eye()
    with watcher.watch(100.0, again):
        assert again.enough.wait(10)


def test_a_look_that_fails_leaves_the_others_watched() -> None:
    def fail(*, late: bool) -> None:
        raise RuntimeError("no")

    watcher, eye = Watcher(), Eye()
    with watcher.watch(100.0, fail), watcher.watch(100.0, eye):
        assert eye.enough.wait(10)
