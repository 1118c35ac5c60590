"""`%%thanosql` in a real kernel, against a gateway that answers as told."""

import base64
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import nbformat
import pyarrow as pa
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.fakes.sdk_gateway import (
    FLAC,
    FakeGateway,
    done,
    notice,
    progress,
    recording,
    row_errors,
    rows,
    started,
    unknown_option,
)
from thanosql.tokens import keep_token
from thanosql.v1 import types_pb2

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


V4: Any = nbformat.v4  # its makers carry no types


# A notebook is a mapping of whatever its cells hold.
def execute(cells: list[str], address: str, token: str) -> Any:
    head = ["%load_ext thanosql", f"%thanosql ADDRESS={address} API_TOKEN={token}"]
    sources = [V4.new_code_cell(source) for source in [*head, *cells]]
    notebook = V4.new_notebook(cells=sources)
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    try:
        client.execute()
    except CellExecutionError as failure:
        notebook.failure = failure
    return notebook


def outputs(notebook: Any, kind: str, number: int = -1) -> list[Any]:
    found = [output.data for output in notebook.cells[number].outputs if "data" in output]
    return [data[kind] for data in found if kind in data]


def test_cells_go_unchanged_and_rows_come_as_a_frame(gateway: FakeGateway, address: str) -> None:
    text = "SELECT \"a\", '$HOME {x} %s', '\\n' FROM t"
    gateway.answers[text] = gateway.answers["SELECT * FROM t"]
    notebook = execute(
        [f"%%thanosql\n{text}\n", "print(type(_).__name__, list(_.columns), len(_))"], address, gateway.token
    )
    assert gateway.texts == [f"{text}\n"]
    assert notebook.cells[-1].outputs[0].text == "DataFrame ['audio_path', 'predicted'] 3\n"
    assert gateway.token not in str([cell.outputs for cell in notebook.cells])


def test_a_line_magic_runs_a_statement(gateway: FakeGateway, address: str) -> None:
    notebook = execute(["frame = %thanosql SELECT * FROM t\nprint(len(frame))"], address, gateway.token)
    assert notebook.cells[-1].outputs[-1].text == "3\n"


def test_players_hold_the_bytes_of_the_recordings(gateway: FakeGateway, address: str) -> None:
    gateway.answers["PRINT"] = [
        started("PRINT"),
        *recording(0, "a<b.flac"),
        *recording(1, "c.flac"),
        done("2 recordings"),
    ]
    notebook = execute(["%%thanosql\nPRINT"], address, gateway.token)
    html = outputs(notebook, "text/html")
    players = [part for part in html if "<audio" in part]
    assert len(players) == 2
    for part in players:
        mime, encoded = re.search(r"data:([^;]+);base64,([^\"]+)", part).groups()  # type: ignore[union-attr]
        assert (mime, base64.b64decode(encoded)) == ("audio/flac", FLAC)
    assert any("a&lt;b.flac" in part for part in html)


def test_progress_ends_as_what_the_statement_says(gateway: FakeGateway, address: str) -> None:
    failed = types_pb2.RowError(row=2, subject="c<d.wav", reason="AUDIO_EMPTY", message="no samples")
    gateway.answers["BUILD"] = [
        started("BUILD MODEL"),
        notice("the bundled checkpoint is used"),
        progress("training", 5, total=9, unit="steps", loss=1.5),
        row_errors(failed),
        done(
            "built in 3 s",
            row_errors=1,
            model=types_pb2.ModelVersion(name="m", version=2, metrics={"wer": 0.25}),
        ),
    ]
    notebook = execute(["%%thanosql\nBUILD"], address, gateway.token)
    said, card = outputs(notebook, "text/html")
    assert "<progress" not in said
    assert "built in 3 s" in said
    assert "the bundled checkpoint is used" in said
    assert "1 row failed" in said
    assert "c&lt;d.wav" in said
    assert "m.2" in card
    assert "25.0 %" in card


