"""The asynchronous client against a gateway on a real socket."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.sdk_gateway import FakeGateway, done, started
from thanosql import AsyncThanoSQL, Cancelled, Unavailable
from thanosql.uploading import Source


async def test_statements_of_one_client_run_side_by_side(gateway: FakeGateway, address: str) -> None:
    async with AsyncThanoSQL(address, gateway.token) as client:
        results = await asyncio.gather(*(client.execute("SELECT * FROM t") for _ in range(5)))
    assert [len(result) for result in results] == [3] * 5


async def test_cancelling_the_task_cancels_the_work_in_the_server(gateway: FakeGateway, address: str) -> None:
    async with AsyncThanoSQL(address, gateway.token) as client:
        task = asyncio.create_task(client.execute("BUILD for ever"))
        await asyncio.to_thread(gateway.hanging.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(gateway.cancelled.wait, 5)


async def test_a_failing_callback_cancels_the_work_in_the_server(gateway: FakeGateway, address: str) -> None:
    def fail(_event: object) -> None:
        raise ValueError("the caller's own fault")

    async with AsyncThanoSQL(address, gateway.token) as client:
        with pytest.raises(ValueError, match="own fault"):
            await client.execute("BUILD for ever", on_event=fail)
        assert await asyncio.to_thread(gateway.cancelled.wait, 5)


async def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(AsyncThanoSQL("here:1", "secret"))


async def test_an_answer_that_ends_before_its_statement_is_done_is_no_result(
    gateway: FakeGateway, address: str
) -> None:
    gateway.answers["two"] = [started("COPY"), done("3 rows copied"), started("SELECT", 1)]
    async with AsyncThanoSQL(address, gateway.token) as client:
        with pytest.raises(Unavailable, match="in the middle of SELECT"):
            await client.execute_all("two")


async def test_closing_ends_what_runs_and_refuses_what_comes(gateway: FakeGateway, address: str) -> None:
    client = AsyncThanoSQL(address, gateway.token)
    running = asyncio.create_task(client.execute("BUILD for ever"))
    await asyncio.to_thread(gateway.hanging.wait, 10)
    await client.close()
    with pytest.raises(Cancelled, match="client was closed"):
        await running
    for call in (client.execute("SELECT * FROM t"), client.jobs(), client.upload(__file__, "uploads/a")):
        with pytest.raises(RuntimeError, match="the client is closed"):
            await call
    await client.close()


def test_a_client_may_go_from_one_loop_to_the_next(gateway: FakeGateway, address: str) -> None:
    client = AsyncThanoSQL(address, gateway.token)
    lengths = [len(asyncio.run(client.execute("SELECT * FROM t"))) for _ in range(3)]
    asyncio.run(client.close())
    assert lengths == [3] * 3


async def test_a_file_that_is_not_here_is_named(gateway: FakeGateway, address: str, tmp_path: Path) -> None:
    async with AsyncThanoSQL(address, gateway.token) as client:
        with pytest.raises(FileNotFoundError, match=r"missing\.wav"):
            await client.upload(tmp_path / "missing.wav", "uploads/missing.wav")
    assert gateway.files == {}


async def test_a_file_that_fails_while_it_is_read_says_so(
    gateway: FakeGateway, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "long.wav").write_bytes(b"a" * 3_000_000)
    monkeypatch.setattr("thanosql.uploading.Source.of", source_on_a_bad_disk)
    async with AsyncThanoSQL(address, gateway.token) as client:
        with pytest.raises(OSError, match="the disk is bad"):
            await client.upload(tmp_path / "long.wav", "uploads/long.wav")
    assert gateway.files == {}


def source_on_a_bad_disk(file: Any, _local_path: Path, path: str) -> Source:
    return Source(file=BadDisk(file), path=path, size_bytes=3_000_000, upload_id="1")  # type: ignore[arg-type]


class BadDisk:
    """A file whose first megabyte can be read."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def seek(self, offset: int) -> None:
        self._file.seek(offset)

    def read(self, size: int) -> bytes:
        if self._file.tell():
            raise OSError(errno.EIO, "the disk is bad")
        return bytes(self._file.read(size))
