"""One row, compared: its counts, and where the texts differ, in a form that reads well in a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jiwer

from services.trainer.core.evaluation import LONGEST_TEXT
from services.trainer.core.scoring import Comparison, compare, normalise
from thanosql_runtime.errors import Reason, ThanosqlError, error

MOST_PAIRS = 64


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """The counts of a row, and its texts aligned."""

    comparison: Comparison
    difference: str


def compare_rows(pairs: Sequence[tuple[str, str]]) -> list[ComparedRow | ThanosqlError]:
    """Compare rows, each for itself.

    Raises:
        ThanosqlError: INVALID_ARGUMENT where there are more than fit into one call.
    """
    if len(pairs) > MOST_PAIRS:
        raise error(Reason.INVALID_ARGUMENT, f"there are more than {MOST_PAIRS} pairs; send fewer in a call")
    return [_compared(*pair) for pair in pairs]


def _compared(reference: str, hypothesis: str) -> ComparedRow | ThanosqlError:
    try:
        return compare_row(reference, hypothesis)
    except ThanosqlError as failure:
        return failure


def compare_row(reference: str, hypothesis: str) -> ComparedRow:
    """Compare one row.

    Raises:
        ThanosqlError: TEXT_EMPTY where the reference holds no word, INVALID_ARGUMENT for a text too long.
    """
    if max(len(reference), len(hypothesis)) > LONGEST_TEXT:
        message = f"a text has more than {LONGEST_TEXT} characters; split its recording first"
        raise error(Reason.INVALID_ARGUMENT, message)
    comparison = compare(reference, hypothesis)
    if comparison is None:
        raise error(Reason.TEXT_EMPTY, "the row's text has no word to compare with")
    return ComparedRow(comparison=comparison, difference=difference(reference, hypothesis))


def difference(reference: str, hypothesis: str) -> str:
    """The words of both texts as the normaliser writes them, as one text.

    `[SAT>SIT]` was said as the first and heard as the second, `[-THE]` was not heard, `[+BIG]` was not said.
    No word holds a bracket, so that both texts can be read out of it.
    """
    output = jiwer.process_words(normalise(reference), normalise(hypothesis))
    said, heard = output.references[0], output.hypotheses[0]
    return " ".join(_pieces(output.alignments[0], said, heard))


def _pieces(
    chunks: Sequence[jiwer.AlignmentChunk], said: Sequence[str], heard: Sequence[str]
) -> Iterator[str]:
    for chunk in chunks:
        first = " ".join(said[chunk.ref_start_idx : chunk.ref_end_idx])
        second = " ".join(heard[chunk.hyp_start_idx : chunk.hyp_end_idx])
        match chunk.type:
            case "substitute":
                yield f"[{first}>{second}]"
            case "delete":
                yield f"[-{first}]"
            case "insert":
                yield f"[+{second}]"
            case _:
                yield first
