"""A statement whose tables are read at the versions that were read before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.gateway.core.plan_parts import Name, Query
from services.gateway.core.plans import Plan, split_version
from services.gateway.core.ports import Parser
from services.gateway.core.records import TableVersion
from thanosql_runtime.errors import ThanosqlError


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """A statement, and what of it does not stand still."""

    text: str
    remarks: Sequence[str]


async def pinned(parser: Parser, text: str, built_from: Sequence[TableVersion]) -> Pinned:
    """Write `AT VERSION n` behind every table whose version is known and not written.

    The parser names each table of a query once, so tables that stand there again come in another round.
    """
    (plan,) = await parser.parse(text)
    versions = _versions(plan, built_from)
    try:
        while found := [name for name in _tables(plan) if _can_be_pinned(name, text, versions)]:
            for name in sorted(found, key=lambda name: name.span.end, reverse=True):
                end = name.span.end
                text = f"{text[:end]} AT VERSION {versions[name.text.casefold()]}{text[end:]}"
            (plan,) = await parser.parse(text)
    except ThanosqlError as failure:
        remark = f"the versions of its tables could not be written: {failure.message}"
        return Pinned(text=text, remarks=[remark])
    return Pinned(text=text, remarks=[*_moving_tables(plan), *_moving_models(plan)])


def _versions(plan: Plan, built_from: Sequence[TableVersion]) -> Mapping[str, int]:
    """The version of each table that the statement reads without naming one; none where that is not clear."""
    written = {
        (item.table.text.casefold(), item.version) for query in _queries(plan) for item in query.versions
    }
    read: dict[str, set[int]] = {}
    for item in built_from:
        read.setdefault(item.table.casefold(), set()).add(item.version)
    clear: dict[str, int] = {}
    for table, numbers in read.items():
        others = {number for number in numbers if (table, number) not in written}
        left = others or numbers
        if len(left) == 1:
            clear[table] = next(iter(left))
    return clear


def _can_be_pinned(name: Name, text: str, versions: Mapping[str, int]) -> bool:
    written = text[name.span.start : name.span.end]
    return name.text.casefold() in versions and written in (
        name.text,
        '"' + name.text.replace('"', '""') + '"',
    )


def _moving_tables(plan: Plan) -> Iterator[str]:
    for name in sorted({name.text for name in _tables(plan)}):
        yield f"which version of table '{name}' was read is not recorded: it would be read as it is now"


def _moving_models(plan: Plan) -> Iterator[str]:
    for query in _queries(plan):
        for nested in query.nested:
            model = getattr(nested.statement, "model", None)
            if isinstance(model, Name) and not split_version(model.text)[1]:
                yield f"which version of model '{model.text}' the query used is not recorded"


def _tables(plan: Plan) -> Iterator[Name]:
    for query in _queries(plan):
        yield from query.tables


def _queries(plan: Plan) -> Iterator[Query]:
    """The query of the statement, and those of all statements in it."""
    waiting: list[object] = [plan.statement]
    while waiting:
        statement = waiting.pop()
        query = statement if isinstance(statement, Query) else getattr(statement, "query", None)
        if isinstance(query, Query):
            yield query
            waiting.extend(nested.statement for nested in query.nested)
