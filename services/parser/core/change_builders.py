"""Makes the plans of statements that change tables, as far as no query stands in them."""

from collections.abc import Sequence

from services.parser.core import option_sets
from services.parser.core.changes import read_changes, read_column, read_condition
from services.parser.core.faults import fault
from services.parser.core.node import Node
from services.parser.core.option_types import GivenOption
from services.parser.core.plan_changes import (
    AlterTable,
    Copy,
    Delete,
    DropColumn,
    DropTable,
    RenameColumn,
    RestoreTable,
    TableChange,
    Update,
)
from services.parser.core.plan_options import IfExists
from services.parser.core.plan_parts import Name, Notice


def copy(node: Node) -> Copy:
    """COPY."""
    given = node.options()
    options, notices = option_sets.COPY.read(given, node.head)
    if_exists = IfExists.FAIL if options.if_exists is None else IfExists(options.if_exists)
    if options.overwrite and if_exists is IfExists.APPEND:
        raise option_sets.contradiction(given, "overwrite", "if_exists")
    if options.audio_col is not None and not options.store_audio:
        notices = (*notices, _without_store_audio(given))
    return Copy(
        span=node.statement.span,
        notices=notices,
        table=node.name("TABLE_NAME"),
        source=node.text("SOURCE"),
        if_exists=IfExists.REPLACE if options.overwrite else if_exists,
        store_audio=options.store_audio,
        audio_col=(options.store_audio and options.audio_col) or "audio_path",
    )


def _without_store_audio(given: Sequence[GivenOption]) -> Notice:
    option = next(option for option in given if option.name.text == "audio_col")
    message = "option 'audio_col' has no effect in COPY without store_audio=True"
    return Notice(message=message, span=option.name.span)


def columns(node: Node) -> tuple[Name, ...]:
    """The columns that INSERT names, each once."""
    names = node.names("COLUMN_NAME")
    seen: set[str] = set()
    for name in names:
        if name.text.lower() in seen:
            raise fault(f"column '{name.text}' is named twice", name.span)
        seen.add(name.text.lower())
    return tuple(names)


def update(node: Node) -> Update:
    """UPDATE."""
    changes = read_changes(node.rest("ASSIGNMENTS"))
    return Update(
        span=node.statement.span,
        table=node.name("TABLE_NAME"),
        assignments=changes.assignments,
        condition=changes.condition,
        written=changes.written,
    )


def delete(node: Node) -> Delete:
    """DELETE FROM."""
    condition, written = read_condition(node.rest("CONDITION")) if node.has("CONDITION") else (None, "")
    return Delete(
        span=node.statement.span, table=node.name("TABLE_NAME"), condition=condition, written=written
    )


def drop_table(node: Node) -> DropTable:
    """DROP TABLE."""
    return DropTable(span=node.statement.span, table=node.name("TABLE_NAME"), if_exists=node.has("EXISTS"))


def restore_table(node: Node) -> RestoreTable:
    """RESTORE TABLE."""
    version, place = node.version()
    return RestoreTable(
        span=node.statement.span, table=node.name("TABLE_NAME"), version=version, version_span=place
    )


def alter_table(node: Node) -> AlterTable:
    """ALTER TABLE."""
    return AlterTable(
        span=node.statement.span, table=node.name("TABLE_NAME"), action=_table_change(node.only_child())
    )


def _table_change(node: Node) -> TableChange:
    names = node.names("COLUMN_NAME")
    if node.rule == "add_column":
        return read_column(names[0], node.rest("TYPE"))
    if node.rule == "drop_column":
        return DropColumn(column=names[0], if_exists=node.has("EXISTS"))
    return RenameColumn(column=names[0], new_name=names[1])
