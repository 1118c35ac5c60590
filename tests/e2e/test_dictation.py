"""Dictation through whole systems, with the bundled model: in one process, and in five."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.deployment import TOPOLOGIES
from tests.e2e.conftest import EXAMPLES
from thanosql import ThanoSQL
from thanosql_audio.decoding import decode

RECORDINGS = EXAMPLES / "tutorial_data" / "librispeech_data" / "audio"
NAMES = ("test_001.flac", "test_002.flac")


def chunks() -> list[bytes]:
    """Two recordings with a second of silence behind each, in tenths of a second."""
    silence = np.zeros(16_000, dtype=np.float32)
    spoken = [decode((RECORDINGS / name).read_bytes()).samples for name in NAMES]
    samples = np.concatenate([part for recording in spoken for part in (recording, silence)])
    audio = np.round(samples * 32_767).astype("<i2").tobytes()
    return [audio[begin : begin + 3200] for begin in range(0, len(audio), 3200)]


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_what_is_dictated_is_much_like_what_is_transcribed(topology: str, tmp_path: Path) -> None:
    environment = {"THANOSQL_OBJECTS__WORKSPACE": str(RECORDINGS)}
    with (
        TOPOLOGIES[topology](tmp_path / "home", environment) as server,
        ThanoSQL(server.address, server.token) as client,
    ):
        finals = [heard for heard in client.dictate(chunks()) if heard.is_final]
        values = ", ".join(f"('{name}')" for name in NAMES)
        query = f"SELECT * FROM (VALUES {values}) AS t(audio_path)"
        rows = client.execute(f"PREDICT USING tutorial_audio_recognition AS {query}").rows
    dictated = " ".join(heard.text for heard in finals).split()
    transcribed = " ".join(row["predicted"] for row in rows).split()
    assert len(finals) >= 2
    assert all(before.end_s <= after.start_s for before, after in pairwise(finals))
    assert len(set(dictated) & set(transcribed)) > len(set(transcribed)) / 2
