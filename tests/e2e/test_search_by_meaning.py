"""CONVERT of texts and SEARCH TEXT through a whole system, with a text encoder that a setting brings."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.deployment import Deployment, one_process
from tests.fakes.text_encoders import write_tiny_encoder
from thanosql import ThanoSQL
from thanosql.cli.main import main
from thanosql.errors import InvalidModel, NotFound

TEXTS = ["the bell rings", "the library opens", "a good morning", "where the door opens", "a bell and a door"]
CONVERT = "CONVERT USING TextEncoder OPTIONS (text_col='text') AS SELECT * FROM t"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system with a text encoder, and the table `t` of texts, two of which are none."""
    folder = tmp_path_factory.mktemp("texts")
    lines = ["audio_path,text", *(f"{number}.wav,{text}" for number, text in enumerate([*TEXTS, "", " "]))]
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    settings = {
        "THANOSQL_OBJECTS__WORKSPACE": str(folder),
        "THANOSQL_STORAGE__TEXT_ENCODER": str(write_tiny_encoder(tmp_path_factory.mktemp("encoder"))),
        "THANOSQL_PREDICTOR__PRELOAD": "",
    }
    with one_process(tmp_path_factory.mktemp("server") / "home", settings) as server:
        with ThanoSQL(server.address, token=server.token) as client:
            client.execute("COPY t FROM 't.csv'")
        yield server


@pytest.fixture
def db(running: Deployment) -> Iterator[ThanoSQL]:
    with ThanoSQL(running.address, token=running.token) as client:
        yield client


def typed(running: Deployment, *words: str) -> Result:
    """What the command prints at a terminal."""
    environment = {"THANOSQL_ADDRESS": running.address, "THANOSQL_API_TOKEN": running.token, "COLUMNS": "200"}
    return CliRunner(env=environment).invoke(main, ["sql", *words])


def found(db: ThanoSQL, text: str, query: str = f"({CONVERT})") -> Sequence[tuple[str, float]]:
    search = f"SEARCH TEXT USING TextEncoder OPTIONS (search_input='{text}') AS {query}"
    return [(row["text"], row["search_result"]) for row in db.execute(search).rows]


def test_the_catalog_says_what_the_model_reads(db: ThanoSQL) -> None:
    families = {row["name"]: row["family"] for row in db.execute("LIST MODEL").rows}
    assert families["TextEncoder"] == "TEXT_ENCODER"
    assert families["tutorial_audio_recognition"] == "RECOGNISER"
    told = {row["property"]: row["value"] for row in db.execute("DESCRIBE MODEL TextEncoder").rows}
    assert (told["kind"], told["family"]) == ("BASE", "TEXT_ENCODER")
    answer = db.execute(f"{CONVERT} LIMIT 1")
    assert answer.model is not None
    assert (answer.model.kind, answer.model.family) == ("base", "text_encoder")


def test_a_text_finds_itself_first_with_a_score_of_one(db: ThanoSQL) -> None:
    for text in TEXTS:
        best = found(db, text)
        assert (best[0][0], len(best)) == (text, len(TEXTS))
        assert best[0][1] == pytest.approx(1.0, abs=2e-6)
        assert best[1][1] < 0.999


def test_embeddings_are_kept_and_searched_within_the_filters_of_a_query(db: ThanoSQL) -> None:
    db.execute(f"CREATE TABLE e AS {CONVERT}")
    failed = db.execute("SELECT error FROM e WHERE convert_result IS NULL").rows
    assert [row["error"].split(":")[0] for row in failed] == ["TEXT_EMPTY", "TEXT_EMPTY"]
    kept, made = found(db, TEXTS[0], "SELECT * FROM e"), found(db, TEXTS[0])
    assert [text for text, _score in kept] == [text for text, _score in made]
    # The last decimal depends on which texts shared a batch.
    assert [score for _text, score in kept] == pytest.approx([score for _text, score in made], abs=5e-6)
    narrowed = found(db, TEXTS[0], f"SELECT * FROM e WHERE text <> '{TEXTS[0]}'")
    assert narrowed == found(db, TEXTS[0], "SELECT * FROM e")[1:]


def test_at_a_terminal_the_best_texts_stand_first(running: Deployment) -> None:
    search = "SEARCH TEXT USING TextEncoder OPTIONS (search_input='the bell rings', top_k=2)"
    answer = typed(running, f"SELECT text, search_result FROM ({search} AS {CONVERT})")
    assert answer.exit_code == 0, answer.output
    assert "the bell rings" in answer.output
    explained = typed(running, f"EXPLAIN {search} AS {CONVERT}")
    assert "embed the texts in column 'text' with model TextEncoder.1, 24 numbers each" in explained.output


@pytest.mark.parametrize(
    "statement",
    [
        "PREDICT USING TextEncoder AS SELECT * FROM t",
        "EXPLAIN PREDICT USING TextEncoder AS SELECT * FROM t",
        "EVALUATE USING TextEncoder AS SELECT * FROM t",
        "EXPLAIN EVALUATE USING TextEncoder AS SELECT * FROM t",
        "CONVERT USING TextEncoder AS SELECT * FROM t",
        "BUILD MODEL m USING TextEncoder AS SELECT * FROM t",
        "EXPLAIN FIT MODEL m USING TextEncoder AS SELECT * FROM t",
        "SEARCH AUDIO USING TextEncoder OPTIONS (search_input='a', emb_col='b') AS SELECT [1]::REAL[] AS b",
    ],
)
def test_what_needs_recordings_refuses_it_at_its_name(
    db: ThanoSQL, running: Deployment, statement: str
) -> None:
    with pytest.raises(
        InvalidModel, match="text encoder, which reads texts and hears no recordings"
    ) as raised:
        db.execute(statement)
    assert raised.value.reason == "INVALID_CHECKPOINT"
    assert "^^^^^^^^^^^" in typed(running, statement).output


def test_a_recogniser_is_refused_where_texts_are_read(db: ThanoSQL) -> None:
    for statement in (
        "CONVERT USING tutorial_audio_recognition OPTIONS (text_col='text') AS SELECT * FROM t",
        "SEARCH TEXT USING tutorial_audio_recognition OPTIONS (search_input='a') AS SELECT * FROM t",
    ):
        with pytest.raises(InvalidModel, match="hears recordings and reads no texts"):
            db.execute(statement)


def test_where_no_encoder_is_configured_the_error_says_which_setting_brings_one(tmp_path: Path) -> None:
    settings = {"THANOSQL_OBJECTS__WORKSPACE": str(tmp_path), "THANOSQL_PREDICTOR__PRELOAD": ""}
    with (
        one_process(tmp_path / "home", settings) as server,
        ThanoSQL(server.address, token=server.token) as client,
        pytest.raises(NotFound, match="set THANOSQL_STORAGE__TEXT_ENCODER to a folder"),
    ):
        client.execute("CONVERT USING TextEncoder OPTIONS (text_col='a') AS SELECT 'b' AS a")
