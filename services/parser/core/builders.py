"""Makes the plan of a statement from its tree: one function for each rule of the grammar."""

from collections.abc import Callable, Mapping

from lark import Token as Terminal
from lark import Tree

from services.parser.core import change_builders, option_sets, plan, plan_changes
from services.parser.core.faults import fault
from services.parser.core.fragment import Fragment
from services.parser.core.nesting import starts_nested
from services.parser.core.node import Node
from services.parser.core.plan_options import GetKind, ListKind, MediaKind, SearchKind
from services.parser.core.plan_parts import Name, Notice, Query
from services.parser.core.queries import QueryReader
from services.parser.core.versions import read_version


class PlanBuilder:
    """Builds plans; `read_statement` reads the statements inside queries and behind EXPLAIN."""

    def __init__(self, read_statement: Callable[[Fragment], plan.Plan]) -> None:
        self._read_statement = read_statement
        self._queries = QueryReader(read_statement)
        self._rules: Mapping[str, Callable[[Node], plan.Plan]] = {
            "explain": self._explain,
            "query": self._query,
            "copy": change_builders.copy,
            "create_table_as": self._create_table_as,
            "insert": self._insert,
            "update": change_builders.update,
            "delete": change_builders.delete,
            "drop_table": change_builders.drop_table,
            "restore_table": change_builders.restore_table,
            "alter_table": change_builders.alter_table,
            "print": self._print,
            "build_model": self._build_model,
            "fit_model": self._fit_model,
            "predict": self._predict,
            "evaluate": self._evaluate,
            "convert": self._convert,
            "search": self._search,
            "list_objects": _list_objects,
            "get": _get,
            "upload_model": _upload_model,
            "activate_model": _activate_model,
            "delete_model": _delete_model,
            "describe_model": _describe_model,
            "show_build": _show_build,
            "show_model_versions": _show_model_versions,
            "show_table_versions": _show_table_versions,
            "show_jobs": _show_jobs,
            "show_job": _show_job,
            "cancel_job": _cancel_job,
            "resume_job": _resume_job,
            "show_transcripts": _show_transcripts,
            "delete_transcripts": _delete_transcripts,
            "show_loaded_models": _show_loaded_models,
            "show_evaluations": _show_evaluations,
            "unload_model": _unload_model,
        }

    def build(self, statement: Fragment, tree: Tree[Terminal]) -> plan.Plan:
        """The plan of one statement.

        Raises:
            ThanosqlError: An option, a name or a query in it is wrong.
        """
        node = Node(statement, tree)
        return self._rules[node.rule](node)

    def _read_query(self, node: Node) -> Query:
        return self._queries.read(node.rest("QUERY"))

    def _explain(self, node: Node) -> plan.Explain:
        rest = node.rest("STATEMENT")
        if rest.word_at(rest.low) == "EXPLAIN":
            place = rest.token_span(rest.low)
            raise fault("EXPLAIN cannot explain EXPLAIN", place, expected=["another statement"])
        if rest.word_at(rest.low) in ("ANALYZE", "VERBOSE"):
            message = f"EXPLAIN has no {rest.word_at(rest.low)}: it never runs the statement"
            raise fault(message, rest.token_span(rest.low), expected=["a statement"])
        inner = self._read_statement(rest)
        assert not isinstance(inner, plan.Explain), "only the word EXPLAIN begins one"
        return plan.Explain(span=node.statement.span, statement=inner)

    def _query(self, node: Node) -> plan.Plan:
        body = node.statement.without_outer_brackets()
        if starts_nested(body, body.low):
            return self._read_statement(body)
        return plan.RunQuery(span=node.statement.span, query=self._read_query(node))

    def _create_table_as(self, node: Node) -> plan_changes.CreateTableAs:
        or_replace, if_not_exists = node.has("REPLACE"), node.has("EXISTS")
        if or_replace and if_not_exists:
            message = "OR REPLACE and IF NOT EXISTS contradict each other"
            raise fault(message, node.head, expected=["one of them"])
        return plan_changes.CreateTableAs(
            span=node.statement.span,
            table=node.name("TABLE_NAME"),
            query=self._read_query(node),
            or_replace=or_replace,
            if_not_exists=if_not_exists,
        )

    def _insert(self, node: Node) -> plan_changes.Insert:
        columns = node.child("columns")
        return plan_changes.Insert(
            span=node.statement.span,
            table=node.name("TABLE_NAME"),
            columns=() if columns is None else change_builders.columns(columns),
            query=self._read_query(node),
        )

    def _print(self, node: Node) -> plan.Print:
        options, notices = option_sets.PRINT.read(node.options(), node.head)
        return plan.Print(
            span=node.statement.span,
            notices=notices,
            kind=next(kind for kind in MediaKind if node.has(kind.value)),
            options=options,
            query=self._read_query(node),
        )

    def _build_model(self, node: Node) -> plan.BuildModel:
        options, notices = option_sets.BUILD_MODEL.read(node.options(), node.head)
        return plan.BuildModel(
            span=node.statement.span,
            notices=notices,
            model=node.model("MODEL_NAME"),
            base=node.model(),
            options=options,
            query=self._read_query(node),
        )

    def _fit_model(self, node: Node) -> plan.FitModel:
        options, notices = option_sets.FIT_MODEL.read(node.options(), node.head)
        return plan.FitModel(
            span=node.statement.span,
            notices=notices,
            model=node.model("MODEL_NAME"),
            existing=node.model(),
            options=options,
            query=self._read_query(node),
        )

    def _predict(self, node: Node) -> plan.Predict:
        options, notices = option_sets.PREDICT.read(node.options(), node.head)
        return plan.Predict(
            span=node.statement.span,
            notices=notices,
            model=node.model(),
            options=options,
            query=self._read_query(node),
        )

    def _evaluate(self, node: Node) -> plan.Evaluate:
        options, notices = option_sets.EVALUATE.read(node.options(), node.head)
        return plan.Evaluate(
            span=node.statement.span,
            notices=notices,
            model=node.model(),
            options=options,
            query=self._read_query(node),
        )

    def _convert(self, node: Node) -> plan.Convert:
        given = node.options()
        options, notices = option_sets.CONVERT.read(given, node.head)
        if options.audio_col is not None and options.text_col is not None:
            raise option_sets.contradiction(given, "audio_col", "text_col")
        return plan.Convert(
            span=node.statement.span,
            notices=notices,
            model=node.model(),
            options=options,
            query=self._read_query(node),
        )

    def _search(self, node: Node) -> plan.Search:
        kind = next(kind for kind in SearchKind if node.has(kind.value))
        options, notices = option_sets.SEARCH[kind].read(node.options(), node.head)
        model = node.model() if node.has("MODEL_REFERENCE") else None
        if model is not None and kind is SearchKind.KEYWORD:
            remark = Notice(message="SEARCH KEYWORD needs no model", span=model.span)
            model, notices = None, (*notices, remark)
        if model is None and kind is not SearchKind.KEYWORD:
            message = f"SEARCH {kind.value} needs the model that made the embeddings"
            raise fault(message, node.head, expected=["USING model"])
        return plan.Search(
            span=node.statement.span,
            notices=notices,
            kind=kind,
            model=model,
            options=options,
            query=self._read_query(node),
        )


