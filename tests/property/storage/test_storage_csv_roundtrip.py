"""Whatever a csv writer writes, COPY reads back."""

import csv
import io
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.tables import Tables
from tests.fakes.storage_recordings import recordings_at
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)
# A letter in front keeps a column text, whatever follows.
ROWS = st.lists(st.tuples(TEXT.map(lambda t: f"x{t}"), st.integers(-(10**17), 10**17), TEXT), max_size=12)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, newline=st.sampled_from(["\n", "\r\n"]), mark=st.booleans())
def test_a_csv_reads_back_as_it_was_written(
    rows: list[tuple[str, int, str]], newline: str, mark: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=newline, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["label", "number", "free"])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "t.csv").write_text(
            ("\ufeff" if mark else "") + text.getvalue(), encoding="utf-8", newline=""
        )
        tables = Tables(root / "tables")
        workspace = Workspace(LocalDirectory(root, read_only=True), LocalDirectory(root / "objects"))
        command = CopyCommand(tables, Quarantines(tables), workspace, recordings_at(root, workspace))
        outcome = command.run(CopyRequest(table="t", source="t.csv"), lambda _: None)
        table = tables.dataset("t").to_table()
    assert outcome.rows_quarantined == 0
    assert table.column("label").to_pylist() == [label for label, _, _ in rows]
    if rows:
        assert table.column("number").to_pylist() == [number for _, number, _ in rows]
    if table.schema.field("free").type == "string":  # Texts may happen to be numbers.
        assert table.column("free").to_pylist() == [free for _, _, free in rows]
