"""Statements that answer with rows, alone or where a table may stand."""

from contextlib import AbstractAsyncContextManager

from services.gateway.core.converting import open_conversion
from services.gateway.core.evaluating import open_evaluation
from services.gateway.core.listing import (
    open_description,
    open_jobs,
    open_listing,
    open_table_versions,
    open_versions,
)
from services.gateway.core.plan_parts import Query
from services.gateway.core.plan_upkeep import ShowEvaluations, ShowLoadedModels, ShowTranscripts
from services.gateway.core.plans import (
    Convert,
    DescribeModel,
    Evaluate,
    ListNames,
    Lookup,
    Predict,
    SearchKeyword,
    SearchNearest,
    ShowModelVersions,
    ShowTableVersions,
    Statement,
    Unavailable,
)
from services.gateway.core.predicting import open_prediction
from services.gateway.core.queries import open_query
from services.gateway.core.records import Rows
from services.gateway.core.run import Run
from services.gateway.core.searching import open_search
from services.gateway.core.searching_nearest import open_nearest_search
from services.gateway.core.upkeep import open_upkeep
from thanosql_runtime.errors import Reason, ThanosqlError, error


def open_lookup(run: Run, statement: Lookup) -> AbstractAsyncContextManager[Rows]:
    """The rows of the statement."""
    match statement:
        case Query():
            return open_query(run, statement)
        case Predict():
            return open_prediction(run, statement)
        case Evaluate():
            return open_evaluation(run, statement)
        case Convert():
            return open_conversion(run, statement)
        case SearchKeyword():
            return open_search(run, statement)
        case _ if isinstance(statement, SearchNearest):
            return open_nearest_search(run, statement)
        case ShowTranscripts() | ShowLoadedModels() | ShowEvaluations():
            return open_upkeep(run, statement)
        case ListNames():
            return open_listing(run, statement)
        case DescribeModel():
            return open_description(run, statement)
        case ShowModelVersions():
            return open_versions(run, statement)
        case ShowTableVersions():
            return open_table_versions(run, statement)
        case _:
            return open_jobs(run, statement)


def open_nested(run: Run, statement: Statement) -> AbstractAsyncContextManager[Rows]:
    """The rows of a statement that stands in another; the parser lets only some of them stand there."""
    rows_of = Predict | Evaluate | Convert | SearchKeyword | SearchNearest
    allowed = Query | rows_of | ListNames | ShowModelVersions | ShowTableVersions | ShowEvaluations
    if isinstance(statement, allowed):
        return open_lookup(run, statement)
    if isinstance(statement, Unavailable):
        raise not_available(statement)
    raise error(Reason.INTERNAL, f"{statement.kind} cannot stand where a table may")


def not_available(statement: Unavailable) -> ThanosqlError:
    """The error for a statement that this release does not run."""
    return error(
        Reason.NOT_AVAILABLE_YET,
        f"{statement.kind} is not available yet; {statement.instead}",
        statement=statement.kind,
    )
