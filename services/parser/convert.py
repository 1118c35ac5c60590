"""Plans as messages: the only place of the parser where the two meet."""

from collections.abc import Iterable

from services.parser.convert_choices import (
    GET_KINDS,
    IF_EXISTS,
    LIST_KINDS,
    MEDIA_KINDS,
    PRECISIONS,
    SEARCH_KINDS,
    SPEECH_TASKS,
    beam_search,
)
from services.parser.core import plan, plan_changes
from services.parser.core.plan_options import TrainingOptions
from services.parser.core.plan_parts import Name, Query
from services.parser.core.render import render
from thanosql.v1 import parser_pb2, types_pb2
from thanosql_runtime.errors import Span


def to_response(plans: Iterable[plan.Plan]) -> parser_pb2.ParseResponse:
    """The answer to a call."""
    return parser_pb2.ParseResponse(plans=[to_plan(item) for item in plans])


def to_plan(statement: plan.Plan, *, nested: bool = False) -> parser_pb2.Plan:
    """One plan; EXPLAIN becomes a mark on the statement that it explains.

    A nested plan has no canonical text: it stands in that of the statement around it, and sixteen
    copies of a long text would not fit into a message.
    """
    explained = isinstance(statement, plan.Explain)
    inner = statement.statement if isinstance(statement, plan.Explain) else statement
    message = parser_pb2.Plan(
        span=_span(statement.span),
        canonical_text="" if nested else render(statement),
        explain=explained,
        notices=[types_pb2.Notice(message=item.message, span=_span(item.span)) for item in inner.notices],
    )
    parts = (_put_table, _put_model, _put_workspace, _put_service)
    if not any(put(inner, message) for put in parts):
        raise ValueError(f"no message for {type(inner).__name__}")
    return message


def _put_table(statement: plan.Plan, message: parser_pb2.Plan) -> bool:
    """Fill in the message of a statement about tables; False for other statements."""
    match statement:
        case plan.RunQuery():
            message.query.CopyFrom(_query(statement.query))
        case plan_changes.Copy():
            message.copy.CopyFrom(_copy(statement))
        case plan_changes.CreateTableAs():
            message.create_table_as.CopyFrom(_create_table_as(statement))
        case plan_changes.Insert():
            message.insert.CopyFrom(_insert(statement))
        case plan_changes.Update():
            message.update.CopyFrom(_update(statement))
        case plan_changes.Delete(condition=condition):
            message.delete.table.CopyFrom(_name(statement.table))
            message.delete.condition = condition or ""
        case plan_changes.DropTable():
            message.drop_table.table.CopyFrom(_name(statement.table))
            message.drop_table.if_exists = statement.if_exists
        case plan_changes.RestoreTable():
            message.restore_table.table.CopyFrom(_name(statement.table))
            message.restore_table.version = statement.version
            message.restore_table.version_span.CopyFrom(_span(statement.version_span))
        case plan_changes.AlterTable():
            message.alter_table.CopyFrom(_alter_table(statement))
        case _:
            return False
    return True


def _put_model(statement: plan.Plan, message: parser_pb2.Plan) -> bool:
    """Fill in the message of a statement that runs a model or shows media; False for others."""
    match statement:
        case plan.Print():
            message.print.CopyFrom(_print(statement))
        case plan.BuildModel():
            message.build_model.CopyFrom(_build_model(statement, statement.base))
        case plan.FitModel():
            message.build_model.CopyFrom(_build_model(statement, statement.existing))
        case plan.Predict():
            message.predict.CopyFrom(_predict(statement))
        case plan.Evaluate():
            message.evaluate.CopyFrom(_evaluate(statement))
        case plan.Convert():
            message.convert.CopyFrom(_convert(statement))
        case plan.Search():
            message.search.CopyFrom(_search(statement))
        case _:
            return False
    return True


