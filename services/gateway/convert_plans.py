"""The parser's plans to the statements that core knows."""

from collections.abc import Callable, Mapping
from typing import Any

from services.gateway.convert_words import from_detail
from services.gateway.core import plan_changes, plan_parts, plan_upkeep, plans
from thanosql.v1 import parser_pb2, types_pb2
from thanosql_runtime.errors import Span

_ListKind = parser_pb2.ListKind
_MediaKind = parser_pb2.MediaKind
_SearchKind = parser_pb2.SearchKind
_GetKind = parser_pb2.GetKind

_INSTEAD_OF_BOTH = (
    "no model here compares texts with recordings; make texts of the recordings with PREDICT, "
    "and search these with SEARCH KEYWORD or SEARCH TEXT"
)
_INSTEAD_OF_GET = "LIST THANOSQL MODEL shows what is here already; COPY reads data from the workspace"
_INSTEAD_OF_PICTURES = "PRINT AUDIO plays recordings; SELECT shows the paths of other files"


def plan(message: parser_pb2.Plan) -> plans.Plan:
    """One statement of a text."""
    return plans.Plan(
        span=span(message.span),
        canonical_text=message.canonical_text,
        explain=message.explain,
        notices=[
            plans.PlanNotice(message=n.message, span=span(n.span) if n.HasField("span") else None)
            for n in message.notices
        ],
        statement=statement(message),
    )


def statement(message: parser_pb2.Plan) -> plans.Statement:
    """The statement of a plan."""
    field = message.WhichOneof("statement")
    if field is None:
        raise ValueError("a plan without a statement")
    return _STATEMENTS[field](getattr(message, field), span(message.span))


def span(message: types_pb2.SourceSpan) -> Span:
    """A place in the text."""
    return Span(start=message.start, end=message.end, line=message.line, column=message.column)


def _name(message: parser_pb2.Name) -> plan_parts.Name:
    return plan_parts.Name(text=message.text, span=span(message.span))


def _query(message: parser_pb2.QueryPlan, _place: Span | None = None) -> plan_parts.Query:
    return plan_parts.Query(
        sql=message.sql,
        tables=[_name(name) for name in message.tables],
        nested=[
            plan_parts.Nested(relation=nested.relation, statement=statement(nested.plan))
            for nested in message.nested
        ],
        span=span(message.span),
        versions=[
            plan_parts.TableAtVersion(relation=item.relation, table=_name(item.table), version=item.version)
            for item in message.versions
        ],
    )


def _copy(message: parser_pb2.CopyPlan, _place: Span) -> plan_changes.Copy:
    return plan_changes.Copy(
        table=_name(message.table),
        source=message.source,
        source_span=span(message.source_span),
        if_exists=parser_pb2.IfExists.Name(message.if_exists).removeprefix("IF_EXISTS_"),
        store_audio=message.store_audio,
        audio_col=message.audio_col,
    )


def _create(message: parser_pb2.CreateTableAsPlan, _place: Span) -> plan_changes.CreateTableAs:
    return plan_changes.CreateTableAs(
        table=_name(message.table),
        query=_query(message.query),
        or_replace=message.or_replace,
        if_not_exists=message.if_not_exists,
    )


def _insert(message: parser_pb2.InsertPlan, _place: Span) -> plan_changes.Insert:
    return plan_changes.Insert(
        table=_name(message.table), columns=list(message.columns), query=_query(message.query)
    )


def _update(message: parser_pb2.UpdatePlan, _place: Span) -> plan_changes.Update:
    return plan_changes.Update(
        table=_name(message.table),
        assignments=[(item.column, item.expression) for item in message.assignments],
        condition=message.condition,
    )


def _delete(message: parser_pb2.DeletePlan, _place: Span) -> plan_changes.Delete:
    return plan_changes.Delete(table=_name(message.table), condition=message.condition)


def _drop(message: parser_pb2.DropTablePlan, _place: Span) -> plan_changes.DropTable:
    return plan_changes.DropTable(table=_name(message.table), if_exists=message.if_exists)


def _restore(message: parser_pb2.RestoreTablePlan, _place: Span) -> plan_changes.RestoreTable:
    return plan_changes.RestoreTable(
        table=_name(message.table), version=message.version, version_span=span(message.version_span)
    )


