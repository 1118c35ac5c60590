"""The error for a statement that does not fit the grammar, said in the words of its user."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from services.parser.core.faults import fault, nearest, quoted, shorten
from services.parser.core.fragment import Fragment
from services.parser.core.nesting import QUERY_STARTS
from services.parser.core.scanner import TokenKind, shown
from thanosql_runtime.errors import ThanosqlError

# The ones that most people look for come first: an error shows only a few.
STATEMENTS = (
    "SELECT",
    "COPY",
    "PREDICT",
    "BUILD MODEL",
    "FIT MODEL",
    "EVALUATE",
    "CONVERT",
    "SEARCH",
    "PRINT",
    "LIST",
    "GET THANOSQL",
    "UPLOAD MODEL",
    "DELETE MODEL",
    "ACTIVATE MODEL",
    "DESCRIBE MODEL",
    "SHOW BUILD",
    "SHOW MODEL VERSIONS",
    "SHOW TABLE VERSIONS",
    "SHOW JOBS",
    "SHOW JOB",
    "CANCEL JOB",
    "RESUME JOB",
    "SHOW TRANSCRIPTS",
    "DELETE TRANSCRIPTS",
    "SHOW LOADED MODELS",
    "SHOW EVALUATIONS",
    "UNLOAD MODEL",
    "CREATE TABLE",
    "INSERT INTO",
    "UPDATE",
    "DELETE FROM",
    "DROP TABLE",
    "ALTER TABLE",
    "RESTORE TABLE",
    "WITH",
    "VALUES",
    "TABLE",
    "EXPLAIN",
)
_WORDS = {
    "$END": "the end of the statement",
    "AS": "AS query",
    "ASSIGNMENTS": "column = expression",
    "COLUMN_NAME": "a column name",
    "COMMA": "','",
    "CONDITION": "a condition",
    "EQUAL": "'='",
    "JOB_ID": "a quoted job id",
    "LPAR": "'('",
    "LSQB": "a list",
    "MODEL_NAME": "a model name",
    "MODEL_REFERENCE": "a model name",
    "OBJECT_NAME": "a name",
    "OPTIONS": "OPTIONS(...)",
    "OPTION_NAME": "an option name",
    "QUERY": "a query",
    "RPAR": "')'",
    "RSQB": "']'",
    "SOURCE": "a quoted path",
    "STATEMENT": "a statement",
    "TABLE_NAME": "a table name",
    "TYPE": "a type such as VARCHAR",
    "USING": "USING model",
    "VALUE": "a quoted string",
    "NUMBER": "a number",
    "TRUE": "True",
    "FALSE": "False",
    "NONE": "None",
}
_LONGER = {"OR": "OR REPLACE"}
_OTHER_WORDS = {
    "FINETUNE": "FIT MODEL",
    "IMPORT": "COPY",
    "LOAD": "COPY",
    "TRAIN": "BUILD MODEL",
    "TRANSCRIBE": "PREDICT",
}
_OTHER_PAIRS = {
    ("DROP", "MODEL"): "DELETE MODEL",
    ("LIST", "JOBS"): "SHOW JOBS",
    ("LIST", "TRANSCRIPTS"): "SHOW TRANSCRIPTS",
    ("LIST", "EVALUATIONS"): "SHOW EVALUATIONS",
    ("SHOW", "MODELS"): "LIST MODEL",
    ("SHOW", "TABLES"): "LIST TABLE",
}
_UNSAID = frozenset({"MINUS", "PLUS"})
_VALUES = frozenset({"VALUE", "NUMBER", "TRUE", "FALSE", "NONE", "LSQB"})
_NAMES = frozenset(
    {"TABLE_NAME", "COLUMN_NAME", "MODEL_NAME", "MODEL_REFERENCE", "OBJECT_NAME", "OPTION_NAME"}
)
_STRINGS = frozenset({"SOURCE", "JOB_ID", "VALUE"})
_ENDS_OF_STRINGS = frozenset({"(", ")", "[", "]", ","})
_LABEL_WORDS = frozenset(
    (
        "MODEL",
        "TABLE",
        "INTO",
        "FROM",
        "VERSIONS",
        "JOB",
        "JOBS",
        "AUDIO",
        "IMAGE",
        "VIDEO",
        "TEXT",
        "KEYWORD",
        "TRANSCRIPTS",
        "LOADED",
        "EVALUATIONS",
        "MODELS",
        "THANOSQL",
        "DATASET",
    )
)
_NOT_KEYWORDS = frozenset(_WORDS) - {"AS", "OPTIONS", "USING", "TRUE", "FALSE", "NONE"}


def label(statement: Fragment, index: int) -> str:
    """The statement as errors name it, from its first words before `index`: `BUILD MODEL`."""
    words = [statement.word_at(statement.low)]
    for position in range(statement.low + 1, min(index, statement.high)):
        word = statement.word_at(position)
        if word not in _LABEL_WORDS or (word == "FROM" and words != ["DELETE"]):
            break
        words.append(word)
    return " ".join(words)


def unexpected(statement: Fragment, index: int, accepted: AbstractSet[str]) -> ThanosqlError:
    """The error for the token at `index`, or for the end when that is past the last token.

    Args:
        statement: The statement.
        index: The first token that does not fit.
        accepted: Terminals that would have fitted.
    """
    if index == statement.low and index < statement.high:
        return _unknown_statement(statement, index)
    expected = _in_words(accepted)
    if index >= statement.high:
        message = f"{label(statement, index)} is incomplete"
        return fault(message, statement.source.span(statement.end, statement.end), expected=expected)
    before = statement.word_at(index - 1)
    if before in accepted - _NOT_KEYWORDS:
        return _missing_name(statement, index)
    token = statement.tokens[index]
    last = _last_meant(statement, index, accepted)
    place = statement.token_span(index, last)
    meant = shown(token) if last == index else f"'{shorten(statement.source.text[place.start : place.end])}'"
    name = label(statement, index)
    where = f" after the end of {name}" if accepted == {"$END"} else f" in {name}"
    message = f"syntax error at {meant}{where}{_remark(statement, index, accepted, meant)}"
    return fault(message, place, expected=expected, suggestion=_meant(statement, index, accepted))


def _missing_name(statement: Fragment, index: int) -> ThanosqlError:
    """The error for a keyword in the place of a name, as in `COPY FROM 'a.csv'`."""
    words = [statement.word_at(position) for position in (statement.low, index - 2, index - 1)]
    place = statement.token_span(index - 1)
    if words == ["ALTER", "RENAME", "TO"]:
        message = "tables cannot be renamed; use CREATE TABLE new AS SELECT * FROM old, then DROP TABLE old"
        return fault(message, place, expected=["a column name"])
    return fault(f"{label(statement, index)} needs a name before {words[-1]}", place, expected=["a name"])


def _remark(statement: Fragment, index: int, accepted: AbstractSet[str], meant: str) -> str:
    """What is worth saying about some slips that are made often."""
    token, before = statement.tokens[index], statement.word_at(index - 1)
    if before and token.text == ".":
        models = statement.word_at(index - 2) in ("USING", "MODEL")
        return ": a version is a number, as in m.2" if models else ": there are no schemas here"
    if before and token.text == "-" and token.start == statement.tokens[index - 1].end:
        return ": put a name with '-' in double quotes"
    if token.upper == "OPTIONS" and accepted == {"$END"}:
        return ": OPTIONS goes before FROM"
    if token.kind is TokenKind.STRING and accepted & _NAMES:
        return ": names go in double quotes, or in none"
    if token.kind is TokenKind.NUMBER and accepted & _NAMES:
        return ": names begin with a letter"
    if accepted & _STRINGS and "NUMBER" not in accepted and token.kind is TokenKind.NUMBER:
        return f": put it in quotes: {meant}"
    if token.upper and accepted & _STRINGS and not _meant(statement, index, accepted):
        return f": put the {'path' if 'SOURCE' in accepted else 'value'} in quotes: {meant}"
    return ""


def _unknown_statement(statement: Fragment, index: int) -> ThanosqlError:
    token = statement.tokens[index]
    firsts = {name.split()[0]: name for name in reversed(STATEMENTS)}
    near = _OTHER_WORDS.get(token.upper) or nearest(token.upper, firsts)
    return fault(
        f"unknown statement {shown(token)}",
        statement.token_span(index),
        expected=["a statement"],
        suggestion=near,
        known=STATEMENTS,
    )


def _in_words(accepted: Iterable[str]) -> list[str]:
    if set(accepted) >= _VALUES:
        return ["a value: a quoted string, a number, True, False, None or a list"]
    said = (terminal for terminal in accepted if terminal not in _UNSAID)
    described = {_WORDS.get(terminal) or quoted(_LONGER.get(terminal, terminal)) for terminal in said}
    return sorted(described, key=lambda words: (words.startswith("the end"), words.lower()))


def _meant(statement: Fragment, index: int, accepted: AbstractSet[str]) -> str:
    token = statement.tokens[index]
    other = _OTHER_PAIRS.get((statement.word_at(statement.low), token.upper))
    if other is not None and index == statement.low + 1:
        return other
    if token.kind is not TokenKind.WORD:
        return ""
    keywords = [terminal for terminal in accepted if terminal not in _NOT_KEYWORDS]
    near = nearest(token.upper, [*keywords, *(QUERY_STARTS if "QUERY" in accepted else ())])
    return _WORDS[near] if near in ("TRUE", "FALSE", "NONE") else near


def _last_meant(statement: Fragment, index: int, accepted: AbstractSet[str]) -> int:
    """The last token of what was probably meant as one string or name.

    `path/to.csv` is five tokens, `2nd` is two.
    """
    kind = statement.tokens[index].kind
    if kind not in (TokenKind.WORD, TokenKind.NUMBER) or not accepted & (_STRINGS | _NAMES):
        return index
    last = index
    while last + 1 < statement.high and statement.tokens[last + 1].start == statement.tokens[last].end:
        following = statement.tokens[last + 1]
        if following.text in _ENDS_OF_STRINGS or not (accepted & _STRINGS or following.upper):
            break
        last += 1
    return last
