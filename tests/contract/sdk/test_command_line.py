"""The command `thanosql` against a gateway on a real socket: output, exit codes, errors, progress."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from tests.fakes.sdk_gateway import (
    TABLE,
    FakeGateway,
    Response,
    a_job,
    done,
    progress,
    recording,
    row_errors,
    rows,
    started,
    unknown_option,
)
from thanosql.cli.main import main
from thanosql.cli.transcribe import Wanted, predict_statement
from thanosql.transfer import Caller
from thanosql.v1 import types_pb2
from thanosql_runtime.errors import Reason, error

Run = Callable[..., Result]


def predicted(table: pa.Table) -> list[Response]:
    return [started("PREDICT"), *rows(table), done("done")]


@pytest.fixture
def run(address: str, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("THANOSQL_ADDRESS", address)
    monkeypatch.setenv("THANOSQL_API_TOKEN", gateway.token)
    return lambda *arguments, **more: CliRunner().invoke(main, list(arguments), **more)


FILES = ("ls", "put", "get", "rm", "url")
COMMANDS = (
    "",
    "sql",
    "serve",
    "transcribe",
    "dictate",
    "token",
    "token set",
    "token rotate",
    "jobs",
    "jobs cancel",
)


@pytest.mark.parametrize("command", [*COMMANDS, "files", *(f"files {name}" for name in FILES)])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(main, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert re.search(rf"Examples?:\n  +thanosql {command}", result.output)


def test_help_says_what_a_command_does_in_one_whole_line() -> None:
    commands = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    assert "transcribe  " in commands
    assert "..." not in commands


def test_rows_are_an_aligned_table_without_a_terminal(run: Run) -> None:
    result = run("sql", "SELECT * FROM t")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "audio_path  predicted",
        "----------  ---------",
        "a.wav       HELLO",
        "b.wav       WORLD",
        "c.wav",
        "3 rows",
    ]


def test_csv_and_json_hold_the_rows_and_nothing_else(run: Run) -> None:
    assert run("sql", "--format", "csv", "SELECT * FROM t").stdout.splitlines()[1:3] == [
        "a.wav,HELLO",
        "b.wav,WORLD",
    ]
    as_json = run("sql", "--format", "json", "SELECT * FROM t")
    assert json.loads(as_json.stdout) == TABLE.to_pylist()
    assert "3 rows" in as_json.stderr


def test_statements_come_from_a_file_or_the_standard_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("SELECT * FROM t\n")
    assert "HELLO" in run("sql", "-f", str(tmp_path / "a.sql")).stdout
    assert "HELLO" in run("sql", input="SELECT * FROM t").stdout


def test_an_error_is_drawn_and_ends_with_status_1(run: Run, gateway: FakeGateway) -> None:
    text = "BUILD MODEL m USING b OPTIONS (epoch=1) AS SELECT 1"
    gateway.answers[text] = unknown_option(text)
    result = run("sql", text)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: unknown option 'epoch' for BUILD MODEL\n  line 1  |   BUILD")
    assert "^^^^^ did you mean 'epochs'?" in result.stderr
    assert "Traceback" not in result.stderr


def test_results_before_a_failure_are_shown(run: Run, gateway: FakeGateway) -> None:
    def answer() -> object:
        yield started("COPY")
        yield done("3 rows copied")
        raise AssertionError("the second statement fails in the server")

    gateway.answers["two"] = answer()  # type: ignore[assignment]
    result = run("sql", "two")
    assert result.exit_code == 1
    assert "3 rows copied" in result.stdout


def test_markup_in_a_message_is_printed_as_it_is(run: Run, gateway: FakeGateway) -> None:
    gateway.answers["x"] = error(Reason.INVALID_DATA, "column [bold]x[/bold] is not text")
    assert "column [bold]x[/bold] is not text" in run("sql", "x").stderr


def test_wrong_usage_ends_with_status_2(run: Run) -> None:
    assert run("sql", "--format", "xml", "SELECT 1").exit_code == 2
    assert run("sql", input="  ").exit_code == 2
    assert run("transcribe", "no-such-file.flac").exit_code == 2


def test_a_wrong_token_is_answered_with_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_API_TOKEN", "wrong")
    result = run("sql", "SELECT * FROM t")
    assert result.exit_code == 1
    assert "thanosql token set" in result.stderr


def test_progress_is_a_line_now_and_then_without_a_terminal(run: Run, gateway: FakeGateway) -> None:
    steps = [
        progress("training", n, total=9, unit="steps", loss=1.5, wer=0.25, seconds_left=65)
        for n in range(1, 9)
    ]
    gateway.answers["BUILD"] = [started("BUILD MODEL"), *steps, done("built")]
    lines = run("sql", "BUILD").stderr.splitlines()
    assert lines == ["training: 1/9 steps · loss 1.500 · WER 25.0 % · 1:05 min left"]


def test_failed_rows_are_counted_and_named(run: Run, gateway: FakeGateway) -> None:
    failed = types_pb2.RowError(row=2, subject="c.wav", reason="AUDIO_EMPTY", message="no samples")
    gateway.answers["P"] = [
        started("PREDICT"),
        *rows(TABLE),
        row_errors(failed),
        done("3 rows", row_errors=1),
    ]
    result = run("sql", "P")
    assert result.exit_code == 0
    assert "row 2  c.wav: no samples" in result.stderr


def test_scores_are_shown_name_by_name(run: Run, gateway: FakeGateway) -> None:
    gateway.answers["E"] = [started("EVALUATE"), done("scored", scores=types_pb2.Scores(wer=0.125, rows=3))]
    assert re.search(r"WER +12\.5 %", run("sql", "E").stdout)


def test_a_single_wide_row_goes_one_column_a_line(run: Run, gateway: FakeGateway) -> None:
    gateway.answers["B"] = [
        started("BUILD MODEL"),
        *rows(pa.table({f"c{n}": [n] for n in range(8)})),
        done("built"),
    ]
    assert run("sql", "B").stdout.splitlines()[:2] == ["c0  0", "c1  1"]


def test_recordings_are_named_with_their_size(run: Run, gateway: FakeGateway) -> None:
    media = [*rows(TABLE.slice(0, 1)), *recording(0, "a.flac", b"fLaC")]
    gateway.answers["P"] = [started("PRINT"), *media, done("1 recording")]
    assert run("sql", "P").stdout.splitlines() == ["a.flac  audio/flac  4 bytes", "1 recording"]


def test_transcribe_uploads_and_prints_in_the_order_given(
    run: Run, gateway: FakeGateway, tmp_path: Path
) -> None:
    for name in ("o'clock.flac", "b.wav"):
        (tmp_path / name).write_bytes(name.encode())
    paths = [str(tmp_path / "o'clock.flac"), str(tmp_path / "b.wav")]
    gateway.answer_to_all = predicted(TABLE.slice(0, 2))
    result = run("transcribe", *paths)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"{paths[0]}: HELLO", f"{paths[1]}: WORLD"]
    assert "0/o''clock.flac'), ('uploads/temporary-" in gateway.texts[0]
    assert "1/b.wav')" in gateway.texts[0]
    assert gateway.texts[0].startswith(
        "PREDICT USING \"tutorial_audio_recognition\" OPTIONS (audio_col='audio_path')"
    )


def test_transcribe_leaves_nothing_behind(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.files = {"uploads/mine/a.wav": b"mine"}
    (tmp_path / "a.wav").write_bytes(b"a")
    gateway.answer_to_all = predicted(TABLE.slice(0, 1))
    assert run("transcribe", str(tmp_path / "a.wav"), str(tmp_path / "a.wav")).exit_code == 1
    gateway.answer_to_all = predicted(TABLE.slice(0, 2))
    assert run("transcribe", str(tmp_path / "a.wav"), str(tmp_path / "a.wav")).exit_code == 0
    assert gateway.files == {"uploads/mine/a.wav": b"mine"}


def test_transcribe_names_what_it_could_not_remove(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"a")
    gateway.answer_to_all = predicted(TABLE.slice(0, 1))
    gateway.keeps_files = True
    result = run("transcribe", str(tmp_path / "a.wav"))
    assert (result.exit_code, result.stdout) == (0, "HELLO\n")
    (path,) = gateway.files
    assert f"remove them with: thanosql files rm {path}" in result.stderr


def test_transcribe_of_one_file_prints_the_text_alone(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"a")
    gateway.answer_to_all = predicted(TABLE.slice(0, 1))
    assert run("transcribe", str(tmp_path / "a.wav")).stdout == "HELLO\n"
    as_json = run("transcribe", "--format", "json", str(tmp_path / "a.wav")).stdout
    assert json.loads(as_json) == [
        {"file": str(tmp_path / "a.wav"), "text": "HELLO", "error": "", "confidence": None, "words": []}
    ]
    assert (
        run("transcribe", "--format", "tsv", str(tmp_path / "a.wav")).stdout.splitlines()[0]
        == "file\tstart_s\tend_s\ttext\terror"
    )


def test_transcribe_writes_subtitles(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"a")
    words = [[{"text": "HELLO", "start_s": 0.5, "end_s": 2.0}], None]
    gateway.answer_to_all = predicted(TABLE.slice(0, 2).append_column("words", pa.array(words)))
    recordings = [str(tmp_path / name) for name in ("a.wav", "b.wav")]
    refused = run("transcribe", "--format", "srt", *recordings)
    assert (refused.exit_code, gateway.texts) == (2, [])
    assert "--output-dir" in refused.stderr
    folder = tmp_path / "subtitles"
    result = run("transcribe", "--format", "srt", "--output-dir", str(folder), *recordings)
    assert result.stdout.splitlines() == [str(folder / "a.srt"), str(folder / "b.srt")]
    assert (folder / "a.srt").read_text() == "1\n00:00:00,500 --> 00:00:02,000\nHELLO\n"
    assert (folder / "b.srt").read_text() == ""
    assert "word_times=True, confidence=True" in gateway.texts[0]


def test_transcribe_writes_no_file_for_two_recordings(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac"):
        (tmp_path / name).write_bytes(b"a")
    result = run(
        "transcribe", "--output-dir", str(tmp_path), str(tmp_path / "a.wav"), str(tmp_path / "a.flac")
    )
    assert (result.exit_code, gateway.texts) == (2, [])
    assert "a.txt" in result.stderr


def test_a_file_that_cannot_be_read_is_named_and_ends_with_status_1(
    run: Run, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"a")
    broken = TABLE.slice(0, 1).drop(["predicted"])
    broken = broken.append_column("predicted", [["" for _ in range(1)]]).append_column(
        "error", [["not audio"]]
    )
    gateway.answer_to_all = predicted(broken)
    result = run("transcribe", str(tmp_path / "a.wav"))
    assert result.exit_code == 1
    assert "a.wav: not audio" in result.stderr


def test_paths_are_quoted_as_the_language_wants() -> None:
    text = predict_statement(Wanted(model="m"), ["uploads/it's.wav", 'uploads/"b".wav'])
    assert """(VALUES ('uploads/it''s.wav'), ('uploads/"b".wav')) AS recordings(audio_path)""" in text


@pytest.mark.parametrize(
    ("model", "written"),
    [("my-model", '"my-model"'), ("my-model.2", '"my-model".2'), ("select", '"select"'), ('a"b', '"a""b"')],
)
def test_models_are_quoted_as_the_language_wants(model: str, written: str) -> None:
    text = predict_statement(Wanted(model=model), ["a.wav"])
    assert text.startswith(f"PREDICT USING {written} OPTIONS")


def test_hotwords_and_a_language_model_reach_the_statement() -> None:
    wanted = Wanted(model="m", hotwords=["it's", "charge back"], language_model="uploads/a.arpa")
    text = predict_statement(wanted, ["a.wav"])
    assert "hotwords=['it''s', 'charge back'], language_model='uploads/a.arpa'" in text
    assert "hotwords" not in predict_statement(Wanted(model="m"), ["a.wav"])


def test_jobs_and_files(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.jobs = [a_job("TRAINING", 1, step=3, step_total=9)]
    assert re.search(r"job-1 +training +mine +Wav2Vec2En\.1 +3/9", run("jobs").stdout)
    assert run("jobs", "cancel", "job-1").stdout == "job-1: cancelled\n"
    (tmp_path / "a.wav").write_bytes(b"abc")
    assert run("files", "put", str(tmp_path / "a.wav"), "uploads/a.wav").stdout == "uploads/a.wav: 3 bytes\n"
    assert re.search(r"^ +3 +uploads/a\.wav$", run("files").stdout, re.MULTILINE)
    assert run("files", "get", "uploads/a.wav", str(tmp_path / "b.wav")).exit_code == 0
    assert (tmp_path / "b.wav").read_bytes() == b"abc"
    assert run("files", "rm", "uploads/a.wav").stdout == "uploads/a.wav: deleted, 3 bytes\n"
    gone = run("files", "rm", "uploads/a.wav")
    assert (gone.exit_code, gone.stderr) == (1, "error: no file 'uploads/a.wav'\n")


def test_files_are_listed_by_prefix_and_in_parts(run: Run, gateway: FakeGateway) -> None:
    gateway.files = {f"uploads/{number:04}": b"x" for number in range(2500)} | {"other": b"x"}
    everything = run("files", "ls", "uploads/").stdout.splitlines()
    assert [line.split()[-1] for line in everything] == [f"uploads/{number:04}" for number in range(2500)]
    part = run("files", "ls", "uploads/", "--limit", "1500")
    assert len(part.stdout.splitlines()) == 1500
    assert part.stderr == "there are more; go on with --page-token 'uploads/1499'\n"
    rest = run("files", "ls", "uploads/", "--page-token", "uploads/1499")
    assert (len(rest.stdout.splitlines()), rest.stderr) == (1000, "")


def test_a_transfer_that_was_given_up_says_that_it_can_go_on(
    run: Run, gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thanosql.aio_files.Caller", partial(Caller, delays_s=()))
    (tmp_path / "a.wav").write_bytes(b"abc" * 1_000_000)
    gateway.breaks_after = [2_000_000]
    given_up = run("files", "put", str(tmp_path / "a.wav"), "uploads/a.wav")
    assert given_up.exit_code == 1
    assert "the same command goes on with it" in given_up.stderr
    assert run("files", "put", str(tmp_path / "a.wav"), "uploads/a.wav").exit_code == 0
    assert gateway.offsets[1] >= 2_000_000
    monkeypatch.setenv("THANOSQL_ADDRESS", "127.0.0.1:1")
    assert "goes on" not in run("files", "put", str(tmp_path / "a.wav"), "uploads/a.wav").stderr


def test_an_address_for_browsers_is_printed_alone(run: Run, gateway: FakeGateway) -> None:
    result = run("files", "url", "uploads/a.wav", "--hours", "24")
    assert result.stdout == "http://s3/uploads/a.wav?X-Amz-Signature=1\n"
    assert result.stderr.startswith("good until 2027-01-16")


def test_the_address_may_stand_before_or_after_the_name_of_a_command(
    run: Run, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THANOSQL_ADDRESS", "127.0.0.1:1")
    assert run("jobs", "cancel", "job-1", "--address", address).stdout == "job-1: cancelled\n"
    assert run("jobs", "--address", address, "cancel", "job-1").stdout == "job-1: cancelled\n"
    assert run("jobs", "cancel", "job-1").exit_code == 1
    assert run("files", "put", "--address", address, __file__, "uploads/a").exit_code == 0
    assert run("files", "get", "uploads/a", str(tmp_path / "a"), "--address", "127.0.0.1:1").exit_code == 1


def heed_interrupts() -> None:
    """A shell starts what it runs in the background deaf to SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("arguments", [("sql", "BUILD for ever"), ("transcribe", __file__)])