def _alter(message: parser_pb2.AlterTablePlan, _place: Span) -> plan_changes.AlterTable:
    action: plan_changes.AddColumn | plan_changes.DropColumn | plan_changes.RenameColumn
    match message.WhichOneof("action"):
        case "add_column":
            action = plan_changes.AddColumn(name=message.add_column.name, type=message.add_column.type)
        case "drop_column":
            dropped = message.drop_column
            action = plan_changes.DropColumn(name=dropped.name, if_exists=dropped.if_exists)
        case _:
            renamed = message.rename_column
            action = plan_changes.RenameColumn(name=renamed.name, new_name=renamed.new_name)
    return plan_changes.AlterTable(table=_name(message.table), action=action)


def _print(message: parser_pb2.PrintPlan, place: Span) -> plans.PrintAudio | plans.Unavailable:
    if message.kind != _MediaKind.MEDIA_KIND_AUDIO:
        kind = _MediaKind.Name(message.kind).removeprefix("MEDIA_KIND_")
        return plans.Unavailable(kind=f"PRINT {kind}", instead=_INSTEAD_OF_PICTURES)
    return plans.PrintAudio(audio_col=message.audio_col, query=_query(message.query), span=place)


def _build(message: parser_pb2.BuildModelPlan, place: Span) -> plans.BuildModel:
    options = message.options
    return plans.BuildModel(
        model=_name(message.model),
        base=_name(message.base),
        fit=message.fit,
        options=plans.TrainingOptions(
            audio_col=options.audio_col,
            text_col=options.text_col,
            epochs=options.epochs,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            overwrite=options.overwrite,
            seed=options.seed if options.HasField("seed") else None,
        ),
        query=_query(message.query),
        span=place,
    )


def training_options(options: plans.TrainingOptions) -> parser_pb2.TrainingOptions:
    """The options as the trainer reads them."""
    return parser_pb2.TrainingOptions(
        audio_col=options.audio_col,
        text_col=options.text_col,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        overwrite=options.overwrite,
        seed=options.seed,
    )


def precision_name(number: types_pb2.Precision.ValueType) -> str:
    """The precision as statements write it; empty where none was asked for."""
    unspecified = number == types_pb2.PRECISION_UNSPECIFIED
    return "" if unspecified else types_pb2.Precision.Name(number).removeprefix("PRECISION_").lower()


def precision_number(name: str) -> types_pb2.Precision.ValueType:
    """The precision as the contract numbers it."""
    return types_pb2.Precision.Value(f"PRECISION_{name.upper()}" if name else "PRECISION_UNSPECIFIED")


def _predict(message: parser_pb2.PredictPlan, place: Span) -> plans.Predict:
    return plans.Predict(
        model=_name(message.model),
        audio_col=message.audio_col,
        batch_size=message.batch_size,
        result_col=message.result_col,
        language=message.language,
        task=parser_pb2.SpeechTask.Name(message.task).removeprefix("SPEECH_TASK_"),
        query=_query(message.query),
        span=place,
        precision=precision_name(message.precision),
        reuse=message.reuse,
        only_new=message.only_new,
        beam=_beam(message),
        detail=from_detail(message.detail),
    )


def _evaluate(message: parser_pb2.EvaluatePlan, place: Span) -> plans.Evaluate:
    return plans.Evaluate(
        model=_name(message.model),
        audio_col=message.audio_col,
        text_col=message.text_col,
        batch_size=message.batch_size,
        query=_query(message.query),
        span=place,
        precision=precision_name(message.precision),
        reuse=message.reuse,
        beam=_beam(message),
        slice_by=tuple(message.slice_by),
        resample_by=message.resample_by,
        per_row=message.per_row,
    )


def _beam(message: parser_pb2.PredictPlan | parser_pb2.EvaluatePlan) -> plans.BeamSearch | None:
    if not message.HasField("beam_search"):
        return None
    search = message.beam_search
    return plans.BeamSearch(
        language_model=search.language_model,
        lm_weight=search.lm_weight,
        word_score=search.word_score,
        beam_width=search.beam_width,
        hotwords=[(item.phrase, item.weight) for item in search.hotwords],
    )


def _convert(message: parser_pb2.ConvertPlan, place: Span) -> plans.Convert:
    return plans.Convert(
        model=_name(message.model),
        audio_col=message.audio_col,
        text_col=message.text_col,
        batch_size=message.batch_size,
        result_col=message.result_col,
        query=_query(message.query),
        span=place,
    )


