"""Recordings in keeping, as a user has them from the command line and from Python."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.deployment import Deployment
from thanosql import ThanoSQL

MODEL = "tutorial_audio_recognition"


def sql(deployment: Deployment, statement: str) -> "subprocess.CompletedProcess[str]":
    client = {"THANOSQL_ADDRESS": deployment.address, "THANOSQL_API_TOKEN": deployment.token}
    return subprocess.run(
        [sys.executable, "-m", "thanosql", "sql", "--format", "json", statement],
        env={**os.environ, **client},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_statement_works_with_recordings_that_copy_took_into_keeping(
    deployment: Deployment, db: ThanoSQL, workspace: Path, tmp_path: Path
) -> None:
    told = sql(deployment, "COPY calls OPTIONS(store_audio=True, overwrite=True) FROM 'mixed.csv'")
    assert told.returncode == 0, told.stderr
    assert "2 rows name recordings kept by content" in told.stderr
    rows = json.loads(sql(deployment, "SELECT * FROM calls ORDER BY duration DESC").stdout)
    tone = (workspace / "audio" / "tone.wav").read_bytes()
    key = rows[0]["audio_path"]
    assert key.endswith(f"/{hashlib.sha256(tone).hexdigest()}.wav")
    assert [row["source_path"] for row in rows] == ["audio/tone.wav", "audio/click.wav"]
    left_out = db.execute("SELECT reason FROM calls_quarantine ORDER BY reason").rows
    assert [row["reason"] for row in left_out] == [
        "AUDIO_EMPTY",
        "AUDIO_NOT_FOUND",
        "AUDIO_UNREADABLE",
        "PATH_OUTSIDE_WORKSPACE",
        "PATH_OUTSIDE_WORKSPACE",
    ]
    predicted = db.execute(f"PREDICT USING {MODEL} AS SELECT audio_path FROM calls").rows
    assert all(row["error"] is None for row in predicted)
    assert len(db.execute("PRINT AUDIO AS SELECT audio_path FROM calls").media) == 2
    evaluated = db.execute(f"EVALUATE USING {MODEL} AS SELECT * FROM calls WHERE duration > 0.5")
    assert evaluated.rows
    db.download(key, tmp_path / "tone.wav")
    assert (tmp_path / "tone.wav").read_bytes() == tone


def test_explain_says_what_would_be_stored(deployment: Deployment) -> None:
    steps = json.loads(sql(deployment, "EXPLAIN COPY c OPTIONS(store_audio=True) FROM 'mixed.csv'").stdout)
    assert "each recording once by its content: 2 recordings in the first 7 rows" in steps[1]["what"]


def test_a_slip_in_the_option_names_the_nearest(deployment: Deployment) -> None:
    told = sql(deployment, "COPY c OPTIONS(store_audo=True) FROM 'mixed.csv'")
    assert told.returncode != 0
    assert "did you mean 'store_audio'?" in told.stderr
