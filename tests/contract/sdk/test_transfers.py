"""Uploads and downloads whose connection breaks: they go on where they were, and what arrives is verified."""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.fakes.sdk_gateway import FakeGateway
from thanosql import AsyncThanoSQL, InvalidData, Progress, ThanoSQL, Unavailable
from thanosql.transfer import Caller

CONTENT = os.urandom(5_000_001)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thanosql.aio_files.Caller", partial(Caller, delays_s=(0.0, 0.0)))


@pytest.fixture
def resigned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that tries nothing twice."""
    monkeypatch.setattr("thanosql.aio_files.Caller", partial(Caller, delays_s=()))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here.wav").write_bytes(CONTENT)
    return tmp_path / "here.wav"


def test_an_upload_goes_on_where_it_broke_each_time(
    client: ThanoSQL, gateway: FakeGateway, here: Path
) -> None:
    gateway.breaks_after = [1_500_000, 1_000_000, 100_000, 200_000]
    told: list[Progress] = []
    file = client.upload(here, "uploads/a.wav", on_progress=told.append)
    assert gateway.files == {"uploads/a.wav": CONTENT}
    assert file.size_bytes == len(CONTENT)
    assert len(gateway.offsets) == 5
    assert gateway.offsets == sorted(gateway.offsets)
    assert gateway.offsets[1] >= 1_500_000
    assert (told[-1].done, told[-1].total, told[-1].unit) == (len(CONTENT), len(CONTENT), "bytes")


def test_an_upload_that_gets_nowhere_is_given_up(client: ThanoSQL, gateway: FakeGateway, here: Path) -> None:
    gateway.breaks_after = [0] * 100
    gateway.keeps_what_arrives = False
    with pytest.raises(Unavailable):
        client.upload(here, "uploads/a.wav")
    assert gateway.offsets == [0, 0, 0]
    assert "uploads/a.wav" not in gateway.files


@pytest.mark.usefixtures("resigned")
def test_another_call_goes_on_with_an_upload_that_was_given_up(
    client: ThanoSQL, gateway: FakeGateway, here: Path
) -> None:
    gateway.breaks_after = [2_000_000]
    with pytest.raises(Unavailable):
        client.upload(here, "uploads/a.wav")
    client.upload(here, "uploads/a.wav")
    assert gateway.offsets[1] >= 2_000_000
    assert gateway.files == {"uploads/a.wav": CONTENT}


def test_a_file_that_was_changed_starts_over(client: ThanoSQL, gateway: FakeGateway, here: Path) -> None:
    gateway.breaks_after = [2_000_000]
    client.upload(here, "uploads/a.wav")
    here.write_bytes(CONTENT[::-1])
    client.upload(here, "uploads/a.wav")
    assert gateway.offsets[-1] == 0
    assert gateway.files == {"uploads/a.wav": CONTENT[::-1]}


def test_an_upload_that_came_damaged_is_refused(client: ThanoSQL, gateway: FakeGateway, here: Path) -> None:
    gateway.damages = True
    with pytest.raises(InvalidData) as caught:
        client.upload(here, "uploads/a.wav")
    assert caught.value.reason == "FILE_DAMAGED"
    assert gateway.files == {}


def test_a_small_file_goes_on_too(client: ThanoSQL, gateway: FakeGateway, here: Path) -> None:
    here.write_bytes(CONTENT[:1000])
    gateway.breaks_after = [0, 0]
    gateway.keeps_what_arrives = False
    assert client.upload(here, "uploads/a.wav").size_bytes == 1000
    assert gateway.offsets == [0, 0, 0]
    assert gateway.files == {"uploads/a.wav": CONTENT[:1000]}


@pytest.mark.parametrize("size_bytes", [1000, len(CONTENT)])
async def test_a_server_that_never_answered_is_not_waited_for(
    here: Path, size_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thanosql.aio_files.Caller", partial(Caller, delays_s=(3600.0,)))
    await asyncio.to_thread(here.write_bytes, CONTENT[:size_bytes])
    async with AsyncThanoSQL("127.0.0.1:1", "token") as client:
        with pytest.raises(Unavailable, match="no server answers"):
            await client.upload(here, "uploads/a.wav")


def test_a_download_goes_on_where_it_broke_each_time(
    client: ThanoSQL, gateway: FakeGateway, tmp_path: Path
) -> None:
    gateway.files["a.wav"] = CONTENT
    gateway.breaks_after = [1_500_000, 2_000_000, 100_000]
    told: list[Progress] = []
    client.download("a.wav", tmp_path / "back.wav", on_progress=told.append)
    assert (tmp_path / "back.wav").read_bytes() == CONTENT
    assert len(gateway.offsets) == 4
    assert gateway.offsets[1] >= 1_000_000
    assert told[-1].done == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir() if "back" in path.name] == ["back.wav"]


@pytest.mark.usefixtures("resigned")
def test_another_call_goes_on_with_a_download_that_was_given_up(
    client: ThanoSQL, gateway: FakeGateway, tmp_path: Path
) -> None:
    gateway.files["a.wav"] = CONTENT
    gateway.breaks_after = [2_000_000]
    with pytest.raises(Unavailable):
        client.download("a.wav", tmp_path / "back.wav")
    assert [path.name for path in tmp_path.iterdir() if "back" in path.name] == [".back.wav.part"]
    client.download("a.wav", tmp_path / "back.wav")
    assert gateway.offsets[1] >= 1_000_000
    assert (tmp_path / "back.wav").read_bytes() == CONTENT


@pytest.mark.parametrize("kept", [b"x" * 1000, b"x" * (len(CONTENT) + 1)])
def test_a_part_of_another_file_is_thrown_away(
    client: ThanoSQL, gateway: FakeGateway, tmp_path: Path, kept: bytes
) -> None:
    gateway.files["a.wav"] = CONTENT
    (tmp_path / ".back.wav.part").write_bytes(kept)
    client.download("a.wav", tmp_path / "back.wav")
    assert (tmp_path / "back.wav").read_bytes() == CONTENT
    assert gateway.offsets == [len(kept), 0]


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_in_place_of_a_part_is_not_written_through(
    client: ThanoSQL, gateway: FakeGateway, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "of_somebody").write_bytes(CONTENT[:1000])
    link(tmp_path / ".back.wav.part", tmp_path / "of_somebody")
    gateway.files["a.wav"] = CONTENT
    client.download("a.wav", tmp_path / "back.wav")
    assert (tmp_path / "of_somebody").read_bytes() == CONTENT[:1000]
    assert (tmp_path / "back.wav").read_bytes() == CONTENT
    assert not (tmp_path / "back.wav").is_symlink()
    assert gateway.offsets == [0]


def test_a_download_that_came_damaged_leaves_nothing(
    client: ThanoSQL, gateway: FakeGateway, tmp_path: Path
) -> None:
    gateway.files["a.wav"] = CONTENT
    gateway.damages = True
    with pytest.raises(InvalidData) as caught:
        client.download("a.wav", tmp_path / "back.wav")
    assert caught.value.reason == "FILE_DAMAGED"
    assert [path for path in tmp_path.iterdir() if "back" in path.name] == []
