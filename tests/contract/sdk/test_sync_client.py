"""The synchronous client against a gateway on a real socket."""

import asyncio
import contextlib
import hashlib
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from tests.fakes.sdk_gateway import (
    FLAC,
    TABLE,
    FakeGateway,
    a_job,
    done,
    job_event,
    notice,
    progress,
    recording,
    row_errors,
    rows,
    started,
    unknown_option,
)
from thanosql import (
    AuthenticationError,
    Cancelled,
    InvalidData,
    InvalidModel,
    NotFound,
    Progress,
    StatementError,
    ThanoSQL,
    Unavailable,
)
from thanosql.events import StatementDone, StatementStarted
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason, error


def test_execute_answers_the_rows_of_the_last_statement(client: ThanoSQL, gateway: FakeGateway) -> None:
    gateway.answers["two"] = [
        started("COPY"),
        done("3 rows copied"),
        started("SELECT", 1),
        *rows(TABLE),
        done("3 rows", 1),
    ]
    assert client.execute("two").arrow().equals(TABLE)
    assert [result.message for result in client.execute_all("two")] == ["3 rows copied", "3 rows"]


def test_text_goes_to_the_server_unchanged(client: ThanoSQL, gateway: FakeGateway) -> None:
    text = "SELECT \"a\", '$HOME %s {x}', '한국어' FROM t -- \\ end"
    gateway.answers[text] = [started("SELECT"), done()]
    client.execute(text)
    assert gateway.texts == [text]


def test_every_call_has_a_request_id_of_its_own(client: ThanoSQL, gateway: FakeGateway) -> None:
    client.execute("SELECT * FROM t")
    client.execute("SELECT * FROM t")
    assert len(set(gateway.request_ids)) == 2


def test_stream_hands_on_events_in_their_order(client: ThanoSQL, gateway: FakeGateway) -> None:
    events = [started("PREDICT"), progress("transcribing", 2, total=8, unit="rows", loss=0.5), done()]
    gateway.answers["p"] = events
    first, second, third = client.stream("p")
    assert isinstance(first, StatementStarted)
    assert second == Progress(stage="transcribing", done=2, total=8, unit="rows", loss=0.5)
    assert isinstance(third, StatementDone)