def _put_workspace(statement: plan.Plan, message: parser_pb2.Plan) -> bool:
    """Fill in the message of a statement about models, tables and lists; False for others."""
    match statement:
        case plan.ListObjects(kind=kind):
            message.list.kind = LIST_KINDS[kind]
        case plan.Get():
            message.get.CopyFrom(_get(statement))
        case plan.UploadModel():
            message.upload_model.CopyFrom(_upload_model(statement))
        case plan.ActivateModel():
            message.activate_model.model.CopyFrom(_name(statement.model))
        case plan.DeleteModel():
            message.delete_model.model.CopyFrom(_name(statement.model))
            message.delete_model.if_exists = statement.if_exists
            message.delete_model.force = statement.options.force
        case plan.DescribeModel():
            message.describe_model.model.CopyFrom(_name(statement.model))
        case plan.ShowBuild():
            message.show_build.model.CopyFrom(_name(statement.model))
        case plan.ShowModelVersions():
            message.show_model_versions.model.CopyFrom(_name(statement.model))
        case plan.ShowTableVersions():
            message.show_table_versions.table.CopyFrom(_name(statement.table))
        case _:
            return False
    return True


def _put_service(statement: plan.Plan, message: parser_pb2.Plan) -> bool:
    """Fill in the message of a statement about what services do, keep and load; False for others."""
    match statement:
        case plan.ShowJobs():
            message.show_jobs.SetInParent()
        case plan.ShowJob():
            message.show_job.job_id.CopyFrom(_name(statement.job_id))
        case plan.CancelJob():
            message.cancel_job.job_id.CopyFrom(_name(statement.job_id))
        case plan.ResumeJob():
            message.resume_job.job_id.CopyFrom(_name(statement.job_id))
        case plan.ShowTranscripts():
            message.show_transcripts.SetInParent()
        case plan.DeleteTranscripts(model=used):
            message.delete_transcripts.SetInParent()
            if used is not None:
                message.delete_transcripts.model.CopyFrom(_name(used))
        case plan.ShowLoadedModels():
            message.show_loaded_models.SetInParent()
        case plan.ShowEvaluations(model=used):
            message.show_evaluations.SetInParent()
            if used is not None:
                message.show_evaluations.model.CopyFrom(_name(used))
        case plan.UnloadModel():
            message.unload_model.model.CopyFrom(_name(statement.model))
        case _:
            return False
    return True


def _span(span: Span) -> types_pb2.SourceSpan:
    return types_pb2.SourceSpan(start=span.start, end=span.end, line=span.line, column=span.column)


def _name(name: Name) -> parser_pb2.Name:
    return parser_pb2.Name(text=name.text, span=_span(name.span))


def _query(query: Query) -> parser_pb2.QueryPlan:
    return parser_pb2.QueryPlan(
        sql=query.sql,
        tables=[_name(table) for table in query.tables],
        nested=[
            parser_pb2.NestedPlan(relation=item.relation, plan=to_plan(item.plan, nested=True))
            for item in query.nested
        ],
        span=_span(query.span),
        versions=[
            parser_pb2.TableAtVersionPlan(
                relation=item.relation, table=_name(item.table), version=item.version
            )
            for item in query.versions
        ],
    )


def _copy(statement: plan_changes.Copy) -> parser_pb2.CopyPlan:
    return parser_pb2.CopyPlan(
        table=_name(statement.table),
        source=statement.source.text,
        source_span=_span(statement.source.span),
        if_exists=IF_EXISTS[statement.if_exists],
        store_audio=statement.store_audio,
        audio_col=statement.audio_col,
    )


def _create_table_as(statement: plan_changes.CreateTableAs) -> parser_pb2.CreateTableAsPlan:
    return parser_pb2.CreateTableAsPlan(
        table=_name(statement.table),
        query=_query(statement.query),
        or_replace=statement.or_replace,
        if_not_exists=statement.if_not_exists,
    )


def _insert(statement: plan_changes.Insert) -> parser_pb2.InsertPlan:
    return parser_pb2.InsertPlan(
        table=_name(statement.table),
        columns=[column.text for column in statement.columns],
        query=_query(statement.query),
    )


def _update(statement: plan_changes.Update) -> parser_pb2.UpdatePlan:
    return parser_pb2.UpdatePlan(
        table=_name(statement.table),
        assignments=[
            parser_pb2.Assignment(column=item.column.text, expression=item.expression)
            for item in statement.assignments
        ],
        condition=statement.condition or "",
    )


