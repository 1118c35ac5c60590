"""Whole systems: the client, a socket, the five services, real recordings, the bundled model."""

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.deployment import ROOT, Deployment, one_process
from thanosql import ThanoSQL

EXAMPLES = ROOT / "examples"


def write_tone(path: Path, duration_s: float, rate_hz: int = 16_000) -> None:
    """A wav file of a quiet tone."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    samples = (8_000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a user, with files that are wrong in one way each."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "audio").mkdir()
    write_tone(folder / "audio" / "tone.wav", 1.0)
    write_tone(folder / "audio" / "click.wav", 0.005)
    write_tone(folder / "audio" / "empty.wav", 0.0)
    (folder / "audio" / "text.wav").write_text("this is no recording")
    tables = {
        "rows": "audio_path,text\naudio/tone.wav,A TONE\n",
        "mixed": (
            "audio_path,text\naudio/tone.wav,A TONE\naudio/missing.wav,GONE\naudio/text.wav,WRONG\n"
            "audio/empty.wav,NOTHING\naudio/click.wav,A\n../secret.wav,OUT\n/etc/passwd,OUT\n"
        ),
        "no_audio_column": "file,text\naudio/tone.wav,A TONE\n",
        "no_rows": "audio_path,text\n",
        "strange_text": "audio_path,text\naudio/tone.wav,日本語\naudio/tone.wav,42 %\n",
    }
    for name, content in tables.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    (folder / "latin1.csv").write_bytes("audio_path,text\naudio/tone.wav,caf\xe9\n".encode("latin-1"))
    (folder / "link_out").symlink_to("/etc")
    return folder


@pytest.fixture(scope="session")
def deployment(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Everything in one process over that folder."""
    home = tmp_path_factory.mktemp("server") / "home"
    with one_process(home, {"THANOSQL_OBJECTS__WORKSPACE": str(workspace)}) as running:
        yield running


@pytest.fixture
def db(deployment: Deployment) -> Iterator[ThanoSQL]:
    """A client with the right token."""
    with ThanoSQL(deployment.address, token=deployment.token) as client:
        yield client