def test_on_event_is_called_in_the_thread_of_the_caller(client: ThanoSQL) -> None:
    threads: set[threading.Thread] = set()
    client.execute("SELECT * FROM t", on_event=lambda _event: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


def test_recordings_arrive_whole_with_path_and_type(client: ThanoSQL, gateway: FakeGateway) -> None:
    media = [*recording(0, "a.flac"), *recording(1, "b.wav", b"RIFF", "audio/wav")]
    gateway.answers["PRINT"] = [started("PRINT"), *media, done()]
    first, second = client.execute("PRINT").media
    assert (first.path, first.mime_type, first.data) == ("a.flac", "audio/flac", FLAC)
    assert (second.row, second.path, second.data) == (1, "b.wav", b"RIFF")


def test_a_result_carries_model_scores_job_notices_and_row_errors(
    client: ThanoSQL, gateway: FakeGateway
) -> None:
    gateway.answers["BUILD"] = [
        started("BUILD MODEL"),
        notice("the bundled checkpoint is used"),
        job_event(a_job(sequence=1)),
        row_errors(types_pb2.RowError(row=2, subject="c.wav", reason="AUDIO_EMPTY", message="no samples")),
        job_event(a_job("SUCCEEDED", 7, wer_before=0.5)),
        done(
            "built",
            row_errors=1,
            model=types_pb2.ModelVersion(name="m", version=2, kind=types_pb2.MODEL_KIND_TRAINED),
            scores=types_pb2.Scores(wer=0.25, rows=3),
        ),
    ]
    result = client.execute("BUILD")
    assert result.model is not None
    assert (result.model.name, result.model.version, result.model.kind) == ("m", 2, "trained")
    assert result.scores is not None
    assert result.scores.wer == 0.25
    assert result.job is not None
    assert (result.job.state, result.job.finished, result.job.wer_before) == ("succeeded", True, 0.5)
    assert result.notices[0].message == "the bundled checkpoint is used"
    assert result.row_errors[0].reason == "AUDIO_EMPTY"


def test_a_bad_statement_is_raised_with_its_place(client: ThanoSQL, gateway: FakeGateway) -> None:
    text = "BUILD MODEL m USING b\nOPTIONS (\nepoch=1)\nAS SELECT 1"
    gateway.answers[text] = unknown_option(text)
    with pytest.raises(StatementError) as raised:
        client.execute(text)
    failure = raised.value
    assert (failure.reason, failure.suggestion, failure.span and failure.span.line) == (
        "UNKNOWN_OPTION",
        "epochs",
        3,
    )
    assert "  line 3  |   epoch=1)\n          |   ^^^^^ did you mean 'epochs'?" in failure.drawn()


def test_other_failures_have_their_own_classes(client: ThanoSQL, gateway: FakeGateway) -> None:
    gateway.answers["a"] = error(Reason.TABLE_NOT_FOUND, "no table 't'", table="t")
    gateway.answers["b"] = error(Reason.PATH_OUTSIDE_WORKSPACE, "leads out")
    with pytest.raises(NotFound) as raised:
        client.execute("a")
    assert raised.value.metadata == {"table": "t"}
    with pytest.raises(InvalidData):
        client.execute("b")


def test_a_wrong_token_is_an_authentication_error(address: str) -> None:
    with ThanoSQL(address, "wrong") as client, pytest.raises(AuthenticationError):
        client.execute("SELECT * FROM t")


def test_a_server_that_is_not_there_is_named_with_what_to_do() -> None:
    with (
        ThanoSQL("127.0.0.1:1", "t") as client,
        pytest.raises(Unavailable, match=r"127\.0\.0\.1:1.*thanosql serve"),
    ):
        client.execute("SELECT 1")


def test_an_interrupt_cancels_the_work_in_the_server(client: ThanoSQL, gateway: FakeGateway) -> None:
    def interrupt() -> None:
        gateway.hanging.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        client.execute("BUILD for ever")
    thread.join()
    assert gateway.cancelled.wait(30)
    assert client.execute("SELECT * FROM t").message == "3 rows"


def test_leaving_a_stream_early_cancels_the_work_in_the_server(
    client: ThanoSQL, gateway: FakeGateway
) -> None:
    for _event in client.stream("BUILD for ever"):
        break
    assert gateway.cancelled.wait(30)


def test_a_failing_callback_cancels_the_work_in_the_server(client: ThanoSQL, gateway: FakeGateway) -> None:
    def fail(_event: object) -> None:
        raise ValueError("the caller's own fault")

    with pytest.raises(ValueError, match="own fault"):
        client.execute("BUILD for ever", on_event=fail)
    assert gateway.cancelled.wait(30)


def test_closing_in_another_thread_ends_what_runs(client: ThanoSQL, gateway: FakeGateway) -> None:
    def close() -> None:
        gateway.hanging.wait(30)
        client.close()

    thread = threading.Thread(target=close)
    thread.start()
    with pytest.raises(Cancelled, match="client was closed"):
        client.execute("BUILD for ever")
    thread.join()
    assert gateway.cancelled.wait(30)


def test_closing_leaves_no_thread_waiting(gateway: FakeGateway, address: str) -> None:
    def call_until_closed() -> None:
        with contextlib.suppress(Cancelled, RuntimeError):
            while len(client.execute("SELECT * FROM t")) == 3:
                first.set()

    client, first = ThanoSQL(address, gateway.token), threading.Event()
    threads = [threading.Thread(target=call_until_closed, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert first.wait(30)
    client.close()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_closing_between_two_events_is_not_the_end_of_the_answer(
    client: ThanoSQL, gateway: FakeGateway
) -> None:
    with pytest.raises(Cancelled, match="client was closed"):
        client.execute("SELECT * FROM t", on_event=lambda _event: client.close())


def test_a_closed_client_refuses_calls_and_may_be_closed_again(client: ThanoSQL) -> None:
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.execute("SELECT * FROM t")
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.server_info()


def test_uploading_a_file_that_is_not_here_names_it(client: ThanoSQL, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.wav"):
        client.upload(tmp_path / "missing.wav", "uploads/missing.wav")


async def test_the_client_works_inside_a_running_loop(client: ThanoSQL) -> None:
    assert asyncio.get_running_loop().is_running()
    assert len(client.execute("SELECT * FROM t")) == 3


def test_threads_may_share_a_client(client: ThanoSQL) -> None:
    lengths: list[int] = []
    threads = [
        threading.Thread(target=lambda: lengths.append(len(client.execute("SELECT * FROM t"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [3] * 8


def test_explain_jobs_and_info(client: ThanoSQL, gateway: FakeGateway) -> None:
    gateway.jobs = [a_job("TRAINING", 3, step=5), a_job("SUCCEEDED", 4)]
    assert client.explain("SELECT 1")[0].steps == ("query",)
    assert [job.state for job in client.jobs()] == ["training", "succeeded"]
    assert client.job("job-1").step == 5
    assert [job.sequence for job in client.watch_job("job-1", after_sequence=3)] == [4]
    assert client.cancel_job("job-1").state == "cancelled"
    assert client.server_info().services == ("gateway", "parser")
    with pytest.raises(NotFound):
        client.job("another")


def test_files_go_up_and_come_down_whole(client: ThanoSQL, gateway: FakeGateway, tmp_path: Path) -> None:
    content = os.urandom(3_000_001)
    (tmp_path / "here.flac").write_bytes(content)
    file = client.upload(tmp_path / "here.flac", "uploads/there.flac")
    assert (file.path, file.size_bytes) == ("uploads/there.flac", len(content))
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    client.download("uploads/there.flac", tmp_path / "back.flac")
    assert (tmp_path / "back.flac").read_bytes() == content
    assert [file.path for file in client.files("uploads/")] == ["uploads/there.flac"]


def test_a_failed_download_leaves_nothing_behind(client: ThanoSQL, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        client.download("nothing.flac", tmp_path / "back.flac")
    assert list(tmp_path.glob("*back*")) == []


def test_reads_are_tried_again_when_the_server_was_away(client: ThanoSQL, gateway: FakeGateway) -> None:
    gateway.failures = [error(Reason.PEER_UNAVAILABLE, "restarting")]
    assert client.server_info().version == "0.1.0"


def test_statements_are_never_run_twice(client: ThanoSQL, gateway: FakeGateway) -> None:
    gateway.answers["BUILD"] = error(Reason.PEER_UNAVAILABLE, "the trainer is away")
    with pytest.raises(Unavailable):
        client.execute("BUILD")
    assert gateway.texts == ["BUILD"]


def test_rotating_the_token_keeps_the_client_going(client: ThanoSQL, gateway: FakeGateway) -> None:
    assert client.rotate_token() == "thanosql_rotated"
    assert client.server_info().version == "0.1.0"


def test_damaged_checkpoints_are_told_apart(client: ThanoSQL, gateway: FakeGateway) -> None:
    gateway.answers["c"] = error(Reason.CHECKSUM_MISMATCH, "bytes differ")
    with pytest.raises(InvalidModel):
        client.execute("c")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_instead_of_hanging(client: ThanoSQL) -> None:
    client.server_info()
    answer = multiprocessing.get_context("fork").SimpleQueue()

    def in_child() -> None:
        signal.alarm(30)
        try:
            client.server_info()
        except RuntimeError as failure:
            answer.put(str(failure))
        os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=in_child)
    child.start()
    child.join(60)
    assert not answer.empty()
    assert "does not survive fork" in answer.get()
