"""Transcripts with word times as subtitles and other files: SRT, WebVTT, TSV, JSON."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import pyarrow as pa

from thanosql.cues import Cue, cues_of
from thanosql.errors import InvalidArgument
from thanosql.result import Result
from thanosql.values import Word


def subtitles(result: Result, output_format: str = "srt", *, row: int = 0) -> str:
    """One recording of a PREDICT with `word_times=True`, as the text of a file.

    Args:
        result: Has a column `words`.
        output_format: `srt`, `vtt` (WebVTT), `tsv` (times and text of each cue) or `json` (every word).
        row: Which recording, from 0.

    Raises:
        InvalidArgument: There is no such format, row, or column, or the recording could not be heard.

    Example:
        text = "PREDICT USING m OPTIONS (word_times=True) AS SELECT * FROM meetings"
        Path("meeting.vtt").write_text(thanosql.subtitles(client.execute(text), "vtt"))
    """
    if output_format not in _WRITERS:
        raise _invalid(f"there is no format '{output_format}'; known: {', '.join(_WRITERS)}")
    if not 0 <= row < len(result):
        raise _invalid(f"the result has no row {row}; it has {len(result)}, counted from 0")
    found = _words_column(result)[row].as_py()
    if found is None:
        raise _invalid(f"row {row} has no words{_why_not(result, row)}")
    return subtitles_of([word_of(word) for word in found], output_format)


def _words_column(result: Result) -> pa.ChunkedArray:
    table = result.arrow()
    places = [place for place, name in enumerate(table.column_names) if name == "words"]
    if not places:
        raise _invalid("the result has no column 'words'; ask for it: PREDICT ... OPTIONS(word_times=True)")
    if len(places) > 1 or not _holds_words(table.schema.field(places[0]).type):
        message = "the column 'words' is not that of a PREDICT with word_times=True; select that one alone"
        raise _invalid(message)
    return table.column(places[0])


def _holds_words(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(
        kind.value_type
    ):
        return False
    return {"text", "start_s", "end_s"} <= {field.name for field in kind.value_type}


def _why_not(result: Result, row: int) -> str:
    if result.columns.count("error") != 1:
        return ""
    error = result.arrow().column("error")[row].as_py()
    return f": {error}" if error else ""


def subtitles_of(words: Sequence[Word], output_format: str) -> str:
    """Words as the text of a file; `subtitles` says which formats there are."""
    return _WRITERS[output_format](words)


def word_of(cell: Mapping[str, Any]) -> Word:
    """A word as a cell of the column `words` has it."""
    return Word(
        text=" ".join(str(cell["text"]).split()),
        start_s=cell["start_s"],
        end_s=cell["end_s"],
        confidence=cell.get("confidence"),
    )


def word_facts(word: Word) -> dict[str, Any]:
    """A word as JSON has it; how sure it is, where that was asked for."""
    sure = {} if word.confidence is None else {"confidence": round(word.confidence, 3)}
    return {"text": word.text, "start_s": round(word.start_s, 3), "end_s": round(word.end_s, 3), **sure}


def _srt(words: Sequence[Word]) -> str:
    cues = enumerate(cues_of(words), start=1)
    return "\n".join(
        f"{number}\n{_moment(cue.start_s, ',')} --> {_moment(cue.end_s, ',')}\n{_text(cue)}\n"
        for number, cue in cues
    )


def _vtt(words: Sequence[Word]) -> str:
    cues = [
        f"{_moment(cue.start_s, '.')} --> {_moment(cue.end_s, '.')}\n{_escaped(_text(cue))}\n"
        for cue in cues_of(words)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _tsv(words: Sequence[Word]) -> str:
    written = StringIO()
    writer = csv.writer(written, delimiter="\t", lineterminator="\n")
    writer.writerow(["start_s", "end_s", "text"])
    writer.writerows(cue_cells(cue) for cue in cues_of(words))
    return written.getvalue()


def cue_cells(cue: Cue) -> list[str]:
    """Start, end and text of a cue in one line."""
    return [f"{cue.start_s:.3f}", f"{cue.end_s:.3f}", " ".join(cue.lines)]


def _json(words: Sequence[Word]) -> str:
    text = " ".join(word.text for word in words)
    facts = {"text": text, "words": [word_facts(word) for word in words]}
    return json.dumps(facts, ensure_ascii=False, indent=2) + "\n"


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _moment(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"


def _invalid(message: str) -> InvalidArgument:
    return InvalidArgument(reason="INVALID_ARGUMENT", message=message)


_WRITERS: Mapping[str, Callable[[Sequence[Word]], str]] = {
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
    "json": _json,
}
