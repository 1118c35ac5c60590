"""SQL for sqlglot: nested statements and versions of tables become relations, comments go, places stay.

sqlglot sees another text than the user wrote; a `Rewritten` remembers which of its characters came
from which token, so that an error points into the user's text.
"""

import bisect
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.parser.core.faults import fault
from services.parser.core.fragment import Fragment
from services.parser.core.nesting import refuse_misplaced, refuse_without_brackets, starts_nested
from services.parser.core.plan_parts import TableAtVersion
from services.parser.core.versions import TOKENS, read_table_at_version, version_follows
from thanosql_runtime.errors import Reason

MAX_SQL_BRACKETS = 32
_RESERVED = re.compile(r'"?__(nested_\d+|version_\d+_of_.*)"?', re.IGNORECASE | re.DOTALL)
_LINE_BREAK = re.compile("\r\n|\r|\n")


def relation(number: int) -> str:
    """The name that stands for the nested statement of that number, counted from 1."""
    return f"__nested_{number}"


@dataclass(kw_only=True)
class Rewritten:
    """The text for sqlglot while it is written, and after.

    Attributes:
        fragment: What was rewritten.
        prefix: What stands before the user's text.
        pieces: The text so far.
        starts: Where each piece that stands for a token starts in the text.
        indices: The token that each of those pieces stands for.
        nested: The nested statements, without their parentheses.
        nested_pieces: Which pieces stand for them.
        versions: The tables at a version of theirs, in the order of the text.
        version_pieces: What the user wrote for the pieces that stand for them.
        length: Characters so far.
    """

    fragment: Fragment
    prefix: str = ""
    pieces: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    nested: list[Fragment] = field(default_factory=list)
    nested_pieces: list[int] = field(default_factory=list)
    versions: list[TableAtVersion] = field(default_factory=list)
    version_pieces: dict[int, str] = field(default_factory=dict)
    length: int = 0

    @property
    def text(self) -> str:
        """What sqlglot is given."""
        return "".join(self.pieces)

    def written(self, nested: Iterable[str] = ()) -> str:
        """What the user wrote, without comments, with other texts for the nested statements."""
        pieces = list(self.pieces)
        for position, text in zip(self.nested_pieces, nested, strict=True):
            pieces[position] = text
        for position, text in self.version_pieces.items():
            pieces[position] = text
        return "".join(pieces).removeprefix(self.prefix)

    def add(self, piece: str, index: int | None = None) -> None:
        """Append a piece, which stands for the token of that index if one is given."""
        if index is not None:
            self.starts.append(self.length)
            self.indices.append(index)
        self.pieces.append(piece)
        self.length += len(piece)

    def token_at(self, offset: int) -> int:
        """The index of the user's token that the character at `offset` came from."""
        position = bisect.bisect_right(self.starts, offset) - 1
        return self.indices[max(position, 0)]

    def token_ending(self, line: int, column: int) -> int:
        """The index of the token that ends there, in sqlglot's counting of lines and columns."""
        breaks = [0, *(match.end() for match in _LINE_BREAK.finditer(self.text))]
        line_start = breaks[min(max(line, 1), len(breaks)) - 1]
        return self.token_at(max(line_start + column - 1, 0))


def rewrite(fragment: Fragment, prefix: str = "") -> Rewritten:
    """Replace the nested statements of a fragment of SQL.

    Args:
        fragment: The SQL.
        prefix: What to put before it, to make a statement of a part of one.

    Raises:
        ThanosqlError: A statement is used where it may not be, or brackets are nested too deeply.
    """
    rewritten = Rewritten(fragment=fragment, prefix=prefix)
    rewritten.add(prefix)
    index, depth, end = fragment.low, 0, fragment.start
    while index < fragment.high:
        token = fragment.tokens[index]
        if token.text.startswith(("__", '"__')) and _RESERVED.fullmatch(token.text):
            message = f"the name '{token.text}' is reserved"
            raise fault(message, fragment.token_span(index), reason=Reason.INVALID_NAME)
        rewritten.add(" " if token.start > end and index > fragment.low else "")
        if version_follows(fragment, index):
            _replace_version(rewritten, index)
            index += TOKENS
            end = fragment.tokens[index - 1].end
            continue
        rewritten.add(token.text, index)
        end = token.end
        if token.text in ("(", "["):
            depth = _deeper(fragment, index, depth)
            refuse_misplaced(fragment, index + 1)
            if starts_nested(fragment, index + 1):
                closer = fragment.closers[index]
                _replace(rewritten, fragment.part(index + 1, closer, deeper=1))
                index, end = closer - 1, fragment.tokens[closer].start
        elif token.text in (")", "]"):
            depth -= 1
        else:
            refuse_without_brackets(fragment, index)
        index += 1
    return rewritten


def rewrite_nested(fragment: Fragment) -> Rewritten:
    """What `rewrite` makes of a query that is a nested statement and nothing else."""
    rewritten = Rewritten(fragment=fragment)
    _replace(rewritten, fragment.part(fragment.low, fragment.high, deeper=1))
    return rewritten


def _replace(rewritten: Rewritten, statement: Fragment) -> None:
    rewritten.nested.append(statement)
    rewritten.nested_pieces.append(len(rewritten.pieces))
    placeholder = relation(len(rewritten.nested))
    rewritten.add(f"SELECT * FROM {placeholder}", statement.low)  # noqa: S608 - text to parse, not to run


def _replace_version(rewritten: Rewritten, index: int) -> None:
    fragment = rewritten.fragment
    versioned = read_table_at_version(fragment, index)
    rewritten.versions.append(versioned)
    written = f"{fragment.tokens[index].text} AT VERSION {versioned.version}"
    rewritten.version_pieces[len(rewritten.pieces)] = written
    quoted = versioned.relation.replace('"', '""')
    rewritten.add(f'"{quoted}"', index)


def _deeper(fragment: Fragment, index: int, depth: int) -> int:
    if depth == MAX_SQL_BRACKETS:
        message = f"brackets in SQL are nested deeper than {MAX_SQL_BRACKETS}"
        raise fault(message, fragment.token_span(index), reason=Reason.STATEMENT_TOO_LARGE)
    return depth + 1
