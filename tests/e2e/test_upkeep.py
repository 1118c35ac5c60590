"""What a server keeps and has in memory: shown, forgotten, unloaded."""

from thanosql import ThanoSQL, ThanoSQLError

MODEL = "tutorial_audio_recognition"
PREDICT = f"PREDICT USING {MODEL} AS SELECT * FROM upkeep_rows"


def failure_of(db: ThanoSQL, statement: str) -> str:
    try:
        db.execute(statement)
    except ThanoSQLError as failure:
        return failure.reason
    raise AssertionError(f"{statement} did not fail")


def test_transcripts_are_shown_and_forgotten_by_model_and_in_all(db: ThanoSQL) -> None:
    db.execute("COPY upkeep_rows OPTIONS(overwrite=True) FROM 'rows.csv'")
    db.execute("DELETE TRANSCRIPTS")
    assert db.execute("SHOW TRANSCRIPTS").rows == []
    db.execute(PREDICT)
    db.execute("PREDICT USING Wav2Vec2En AS SELECT * FROM upkeep_rows")
    shown = db.execute("SHOW TRANSCRIPTS").rows
    assert [(row["model"], row["version"], row["transcripts"]) for row in shown] == [
        ("Wav2Vec2En", 1, 1),
        (MODEL, 1, 1),
    ]

    steps = str(db.execute(f"EXPLAIN DELETE TRANSCRIPTS USING {MODEL}.1").rows)
    assert f"delete 1 transcript of version 1 of model '{MODEL}' that is kept" in steps
    deleted = db.execute(f"DELETE TRANSCRIPTS USING {MODEL}.1")
    assert deleted.message == f"1 transcript of version 1 of model '{MODEL}' deleted"
    assert [row["model"] for row in db.execute("SHOW TRANSCRIPTS").rows] == ["Wav2Vec2En"]
    assert db.execute(PREDICT).rows_reused == 0
    assert db.execute("DELETE TRANSCRIPTS").message == "2 transcripts deleted"
    assert db.execute(f"DELETE TRANSCRIPTS USING {MODEL}").message.startswith("0 transcripts")
    assert failure_of(db, "DELETE TRANSCRIPTS USING nobody") == "MODEL_NOT_FOUND"


def test_a_model_is_unloaded_and_loaded_again_by_its_next_use(db: ThanoSQL) -> None:
    db.execute("COPY upkeep_rows OPTIONS(overwrite=True) FROM 'rows.csv'")
    db.execute(f"PREDICT USING {MODEL} OPTIONS(reuse=False) AS SELECT * FROM upkeep_rows")
    (loaded,) = [row for row in db.execute("SHOW LOADED MODELS").rows if row["model"] == MODEL]
    assert (loaded["version"], loaded["state"]) == (1, "READY")
    assert loaded["rows_succeeded"] > 0
    assert loaded["size_bytes"] > 0
    db.execute(f"EXPLAIN UNLOAD MODEL {MODEL}")
    assert db.execute(f"UNLOAD MODEL {MODEL}").message == f"model '{MODEL}' unloaded, 1 version"
    assert MODEL not in [row["model"] for row in db.execute("SHOW LOADED MODELS").rows]
    again = db.execute(f"UNLOAD MODEL {MODEL}.1")
    assert again.message == f"version 1 of model '{MODEL}' is not loaded; nothing was done"
    assert failure_of(db, "UNLOAD MODEL nobody") == "MODEL_NOT_FOUND"
    assert db.execute(f"PREDICT USING {MODEL} OPTIONS(reuse=False) AS SELECT * FROM upkeep_rows").rows
    assert MODEL in [row["model"] for row in db.execute("SHOW LOADED MODELS").rows]
