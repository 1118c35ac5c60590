"""The token of a server: told once, kept as a hash, compared whole."""

import hashlib
import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.gateway.core.tokens import TokenKeeper
from thanosql_runtime.errors import Reason, ThanosqlError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway" / "token.json"


def started(path: Path) -> tuple[TokenKeeper, list[str]]:
    told: list[str] = []
    keeper = TokenKeeper(path, told.append)
    keeper.start()
    return keeper, told


def test_the_first_start_tells_a_token_that_opens(path: Path) -> None:
    keeper, told = started(path)
    token = told[0].rpartition(" ")[2]
    keeper.authorise({"authorization": f"Bearer {token}"})
    keeper.authorise({"authorization": f"bearer  {token} "})
    assert json.loads(path.read_text())["sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["token.json"]


def test_a_later_start_tells_nothing(path: Path) -> None:
    started(path)
    assert started(path)[1] == []


def test_two_servers_have_two_tokens(tmp_path: Path) -> None:
    assert started(tmp_path / "a.json")[1] != started(tmp_path / "b.json")[1]


@pytest.mark.parametrize("known", [True, False])
def test_nothing_opens_before_the_start_and_the_right_token_is_not_called_wrong(
    path: Path, known: bool
) -> None:
    token = started(path)[1][0].rpartition(" ")[2] if known else ""
    keeper = TokenKeeper(path, lambda _line: None)
    with pytest.raises(ThanosqlError, match="still starting") as raised:
        keeper.authorise({"authorization": f"Bearer {token}"})
    assert raised.value.reason is Reason.PEER_UNAVAILABLE
    keeper.start()
    if known:
        keeper.authorise({"authorization": f"Bearer {token}"})


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"sha256": "abc"}', '{"sha256": 5}', "\x00"])
def test_a_file_that_is_not_ours_is_an_error_that_says_how_to_mend(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ThanosqlError, match="delete it") as raised:
        started(path)
    assert raised.value.reason is Reason.INVALID_DATA


def test_a_rotation_that_cannot_be_kept_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, told = started(path)
    before = path.read_text()

    def full(*_arguments: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        keeper.rotate()
    keeper.authorise({"authorization": f"Bearer {told[0].rpartition(' ')[2]}"})
    assert path.read_text() == before
    assert len(list(path.parent.iterdir())) == 1


def test_two_rotations_at_once_leave_one_hash_on_disk_and_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, _told = started(path)
    replaced, overtaken = threading.Event(), threading.Event()
    replace = os.replace

    def replace_and_be_overtaken(source: str, goal: Path) -> None:
        replace(source, goal)
        if replaced.is_set():
            return
        replaced.set()
        overtaken.wait(0.5)

    monkeypatch.setattr("os.replace", replace_and_be_overtaken)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(keeper.rotate)
        assert replaced.wait(30)
        second = threads.submit(keeper.rotate)
        second.add_done_callback(lambda _done: overtaken.set())
        tokens = [first.result()[0], second.result()[0]]
    kept = json.loads(path.read_text())["sha256"]
    (on_disk,) = [token for token in tokens if hashlib.sha256(token.encode()).hexdigest() == kept]
    keeper.authorise({"authorization": f"Bearer {on_disk}"})


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def opens(keeper: TokenKeeper, token: str) -> bool:
    try:
        keeper.authorise({"authorization": f"Bearer {token}"})
    except ThanosqlError:
        return False
    return True


def hash_file(token: str) -> str:
    return json.dumps({"sha256": hashlib.sha256(token.encode()).hexdigest()})


def test_a_file_that_took_the_place_of_ours_is_noticed_without_a_restart(path: Path) -> None:
    told: list[str] = []
    clock = Clock()
    keeper = TokenKeeper(path, told.append, clock)
    keeper.start()
    ours = told[0].rpartition(" ")[2]
    assert opens(keeper, ours)
    path.write_text(hash_file("theirs"))
    clock.now_s += 1
    assert (opens(keeper, ours), opens(keeper, "theirs")) == (False, True)
    fresh, _created = keeper.rotate()
    clock.now_s += 1
    assert (opens(keeper, "theirs"), opens(keeper, fresh)) == (False, True)


@pytest.mark.parametrize("content", ["", "{}", None], ids=["empty", "not ours", "deleted"])
def test_a_file_that_cannot_be_read_leaves_the_token_as_it_was(path: Path, content: str | None) -> None:
    told: list[str] = []
    clock = Clock()
    keeper = TokenKeeper(path, told.append, clock)
    keeper.start()
    ours = told[0].rpartition(" ")[2]
    path.unlink()
    if content is not None:
        path.write_text(content)
    for _ in range(2):
        clock.now_s += 1
        assert opens(keeper, ours)
        assert not opens(keeper, "")
    path.write_text(hash_file("theirs"))
    clock.now_s += 1
    assert (opens(keeper, ours), opens(keeper, "theirs")) == (False, True)
