"""The tutorial notebook runs unchanged, with a real kernel, against a real server of its own."""

import base64
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from thanosql import LocalServer

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "tutorial.ipynb"

pytestmark = [pytest.mark.timeout(1500), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

# Section 0 of the language reference: these cells stay as they are, letter by letter.
TUTORIAL = (
    "COPY librispeech_train OPTIONS(overwrite = True) FROM "
    '"tutorial_data/librispeech_data/librispeech_train.csv"',
    "COPY librispeech_test  OPTIONS(overwrite = True) FROM "
    '"tutorial_data/librispeech_data/librispeech_test.csv"',
    "SELECT * FROM librispeech_train LIMIT 5",
    "PRINT AUDIO AS SELECT audio_path FROM librispeech_train LIMIT 3",
    "PREDICT USING tutorial_audio_recognition\n"
    "OPTIONS (audio_col='audio_path', text_col='text', epochs=1, batch_size=8)\n"
    "AS SELECT * FROM librispeech_train",
    "BUILD MODEL my_speech_recognition_model USING Wav2Vec2En\n"
    "OPTIONS (audio_col='audio_path', text_col='text', epochs=1, batch_size=4, overwrite=True)\n"
    "AS SELECT * FROM librispeech_train",
    "PREDICT USING my_speech_recognition_model OPTIONS (audio_col='audio_path') "
    "AS SELECT * FROM librispeech_test",
)


# A notebook is a mapping of whatever its cells hold, and its makers carry no types.
def read_notebook() -> Any:
    reader: Any = nbformat
    return reader.read(NOTEBOOK, as_version=4)


def statements(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.source.startswith("%%thanosql\n")]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The statement cells of the tutorial, after they have run."""
    notebook = read_notebook()
    home = tmp_path_factory.mktemp("home")
    with LocalServer(workspace=ROOT / "examples", home=home) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("THANOSQL_ADDRESS", server.address)
        patch.setenv("THANOSQL_API_TOKEN", server.token)
        NotebookClient(notebook, timeout=1200, kernel_name="python3").execute()
    return statements(notebook)


def html_of(cell: Any) -> str:
    return "\n".join(output.data.get("text/html", "") for output in cell.outputs if "data" in output)


def test_the_statements_are_those_of_the_language_reference() -> None:
    cells = [cell.source.removeprefix("%%thanosql\n") for cell in statements(read_notebook())]
    assert tuple(cells[: len(TUTORIAL)]) == TUTORIAL
    assert [cell.split()[0] for cell in cells[len(TUTORIAL) :]] == ["EVALUATE", "EVALUATE"]


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = [cell for cell in read_notebook().cells if cell.cell_type == "code"]
    assert cells[0].source == "%load_ext thanosql\n%thanosql API_TOKEN=<Issued_API_TOKEN>"
    assert [cell.outputs for cell in cells] == [[]] * len(cells)


def test_no_cell_failed_and_no_progress_bar_is_left(executed: list[Any]) -> None:
    for cell in executed:
        assert all(output.output_type != "error" for output in cell.outputs)
        assert "<progress" not in html_of(cell)


def test_players_hold_the_audio(executed: list[Any]) -> None:
    html = html_of(executed[3])
    players = re.findall(r'src="data:([^;]+);base64,([^"]+)"', html)
    assert len(players) == 3
    for mime, encoded in players:
        data = base64.b64decode(encoded)
        assert mime.startswith("audio/")
        assert data[:4] in (b"fLaC", b"RIFF")
        assert len(data) > 1000
    assert html.count("tutorial_data/librispeech_data/audio/") >= 3


def test_tables_are_frames_with_rows(executed: list[Any]) -> None:
    assert "5 rows" in html_of(executed[2])
    for number in (2, 4, 6, 7, 8):
        assert 'class="dataframe"' in html_of(executed[number])


def test_predictions_have_a_column_of_text(executed: list[Any]) -> None:
    for number in (4, 6):
        html = html_of(executed[number])
        assert "<th>predicted</th>" in html
        assert re.search(r"<td>[A-Z' ]{5,}</td>", html)


def test_the_trained_model_is_shown_with_its_word_error_rate(executed: list[Any]) -> None:
    html = html_of(executed[5])
    assert "my_speech_recognition_model" in html
    assert re.search(r"wer", html, re.IGNORECASE)


def test_word_error_rates_before_and_after_are_rates(executed: list[Any]) -> None:
    before, after = (float(word_error_rate(html_of(cell))) for cell in executed[7:9])
    assert 0 <= before < 1
    assert 0 <= after < 1


def word_error_rate(html: str) -> str:
    """The first cell under a column `wer`, in a table as pandas writes it."""
    head, body = html.split("<tbody>", 1)
    names = re.findall(r"<th>([^<]*)</th>", head.split("<thead>", 1)[1])
    values = re.findall(r"<td>([^<]*)</td>", body)
    return str(values[[name.lower() for name in names].index("wer")])