def _list_objects(node: Node) -> plan.ListObjects:
    kinds = [kind for kind in ListKind if all(node.has(word) for word in kind.value.split())]
    return plan.ListObjects(span=node.statement.span, kind=kinds[-1])


def _get(node: Node) -> plan.Get:
    kind = GetKind.MODEL if node.has("MODEL") else GetKind.DATASET
    option_set = option_sets.GET_MODEL if kind is GetKind.MODEL else option_sets.GET_DATASET
    options, notices = option_set.read(node.options(), node.head)
    return plan.Get(
        span=node.statement.span, notices=notices, kind=kind, name=node.name("OBJECT_NAME"), options=options
    )


def _upload_model(node: Node) -> plan.UploadModel:
    options, notices = option_sets.UPLOAD_MODEL.read(node.options(), node.head)
    return plan.UploadModel(
        span=node.statement.span,
        notices=notices,
        model=node.model("MODEL_NAME"),
        source=node.text("SOURCE"),
        options=options,
    )


def _activate_model(node: Node) -> plan.ActivateModel:
    model = _model_or_version(node)
    if "." not in model.text:
        message = "ACTIVATE MODEL needs a version of the model"
        raise fault(message, model.span, expected=[f"a version, such as {model.text}.1"])
    return plan.ActivateModel(span=node.statement.span, model=model)


def _model_or_version(node: Node) -> Name:
    """The model, or the version, that a statement changes: `m.0`, the active version, is too easily `m`."""
    model = node.model()
    _name, dot, version = model.text.partition(".")
    if dot:
        read_version(version, model.span)
    return model


def _delete_model(node: Node) -> plan.DeleteModel:
    options, notices = option_sets.DELETE_MODEL.read(node.options(), node.head)
    return plan.DeleteModel(
        span=node.statement.span,
        notices=notices,
        model=_model_or_version(node),
        if_exists=node.has("EXISTS"),
        options=options,
    )


def _describe_model(node: Node) -> plan.DescribeModel:
    return plan.DescribeModel(span=node.statement.span, model=node.model())


def _show_build(node: Node) -> plan.ShowBuild:
    return plan.ShowBuild(span=node.statement.span, model=node.model())


def _show_model_versions(node: Node) -> plan.ShowModelVersions:
    return plan.ShowModelVersions(span=node.statement.span, model=node.model("MODEL_NAME"))


def _show_table_versions(node: Node) -> plan.ShowTableVersions:
    return plan.ShowTableVersions(span=node.statement.span, table=node.name("TABLE_NAME"))


def _show_jobs(node: Node) -> plan.ShowJobs:
    return plan.ShowJobs(span=node.statement.span)


def _show_job(node: Node) -> plan.ShowJob:
    return plan.ShowJob(span=node.statement.span, job_id=node.text("JOB_ID"))


def _cancel_job(node: Node) -> plan.CancelJob:
    return plan.CancelJob(span=node.statement.span, job_id=node.text("JOB_ID"))


def _resume_job(node: Node) -> plan.ResumeJob:
    return plan.ResumeJob(span=node.statement.span, job_id=node.text("JOB_ID"))


def _show_transcripts(node: Node) -> plan.ShowTranscripts:
    return plan.ShowTranscripts(span=node.statement.span)


def _delete_transcripts(node: Node) -> plan.DeleteTranscripts:
    model = _model_or_version(node) if node.has("MODEL_REFERENCE") else None
    return plan.DeleteTranscripts(span=node.statement.span, model=model)


def _show_loaded_models(node: Node) -> plan.ShowLoadedModels:
    return plan.ShowLoadedModels(span=node.statement.span)


def _show_evaluations(node: Node) -> plan.ShowEvaluations:
    model = _model_or_version(node) if node.has("MODEL_REFERENCE") else None
    return plan.ShowEvaluations(span=node.statement.span, model=model)


def _unload_model(node: Node) -> plan.UnloadModel:
    return plan.UnloadModel(span=node.statement.span, model=_model_or_version(node))