def _search(message: parser_pb2.SearchPlan, place: Span) -> plans.Statement:
    match message.kind:
        case _SearchKind.SEARCH_KIND_KEYWORD:
            return _search_keyword(message, place)
        case _SearchKind.SEARCH_KIND_AUDIO if message.search_by != "text":
            return _search_nearest(plans.SearchAudio, message, place)
        case _SearchKind.SEARCH_KIND_AUDIO:
            return plans.Unavailable(kind="SEARCH AUDIO with search_by='text'", instead=_INSTEAD_OF_BOTH)
        case _ if message.search_by == "audio":
            return plans.Unavailable(kind="SEARCH TEXT with search_by='audio'", instead=_INSTEAD_OF_BOTH)
        case _:
            return _search_nearest(plans.SearchText, message, place)


def _search_nearest(
    kind: type[plans.SearchAudio] | type[plans.SearchText], message: parser_pb2.SearchPlan, place: Span
) -> plans.SearchNearest:
    return kind(
        model=_name(message.model),
        search_input=message.search_input,
        emb_col=message.emb_col,
        result_col=message.result_col,
        top_k=message.top_k,
        query=_query(message.query),
        span=place,
    )


def _search_keyword(message: parser_pb2.SearchPlan, place: Span) -> plans.SearchKeyword:
    return plans.SearchKeyword(
        search_input=message.search_input,
        text_col=message.text_col,
        result_col=message.result_col,
        top_k=message.top_k,
        query=_query(message.query),
        span=place,
    )


def _list(message: parser_pb2.ListPlan, _place: Span) -> plans.ListNames:
    kind = _ListKind.Name(message.kind).removeprefix("LIST_KIND_")
    return plans.ListNames(what=kind.replace("_", " "))


def _get(message: parser_pb2.GetPlan, _place: Span) -> plans.Unavailable:
    kind = _GetKind.Name(message.kind).removeprefix("GET_KIND_")
    return plans.Unavailable(kind=f"GET THANOSQL {kind}", instead=_INSTEAD_OF_GET)


def _delete_model(message: parser_pb2.DeleteModelPlan, _place: Span) -> plans.DeleteModel:
    return plans.DeleteModel(model=_name(message.model), if_exists=message.if_exists, force=message.force)


def _upload(message: parser_pb2.UploadModelPlan, _place: Span) -> plans.UploadModel:
    return plans.UploadModel(
        model=_name(message.model),
        source=plan_parts.Name(text=message.source, span=span(message.source_span)),
        overwrite=message.overwrite,
    )


# One converter a field of the `oneof`; what each takes is the message of that field.
_STATEMENTS: Mapping[str, Callable[[Any, Span], plans.Statement]] = {
    "query": _query,
    "copy": _copy,
    "create_table_as": _create,
    "insert": _insert,
    "update": _update,
    "delete": _delete,
    "drop_table": _drop,
    "restore_table": _restore,
    "alter_table": _alter,
    "print": _print,
    "build_model": _build,
    "predict": _predict,
    "evaluate": _evaluate,
    "convert": _convert,
    "search": _search,
    "list": _list,
    "get": _get,
    "upload_model": _upload,
    "activate_model": lambda message, _place: plans.ActivateModel(model=_name(message.model)),
    "delete_model": _delete_model,
    "describe_model": lambda message, _place: plans.DescribeModel(model=_name(message.model)),
    "show_build": lambda message, _place: plans.ShowBuild(model=_name(message.model)),
    "show_model_versions": lambda message, _place: plans.ShowModelVersions(model=_name(message.model)),
    "show_table_versions": lambda message, _place: plans.ShowTableVersions(table=_name(message.table)),
    "show_jobs": lambda _message, _place: plans.ShowJobs(),
    "show_job": lambda message, _place: plans.ShowJob(job_id=_name(message.job_id)),
    "show_transcripts": lambda _message, _place: plan_upkeep.ShowTranscripts(),
    "delete_transcripts": lambda message, _place: plan_upkeep.DeleteTranscripts(
        model=_name(message.model) if message.HasField("model") else None
    ),
    "show_evaluations": lambda message, _place: plan_upkeep.ShowEvaluations(
        model=_name(message.model) if message.HasField("model") else None
    ),
    "show_loaded_models": lambda _message, _place: plan_upkeep.ShowLoadedModels(),
    "unload_model": lambda message, _place: plan_upkeep.UnloadModel(model=_name(message.model)),
    "cancel_job": lambda message, _place: plans.CancelJob(job_id=_name(message.job_id)),
    "resume_job": lambda message, _place: plans.ResumeJob(job_id=_name(message.job_id)),
}
