"""Dictation through the clients and the command line, against a gateway on a real socket."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.fakes.sdk_gateway import FakeGateway
from thanosql import AsyncThanoSQL, FinalizeUtterance, InvalidArgument, LiveTranscript, Overloaded, ThanoSQL
from thanosql.cli.main import main
from thanosql.dictating import Chunk
from thanosql_runtime.errors import Reason, ThanosqlError

Run = Callable[..., Result]


@pytest.fixture
def run(address: str, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("THANOSQL_ADDRESS", address)
    monkeypatch.setenv("THANOSQL_API_TOKEN", gateway.token)
    return lambda *arguments, **more: CliRunner().invoke(main, list(arguments), **more)


def heard(text: str, *, is_final: bool, end_s: float) -> LiveTranscript:
    stable = text.removesuffix(" bytes")
    return LiveTranscript(text=text, stable_text=stable, is_final=is_final, start_s=0.0, end_s=end_s)


def wav_file(path: Path, *, channels: int = 1, width: int = 2, frames: int = 3200) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8_000)
        file.writeframes(bytes(channels * width * frames))
    return path


def test_interim_and_final_transcripts_come_in_order(client: ThanoSQL) -> None:
    chunks: list[Chunk] = [bytes(100), FinalizeUtterance(), bytes(50)]
    assert list(client.dictate(chunks)) == [
        heard("100 bytes", is_final=False, end_s=0.1),
        heard("100", is_final=True, end_s=0.1),
        heard("150 bytes", is_final=False, end_s=0.15),
        heard("150", is_final=True, end_s=0.15),
    ]


def test_the_server_is_told_how_to_listen(client: ThanoSQL, gateway: FakeGateway) -> None:
    list(client.dictate([], model="mine.3", sample_rate_hz=8_000, endpoint_silence_s=0.5, max_utterance_s=9))
    (config,) = gateway.dictated
    assert (config.model, config.version, config.sample_rate_hz) == ("mine", 3, 8_000)
    assert config.endpoint_silence.ToMilliseconds() == 500
    assert config.max_utterance.ToMilliseconds() == 9_000
    assert config.interim_results


@pytest.mark.parametrize("model", ["mine.new", "mine.1.2", "mine.-1", "mine.99999999999"])
def test_a_model_with_a_version_that_is_none_is_refused(client: ThanoSQL, model: str) -> None:
    with pytest.raises(InvalidArgument, match=model):
        list(client.dictate([], model=model))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("sample_rate_hz", 44_100.5),
        ("sample_rate_hz", float("nan")),
        ("sample_rate_hz", 1 << 40),
        ("endpoint_silence_s", float("nan")),
        ("endpoint_silence_s", float("inf")),
        ("max_utterance_s", 1e300),
    ],
)
def test_a_number_that_no_message_holds_is_refused_with_advice(
    client: ThanoSQL, name: str, number: Any
) -> None:
    with pytest.raises(InvalidArgument, match=f"{name} is .*: give"):
        list(client.dictate([], **{name: number}))


def test_a_large_chunk_goes_in_small_messages(client: ThanoSQL) -> None:
    transcripts = list(client.dictate([bytes(100_000)]))
    assert len([transcript for transcript in transcripts if not transcript.is_final]) == 4
    assert transcripts[-1].text == "100000"


def test_a_refusal_is_an_exception_with_a_time_to_come_back(client: ThanoSQL, gateway: FakeGateway) -> None:
    gateway.failures.append(ThanosqlError(reason=Reason.OVERLOADED, message="full", retry_delay_s=2.0))

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(3200)

    with pytest.raises(Overloaded) as caught:
        list(client.dictate(endless()))
    assert caught.value.retry_after_s == 2.0


def test_a_microphone_that_fails_ends_the_dictation_with_its_own_error(client: ThanoSQL) -> None:
    def failing() -> Iterator[bytes]:
        yield bytes(100)
        raise OSError("the microphone is unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(client.dictate(failing()))


def test_an_iterator_that_ends_its_thread_ends_the_dictation(client: ThanoSQL) -> None:
    def leaving() -> Iterator[bytes]:
        yield bytes(100)
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match=r"chunks ended with SystemExit\(3\)"):
        list(client.dictate(leaving()))
    assert [transcript.text for transcript in client.dictate([bytes(10)])][-1] == "10"


def test_leaving_early_ends_the_call_also_while_the_microphone_waits(
    client: ThanoSQL, gateway: FakeGateway
) -> None:
    plugged = threading.Event()

    def waiting() -> Iterator[bytes]:
        yield bytes(100)
        plugged.wait(60)

    transcripts = client.dictate(waiting())
    assert next(transcripts).text == "100 bytes"
    transcripts.close()
    assert gateway.cancelled.wait(10)
    plugged.set()


async def test_the_asynchronous_client_takes_asynchronous_chunks(gateway: FakeGateway, address: str) -> None:
    async def chunks() -> AsyncIterator[Chunk]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield bytes(10)

    async with AsyncThanoSQL(address, gateway.token) as client:
        texts = [transcript.text async for transcript in client.dictate(chunks())]
    assert texts == ["10 bytes", "20 bytes", "30 bytes", "30"]


def test_a_wav_file_is_dictated_at_its_own_rate(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    result = run("dictate", str(wav_file(tmp_path / "a.wav")))
    assert (result.exit_code, result.stdout) == (0, "6400\n")
    assert gateway.dictated[0].sample_rate_hz == 8_000
    assert not gateway.dictated[0].interim_results  # nobody would see them


def test_channels_are_mixed_down(run: Run, tmp_path: Path) -> None:
    assert run("dictate", str(wav_file(tmp_path / "a.wav", channels=2))).stdout == "6400\n"


@pytest.mark.parametrize("cut_bytes", [1, 2, 3])
def test_a_wav_file_cut_inside_a_frame_is_dictated_up_to_there(
    run: Run, tmp_path: Path, cut_bytes: int
) -> None:
    path = wav_file(tmp_path / "a.wav", channels=2)
    path.write_bytes(path.read_bytes()[:-cut_bytes])
    result = run("dictate", str(path))
    assert (result.exit_code, result.stdout) == (0, "6398\n")


def test_a_wav_file_that_was_never_finished_is_dictated_to_its_end(run: Run, tmp_path: Path) -> None:
    path = wav_file(tmp_path / "a.wav", channels=2)
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes(4) + content[44:])
    assert run("dictate", str(path)).stdout == "6400\n"


def test_raw_samples_come_from_the_standard_input(run: Run, gateway: FakeGateway) -> None:
    result = run("dictate", "--sample-rate", "44100", "--format", "json", "-", input=bytes(9000))
    assert json.loads(result.stdout) == {"start_s": 0.0, "end_s": 9.0, "text": "9000"}
    assert gateway.dictated[0].sample_rate_hz == 44_100


def test_words_come_with_their_times_when_asked_for(run: Run) -> None:
    result = run("dictate", "--format", "words", "-", input=bytes(9000))
    assert json.loads(result.stdout) == {
        "start_s": 0.0,
        "end_s": 9.0,
        "text": "9000",
        "confidence": 0.25,
        "words": [{"text": "9000", "start_s": 0.0, "end_s": 9.0, "confidence": 0.25}],
    }


def test_a_wav_file_comes_from_the_standard_input_too(run: Run, tmp_path: Path) -> None:
    content = wav_file(tmp_path / "a.wav").read_bytes()
    assert run("dictate", "-", input=content).stdout == "6400\n"


@pytest.mark.parametrize(("width", "word"), [(1, "8 bits"), (4, "32 bits")])
def test_a_wav_file_of_another_kind_is_refused_with_advice(
    run: Run, tmp_path: Path, width: int, word: str
) -> None:
    result = run("dictate", str(wav_file(tmp_path / "a.wav", width=width)))
    assert result.exit_code == 1
    assert word in result.stderr
    assert "thanosql transcribe" in result.stderr


def test_a_file_that_only_begins_like_a_wav_file_is_refused(run: Run) -> None:
    result = run("dictate", "-", input=io.BytesIO(b"RIFFxxxxJUNK").read())
    assert (result.exit_code, "cannot be dictated" in result.stderr) == (1, True)


@contextmanager
def dictating(address: str, gateway: FakeGateway) -> Iterator[subprocess.Popen[bytes]]:
    """The command, once the server has 6400 bytes, while it waits for more from a microphone."""
    environment = {**os.environ, "THANOSQL_ADDRESS": address, "THANOSQL_API_TOKEN": gateway.token}
    command = [sys.executable, "-m", "thanosql", "dictate", "-"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(bytes(6400))
        process.stdin.flush()
        while gateway.dictated_bytes < 6400:
            threading.Event().wait(0.05)
        yield process


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.wait(30), process.stdout.read().decode(), process.stderr.read().decode()


def test_ctrl_c_ends_the_audio_and_the_last_words_are_heard(address: str, gateway: FakeGateway) -> None:
    with dictating(address, gateway) as process:
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "6400\n", "")


def test_a_second_ctrl_c_cancels(address: str, gateway: FakeGateway) -> None:
    gateway.finals_held = True
    with dictating(address, gateway) as process:
        process.send_signal(signal.SIGINT)
        assert gateway.audio_ended.wait(30)
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "", "interrupted; the work was cancelled\n")
