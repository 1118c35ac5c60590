"""What COPY answers, errors above all, as a person sees it: parser, gateway and storage are the real ones."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.fakes.gateway_client import Answer, Client
from tests.fakes.gateway_on_storage import gateway_on_storage
from tests.golden.cases import Case, read_cases, write_cases
from tests.golden.plan_text import error_text

GOLDEN = Path(__file__).parent / "copy_answers.sql"
TEXTS = {
    "people.csv": "name,age,born\nana,30,1994-05-01\nbob,40,1984-12-31\n",
    "broken.csv": 'a,b\n1,2\n3\n"x\ny",5,6\n7,8\n',
    "semicolons.csv": "name,age\nana;30\nbob;40\n",
    "twice.csv": "name,Name\nana,bob\n",
    "control.csv": "na\x07me,age\nana,30\n",
    "quote.csv": 'a\n"' + "x" * 3_000_000,
    "text_age.csv": "name,age\neve,unknown\n",
    "broken.json": '[{"a": 1},\n {"a" 2}]',
    "numbers.json": "[1,\n2]",
    "broken.parquet": "no parquet",
    "broken.xlsx": "no workbook",
    "empty.csv": "",
    "empty.jsonl": "\n",
    "notes.md": "# notes",
    "LICENSE": "free",
    "texts/a.txt": "text",
    "noise/a.wav": "this is no recording",
    "audio/text.wav": "this is no recording",
    "libri/84/1/84-1.trans.txt": "84-1-0000 HELLO WORLD\n84-1-0002 GONE\n",
    ".env": "SECRET=1",
}
BYTES = {
    "latin.csv": "name\ncafé\n".encode("latin-1"),
    "utf16.csv": "name\ncafé\n".encode("utf-16"),
    "latin.jsonl": '{"name": "café"}\n'.encode("latin-1"),
    "latin_libri/a.trans.txt": "1 CAFÉ\n".encode("latin-1"),
}
RECORDINGS = ("audio/tone.wav", "libri/84/1/84-1-0000.flac", "libri/84/1/84-1-0001.flac", "latin_libri/1.wav")
BEFORE = """DROP TABLE IF EXISTS u; DROP TABLE IF EXISTS u_quarantine;
COPY t OPTIONS(overwrite=True) FROM 'people.csv';
COPY wide OPTIONS(overwrite=True) FROM '[{"x": 0.5}]'"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    contents = BYTES | {name: text.encode() for name, text in TEXTS.items()}
    for name in (*contents, *RECORDINGS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for name in RECORDINGS:
        soundfile.write(folder / name, np.zeros(1600, np.float32), 16000)
    (folder / "link_out").symlink_to("/etc")
    return folder


@pytest.fixture
async def client(tmp_path: Path, workspace: Path) -> AsyncIterator[Client]:
    async with gateway_on_storage(tmp_path, workspace) as made:
        yield made


def answer_text(answer: Answer, text: str) -> str:
    """The error as the client draws it, or the rows with all that is said beside them."""
    if answer.failure is not None:
        return error_text(answer.failure, text)
    lines = ["  ".join(str(value) for value in row.values()) for row in answer.rows]
    lines.append(answer.done.message)
    lines += [f"notice: {notice}" for notice in answer.notices]
    for group in answer.of("row_errors"):
        lines += [f"row {e.row}  {e.subject}: {e.message} {e.reason}" for e in group.errors]
    return "\n".join(lines)


async def test_explain_fails_where_and_as_the_copy_does(client: Client) -> None:
    for case in read_cases(GOLDEN):
        if not case.text.startswith("COPY"):
            continue
        await client.succeed(BEFORE)
        explained = await client.run(f"EXPLAIN {case.text}")
        tables = await client.run("SELECT name, version FROM (LIST TABLE) ORDER BY name")
        assert [row["name"] for row in tables.rows] == ["t", "wide"], case.title
        copied = await client.run(case.text)
        assert (explained.failure is None) is (copied.failure is None), case.title
        if explained.failure is not None and copied.failure is not None:
            assert explained.failure.reason is copied.failure.reason, case.title
            assert explained.failure.message == copied.failure.message, case.title


async def test_copy_answers_what_the_golden_file_says(client: Client) -> None:
    cases, answered = read_cases(GOLDEN), list[Case]()
    for case in cases:
        await client.succeed(BEFORE)
        answered.append(case.with_expected(answer_text(await client.run(case.text), case.text)))
    if os.environ.get("UPDATE_GOLDEN"):
        write_cases(GOLDEN, answered)
        return
    for case, given in zip(cases, answered, strict=True):
        assert given.expected == case.expected, case.title