def test_an_error_is_drawn_without_a_traceback_and_fails_the_cell(gateway: FakeGateway, address: str) -> None:
    text = "BUILD MODEL m USING b OPTIONS (epoch=1) AS SELECT 1"
    gateway.answers[text] = unknown_option(text)
    notebook = execute([f"%%thanosql\n{text}", "print('reached')"], address, gateway.token)
    (output,) = notebook.cells[2].outputs
    assert output.output_type == "error"
    assert "did you mean 'epochs'?" in "\n".join(output.traceback)
    assert not any("Traceback" in line or "notebook.py" in line for line in output.traceback)
    assert notebook.cells[3].outputs == []


def test_results_before_a_failure_are_shown(gateway: FakeGateway, address: str) -> None:
    def answer() -> object:
        for number, name in enumerate(("first", "second")):
            yield started("SELECT", number)
            yield from rows(pa.table({name: [number]}))
            yield done("1 row", number)
        raise AssertionError("the third statement fails in the server")

    gateway.answers["three"] = answer()  # type: ignore[assignment]
    notebook = execute(["%%thanosql\nthree"], address, gateway.token)
    frames = [part for part in outputs(notebook, "text/html") if "dataframe" in part]
    assert ["<th>first</th>" in frames[0], "<th>second</th>" in frames[1]] == [True, True]
    assert notebook.cells[-1].outputs[-1].output_type == "error"


def test_every_result_stands_where_its_statement_ended(gateway: FakeGateway, address: str) -> None:
    first, second = rows(pa.table({"first": [1]})), rows(pa.table({"second": [2]}))
    gateway.answers["two"] = [
        started("SELECT"),
        *first,
        done("1 row"),
        started("PREDICT", 1),
        progress("transcribing", 1, total=1, unit="rows"),
        *second,
        done("heard", 1),
    ]
    notebook = execute(["%%thanosql\ntwo"], address, gateway.token)
    html = outputs(notebook, "text/html")
    assert ["first" in html[1], "heard" in html[2], "second" in html[3]] == [True, True, True]


def test_a_token_is_not_taken_to_another_address(gateway: FakeGateway, address: str) -> None:
    notebook = execute(
        [f"%thanosql ADDRESS={address}", "%%thanosql\nSELECT * FROM t"], "there:1", gateway.token
    )
    assert notebook.cells[-1].outputs[0].output_type == "error"
    assert gateway.texts == []


def test_the_placeholder_falls_back_to_the_token_kept_for_the_address(
    gateway: FakeGateway, address: str
) -> None:
    keep_token(gateway.token, address)
    notebook = execute(["%%thanosql\nSELECT * FROM t"], address, "<Issued_API_TOKEN>")
    assert f"kept for {address}" in notebook.cells[1].outputs[0].text
    assert "HELLO" in outputs(notebook, "text/html")[-1]


def test_a_wrong_token_says_how_to_connect(gateway: FakeGateway, address: str) -> None:
    notebook = execute(["%%thanosql\nSELECT * FROM t"], address, "wrong")
    assert "%thanosql API_TOKEN=" in "\n".join(notebook.cells[-1].outputs[0].traceback)


def test_an_interrupt_of_the_kernel_cancels_the_work(
    gateway: FakeGateway, address: str, tmp_path: Path
) -> None:
    def interrupt() -> None:
        gateway.hanging.wait(60)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    tell = f"import os, pathlib\n_ = pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))"
    notebook = execute([tell, "%%thanosql\nBUILD for ever"], address, gateway.token)
    thread.join()
    assert gateway.cancelled.wait(30)
    assert "the work was cancelled" in "\n".join(notebook.cells[-1].outputs[-1].traceback)


def test_the_placeholder_of_the_tutorial_falls_back_to_the_environment(
    gateway: FakeGateway, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THANOSQL_API_TOKEN", gateway.token)
    notebook = execute(
        ["%thanosql API_TOKEN=<Issued_API_TOKEN>", "%%thanosql\nSELECT * FROM t"],
        address,
        "<Issued_API_TOKEN>",
    )
    assert "placeholder" in notebook.cells[2].outputs[0].text
    assert "HELLO" in outputs(notebook, "text/html")[-1]