def test_ctrl_c_ends_with_status_130_and_cancels_the_work(
    gateway: FakeGateway, address: str, arguments: tuple[str, ...]
) -> None:
    environment = {**os.environ, "THANOSQL_ADDRESS": address, "THANOSQL_API_TOKEN": gateway.token}
    command = [sys.executable, "-m", "thanosql", *arguments]
    with (
        subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
        ) as process,
        ExitStack() as at_last,
    ):
        at_last.callback(process.kill)
        assert gateway.hanging.wait(60), process.poll()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert gateway.cancelled.wait(30)
    assert gateway.files == {}


def test_files_that_cannot_be_read_or_written_are_named(
    run: Run, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "latin1.sql").write_bytes("SELECT 'café'".encode("latin-1"))
    result = run("sql", "-f", str(tmp_path / "latin1.sql"))
    assert (result.exit_code, result.stderr) == (
        1,
        "error: the statements are not UTF-8: byte 11 cannot be read\n",
    )
    gateway.files["a.wav"] = b"abc"
    result = run("files", "get", "a.wav", str(tmp_path / "no" / "folder" / "a.wav"))
    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr


def test_something_that_is_no_token_is_told_apart(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_API_TOKEN", "thanosql_…")
    result = run("sql", "SELECT * FROM t")
    assert result.exit_code == 1
    assert "copy it again" in result.stderr


def test_without_a_server_the_message_says_how_to_start_one() -> None:
    result = CliRunner().invoke(main, ["sql", "--address", "127.0.0.1:1", "SELECT 1"])
    assert result.exit_code == 1
    assert "thanosql serve" in result.stderr