def _alter_table(statement: plan_changes.AlterTable) -> parser_pb2.AlterTablePlan:
    table = _name(statement.table)
    match statement.action:
        case plan_changes.AddColumn(column=column, type=type_name):
            added = parser_pb2.AddColumn(name=column.text, type=type_name)
            return parser_pb2.AlterTablePlan(table=table, add_column=added)
        case plan_changes.DropColumn(column=column, if_exists=if_exists):
            dropped = parser_pb2.DropColumn(name=column.text, if_exists=if_exists)
            return parser_pb2.AlterTablePlan(table=table, drop_column=dropped)
        case plan_changes.RenameColumn(column=column, new_name=new_name):
            renamed = parser_pb2.RenameColumn(name=column.text, new_name=new_name.text)
            return parser_pb2.AlterTablePlan(table=table, rename_column=renamed)


def _print(statement: plan.Print) -> parser_pb2.PrintPlan:
    return parser_pb2.PrintPlan(
        kind=MEDIA_KINDS[statement.kind],
        audio_col=statement.options.audio_col,
        query=_query(statement.query),
    )


def _build_model(statement: plan.BuildModel | plan.FitModel, base: Name) -> parser_pb2.BuildModelPlan:
    return parser_pb2.BuildModelPlan(
        model=_name(statement.model),
        base=_name(base),
        fit=isinstance(statement, plan.FitModel),
        options=_training_options(statement.options),
        query=_query(statement.query),
    )


def _training_options(options: TrainingOptions) -> parser_pb2.TrainingOptions:
    return parser_pb2.TrainingOptions(
        audio_col=options.audio_col,
        text_col=options.text_col,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        overwrite=options.overwrite,
        seed=options.seed,
    )


def _predict(statement: plan.Predict) -> parser_pb2.PredictPlan:
    return parser_pb2.PredictPlan(
        model=_name(statement.model),
        audio_col=statement.options.audio_col,
        batch_size=statement.options.batch_size,
        result_col=statement.options.result_col,
        language=statement.options.language,
        task=SPEECH_TASKS[statement.options.task],
        precision=PRECISIONS[statement.options.precision],
        reuse=statement.options.reuse,
        only_new=statement.options.only_new,
        query=_query(statement.query),
        beam_search=beam_search(statement.options.beam),
        detail=types_pb2.TranscriptDetail(
            word_times=statement.options.word_times,
            confidence=statement.options.confidence,
            n_best=statement.options.n_best,
        ),
    )


def _evaluate(statement: plan.Evaluate) -> parser_pb2.EvaluatePlan:
    return parser_pb2.EvaluatePlan(
        model=_name(statement.model),
        audio_col=statement.options.audio_col,
        text_col=statement.options.text_col,
        batch_size=statement.options.batch_size,
        precision=PRECISIONS[statement.options.precision],
        query=_query(statement.query),
        reuse=statement.options.reuse,
        beam_search=beam_search(statement.options.beam),
        slice_by=statement.options.slice_by,
        resample_by=statement.options.resample_by or "",
        per_row=statement.options.per_row,
    )


def _convert(statement: plan.Convert) -> parser_pb2.ConvertPlan:
    return parser_pb2.ConvertPlan(
        model=_name(statement.model),
        audio_col=statement.options.audio_col or "",
        text_col=statement.options.text_col or "",
        batch_size=statement.options.batch_size,
        result_col=statement.options.result_col,
        query=_query(statement.query),
    )


def _search(statement: plan.Search) -> parser_pb2.SearchPlan:
    return parser_pb2.SearchPlan(
        kind=SEARCH_KINDS[statement.kind],
        model=None if statement.model is None else _name(statement.model),
        search_by=statement.options.search_by,
        search_input=statement.options.search_input,
        emb_col=statement.options.emb_col,
        text_col=statement.options.text_col,
        result_col=statement.options.result_col,
        top_k=statement.options.top_k,
        query=_query(statement.query),
    )


def _get(statement: plan.Get) -> parser_pb2.GetPlan:
    return parser_pb2.GetPlan(
        kind=GET_KINDS[statement.kind],
        name=_name(statement.name),
        model_name=statement.options.model_name or "",
        overwrite=statement.options.overwrite,
    )


def _upload_model(statement: plan.UploadModel) -> parser_pb2.UploadModelPlan:
    return parser_pb2.UploadModelPlan(
        model=_name(statement.model),
        source=statement.source.text,
        source_span=_span(statement.source.span),
        framework=statement.options.framework,
        overwrite=statement.options.overwrite,
    )
