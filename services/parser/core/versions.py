"""Tables at one of their versions: `t AT VERSION 3`, where a table may stand.

sqlglot knows no such table, so a relation with a name of its own stands for it. Its alias is the table's
name, unless it has another, so that `t.column` means what it says.
"""

from collections.abc import Sequence

from sqlglot import exp

from services.parser.core.faults import fault, shorten
from services.parser.core.fragment import Fragment
from services.parser.core.plan_parts import Name, TableAtVersion
from services.parser.core.scanner import TokenKind, string_value
from thanosql_runtime.errors import Reason, Span, ThanosqlError

TOKENS = 4
"""How many tokens `t AT VERSION 3` has."""

_LARGEST = 2**63 - 1
_BEFORE = ("FROM", "JOIN")
_EXPECTED = "table AT VERSION number, before any alias"


def version_follows(fragment: Fragment, index: int) -> bool:
    """Whether the token there is the name of a table that AT VERSION follows.

    `SELECT at version FROM t` is a column and its alias, so where no table must stand a number has to follow.
    """
    if fragment.tokens[index].kind not in (TokenKind.WORD, TokenKind.QUOTED):
        return False
    if fragment.word_at(index + 1) != "AT" or fragment.word_at(index + 2) != "VERSION":
        return False
    return fragment.word_at(index - 1) in _BEFORE or _number_at(fragment, index + 3)


def read_table_at_version(fragment: Fragment, index: int) -> TableAtVersion:
    """The table whose name stands there, and the version behind it.

    Raises:
        ThanosqlError: What follows AT VERSION is not the number of a version, or the table has a schema.
    """
    token = fragment.tokens[index]
    if fragment.symbol_at(index - 1, "."):
        message = "there are no schemas here; AT VERSION follows the name of a table"
        raise fault(message, fragment.token_span(index - 1, index), reason=Reason.INVALID_NAME)
    if index + 3 >= fragment.high:
        place = fragment.token_span(index + 1, index + 2)
        raise fault("AT VERSION lacks the number of a version", place, expected=["a whole number from 1"])
    version = read_version(fragment.tokens[index + 3].text, fragment.token_span(index + 3))
    text = string_value(token) if token.kind is TokenKind.QUOTED else token.text
    return TableAtVersion(
        relation=f"__version_{version}_of_{text.lower()}",
        table=Name(text=text, span=fragment.token_span(index, index + 3)),
        version=version,
    )


def read_version(text: str, span: Span) -> int:
    """The number of a version.

    Raises:
        ThanosqlError: It is not a whole number from 1.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST))):
        raise _no_version(text, span)
    if not 1 <= int(text) <= _LARGEST:
        raise _no_version(text, span)
    return int(text)


def name_versions(tree: exp.Expr, versions: Sequence[TableAtVersion]) -> None:
    """Give the relations that stand for versions the names of their tables.

    Raises:
        ThanosqlError: AT VERSION stands elsewhere than behind a table.
    """
    names = {item.relation: item.table.text for item in versions}
    unplaced = [item.relation for item in versions]
    for table in tree.find_all(exp.Table) if versions else ():
        if table.name in names and isinstance(table.this, exp.Identifier):
            unplaced.remove(table.name)
            if not table.alias:
                alias = exp.TableAlias(this=exp.to_identifier(names[table.name], quoted=True))
                table.set("alias", alias)
    if unplaced:
        item = next(item for item in versions if item.relation == unplaced[0])
        raise fault("AT VERSION follows no table here", item.table.span, expected=[_EXPECTED])


def each_once(versions: Sequence[TableAtVersion]) -> tuple[TableAtVersion, ...]:
    """The same without those that stand in the text again."""
    found: dict[str, TableAtVersion] = {}
    for item in versions:
        found.setdefault(item.relation, item)
    return tuple(found.values())


def _number_at(fragment: Fragment, index: int) -> bool:
    return index < fragment.high and fragment.tokens[index].kind is TokenKind.NUMBER


def _no_version(text: str, span: Span) -> ThanosqlError:
    message = f"'{shorten(text)}' is not the number of a version"
    return fault(message, span, expected=["a whole number from 1"])
