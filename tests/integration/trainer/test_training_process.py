"""What the parent makes of the lines and the end of a training process; the processes are real."""

import sys
from pathlib import Path

import pytest

from services.trainer.core.messages import Finished, Heartbeat, Message, MessageCodec
from services.trainer.core.runner import ProcessRunner
from thanosql_runtime.errors import Reason, ThanosqlError

FINISHED = MessageCodec().encode(Finished(metrics={"wer": 0.1}, properties={})).decode()
HEARTBEAT = MessageCodec().encode(Heartbeat()).decode()


async def messages_of(folder: Path, lines: str, status: int = 0) -> list[Message]:
    script = f"import sys; sys.stdout.write({lines!r}); sys.stdout.flush(); sys.exit({status})"
    runner = ProcessRunner((sys.executable, "-c", script), {}, silence_limit_s=60.0, cancel_grace_s=5.0)
    return [message async for message in runner.run(folder)]


async def test_a_heartbeat_after_the_last_word_does_not_undo_it(tmp_path: Path) -> None:
    messages = await messages_of(tmp_path, HEARTBEAT + FINISHED + HEARTBEAT)

    assert [type(message) for message in messages] == [Heartbeat, Finished]


async def test_an_end_without_a_last_word_is_a_failure_whatever_the_status(tmp_path: Path) -> None:
    with pytest.raises(ThanosqlError) as failure:
        await messages_of(tmp_path, HEARTBEAT)
    assert failure.value.reason is Reason.TRAINING_FAILED


async def test_a_bad_status_after_the_last_word_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ThanosqlError) as failure:
        await messages_of(tmp_path, FINISHED, status=3)
    assert failure.value.metadata["status"] == "3"
