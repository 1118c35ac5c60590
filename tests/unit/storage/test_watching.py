"""One thread looks at all blocks that run, and at none that has ended."""

import threading
import weakref
from pathlib import Path

import pytest

from services.storage.core import watching
from services.storage.core.process_memory import Growth, own_bytes
from services.storage.core.watching import Watcher


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "storage-watch"]


class Eye:
    """Sees how often it looks, and whether it is late."""

    def __init__(self, wanted: int = 3) -> None:
        self.looks: list[bool] = []
        self.enough = threading.Event()
        self._wanted = wanted

    def __call__(self, *, late: bool, heavy: bool) -> None:
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
    def fail(*, late: bool, heavy: bool) -> None:
        raise RuntimeError("no")

    watcher, eye = Watcher(), Eye()
    with watcher.watch(100.0, fail), watcher.watch(100.0, eye):
        assert eye.enough.wait(10)


class Memory:
    """What the process has, as the test says."""

    def __init__(self) -> None:
        self.own_bytes: int | None = 100

    def __call__(self) -> int | None:
        return self.own_bytes


class Work:
    """A block that ends when it is told to make room."""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def __call__(self, *, late: bool, heavy: bool) -> None:
        if heavy:
            self.stopped.set()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    monkeypatch.setattr(watching, "_LOOKS_BETWEEN_STOPS", 2)
    return Memory()


def test_the_newest_work_makes_room_first(memory: Memory) -> None:
    watcher, old, new, eye = Watcher(Growth(50, memory)), Work(), Work(), Eye()
    with watcher.watch(100.0, old, begun_s=1.0):
        with watcher.watch(100.0, new, begun_s=2.0), watcher.watch(100.0, eye, begun_s=0.0):
            memory.own_bytes = 151
            assert new.stopped.wait(10)
            eye.enough.clear()
            eye.looks.clear()
            assert eye.enough.wait(10)
            assert not old.stopped.is_set()
        assert old.stopped.wait(10)


def test_nothing_is_stopped_while_the_process_grows_little(memory: Memory) -> None:
    watcher, work, eye = Watcher(Growth(50, memory)), Work(), Eye()
    with watcher.watch(100.0, work), watcher.watch(100.0, eye):
        memory.own_bytes = 150
        assert eye.enough.wait(10)
        assert not work.stopped.is_set()


def test_what_the_process_had_at_rest_is_nobodys(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_IDLE_LOOKS", 2)
    before = set(watchers())
    watcher, first = Watcher(Growth(50, memory)), Eye()
    with watcher.watch(100.0, first):
        assert first.enough.wait(10)
        (thread,) = set(watchers()) - before
    thread.join(10)
    memory.own_bytes = 1000
    work, eye = Work(), Eye()
    with watcher.watch(100.0, work), watcher.watch(100.0, eye):
        assert eye.enough.wait(10)
        assert not work.stopped.is_set()


@pytest.mark.parametrize("told", [None, 1000])
def test_a_system_that_does_not_tell_stops_nothing(memory: Memory, told: int | None) -> None:
    memory.own_bytes = None
    growth = Growth(50, memory)
    growth.rest()
    memory.own_bytes = told
    assert not growth.is_too_large()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells")
def test_what_a_process_takes_is_seen() -> None:
    before = own_bytes()
    taken = bytearray(b"x") * (64 << 20)
    after = own_bytes()
    assert before is not None
    assert after is not None
    assert after - before > len(taken) // 2
