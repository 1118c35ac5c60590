"""CONVERT and SEARCH AUDIO on the tutorial's recordings: of the same sound, and of the same speaker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.deployment import one_process
from tests.e2e.conftest import EXAMPLES
from thanosql import ThanoSQL

RECORDINGS = EXAMPLES / "tutorial_data" / "librispeech_data" / "audio"
SPEAKERS = 4  # They take turns: see scripts/make_tutorial_data.py.
USING = "USING tutorial_audio_recognition"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThanoSQL]:
    """The first 32 recordings of the test table, embedded in the table `e`, beside three that are broken."""
    folder = tmp_path_factory.mktemp("recordings")
    paths = sorted(RECORDINGS.glob("test_*"))[:32]
    for path in paths:
        shutil.copy(path, folder / path.name)
    _disturb(folder / paths[4].name, folder / "disturbed.wav")
    soundfile.write(folder / "silence.wav", np.zeros(16_000, np.float32), 16_000)
    (folder / "words.wav").write_text("no recording")
    names = [path.name for path in paths] + ["silence.wav", "words.wav", "missing.wav"]
    (folder / "t.csv").write_text("\n".join(["audio_path", *names]) + "\n")
    home = tmp_path_factory.mktemp("server") / "home"
    with (
        one_process(home, {"THANOSQL_OBJECTS__WORKSPACE": str(folder)}) as server,
        ThanoSQL(server.address, token=server.token) as client,
    ):
        client.execute("COPY t FROM 't.csv'")
        client.execute(f"CREATE TABLE e AS CONVERT {USING} AS SELECT * FROM t")
        yield client


def search(client: ThanoSQL, path: str, query: str = "SELECT * FROM e") -> list[tuple[str, float]]:
    text = f"SEARCH AUDIO {USING} OPTIONS (search_input='{path}') AS {query}"
    return [(row["audio_path"], row["search_result"]) for row in client.execute(text).rows]


def test_a_recording_finds_itself_with_a_score_of_one(recordings: ThanoSQL) -> None:
    assert search(recordings, "test_007.flac")[0] == ("test_007.flac", 1.0)


def test_a_disturbed_recording_finds_its_original(recordings: ThanoSQL) -> None:
    found = search(recordings, "disturbed.wav")
    assert found[0][0] == "test_005.flac"
    assert found[1][1] < found[0][1] < 1.0


def test_broken_recordings_have_no_embedding_and_are_left_out(recordings: ThanoSQL) -> None:
    failed = recordings.execute("SELECT audio_path, error FROM e WHERE convert_result IS NULL").rows
    assert [(row["audio_path"], row["error"].split(":")[0]) for row in failed] == [
        ("silence.wav", "AUDIO_EMPTY"),
        ("words.wav", "AUDIO_UNREADABLE"),
        ("missing.wav", "AUDIO_NOT_FOUND"),
    ]
    assert len(search(recordings, "test_007.flac")) == 32


def test_a_speaker_lies_nearer_to_himself_than_to_others(recordings: ThanoSQL) -> None:
    nearer = 0
    for number in range(1, 17):
        own, others = [], []
        path = next(RECORDINGS.glob(f"test_{number:03}.*")).name
        for found, score in search(recordings, path, f"SELECT * FROM e WHERE audio_path <> '{path}'"):
            same = (int(Path(found).stem.split("_")[1]) - number) % SPEAKERS == 0
            (own if same else others).append(score)
        nearer += np.mean(own) > np.mean(others)
    assert nearer >= 14


def _disturb(original: Path, disturbed: Path) -> None:
    samples, rate_hz = soundfile.read(original, dtype="float32")
    noise = np.random.default_rng(1).normal(scale=0.002, size=len(samples)).astype(np.float32)
    soundfile.write(disturbed, 0.5 * samples + noise, rate_hz)
