"""Writes a plan back as a statement, in one canonical form that parses to an equal plan.

Keywords stand in capitals, options only where they differ from their defaults; SQL keeps its words
and loses its comments and superfluous space.
"""

import re
from dataclasses import MISSING, fields
from enum import Enum

from services.parser.core import plan, plan_changes
from services.parser.core.plan_options import BeamOptions, Hotword, IfExists
from services.parser.core.plan_parts import Name

_PLAIN = re.compile(r"[^\W\d]\w*")
# Keywords that the grammar accepts where it accepts a name.
_KEYWORDS = frozenset({"IF", "COLUMN"})


def render(statement: plan.Plan) -> str:
    """The statement in its canonical form."""
    if isinstance(statement, plan.Explain):
        return f"EXPLAIN {render(statement.statement)}"
    for part in (_render_table, _render_model, _render_workspace):
        text = part(statement)
        if text is not None:
            return text
    raise ValueError(f"cannot render {type(statement).__name__}")


def _render_table(statement: plan.Plan) -> str | None:
    match statement:
        case plan.RunQuery(query=query):
            return query.written
        case plan_changes.Copy(table=table, source=source):
            return f"COPY {_name(table)}{_copy_options(statement)} FROM {_literal(source.text)}"
        case plan_changes.CreateTableAs():
            return _create_table_as(statement)
        case plan_changes.Insert(table=table, columns=columns, query=query):
            listed = f" ({', '.join(map(_name, columns))})" if columns else ""
            return f"INSERT INTO {_name(table)}{listed} AS {query.written}"
        case plan_changes.Update(table=table, written=written):
            return f"UPDATE {_name(table)} SET {written}"  # noqa: S608 - text to read, not to run
        case plan_changes.Delete(table=table, written=written):
            where = f" WHERE {written}" if written else ""
            return f"DELETE FROM {_name(table)}{where}"  # noqa: S608 - text to read, not to run
        case plan_changes.DropTable(table=table, if_exists=checked):
            return f"DROP TABLE {'IF EXISTS ' if checked else ''}{_name(table)}"
        case plan_changes.RestoreTable(table=table, version=version):
            return f"RESTORE TABLE {_name(table)} TO VERSION {version}"
        case plan_changes.AlterTable(table=table, action=action):
            return f"ALTER TABLE {_name(table)} {_table_change(action)}"
    return None


def _render_model(statement: plan.Plan) -> str | None:
    match statement:
        case plan.Print(kind=kind, options=options, query=query):
            return f"PRINT {kind.value}{_options(options)} AS {query.written}"
        case plan.BuildModel(model=model, base=base, options=options, query=query):
            using = f"{_name(model)} USING {_model(base)}"
            return f"BUILD MODEL {using}{_options(options)} AS {query.written}"
        case plan.FitModel(model=model, existing=existing, options=options, query=query):
            using = f"{_name(model)} USING {_model(existing)}"
            return f"FIT MODEL {using}{_options(options)} AS {query.written}"
        case plan.Predict(model=model, options=options, query=query):
            return f"PREDICT USING {_model(model)}{_options(options)} AS {query.written}"
        case plan.Evaluate(model=model, options=options, query=query):
            return f"EVALUATE USING {_model(model)}{_options(options)} AS {query.written}"
        case plan.Convert(model=model, options=options, query=query):
            return f"CONVERT USING {_model(model)}{_options(options)} AS {query.written}"
        case plan.Search(kind=kind, model=used, options=options, query=query):
            using = "" if used is None else f" USING {_model(used)}"
            return f"SEARCH {kind.value}{using}{_options(options)} AS {query.written}"
    return None


def _render_workspace(statement: plan.Plan) -> str | None:
    match statement:
        case plan.ListObjects(kind=kind):
            return f"LIST {kind.value}"
        case plan.Get(kind=wanted, name=name, options=options):
            return f"GET THANOSQL {wanted.value} {_name(name)}{_options(options)}"
        case plan.UploadModel(model=model, source=source, options=options):
            return f"UPLOAD MODEL {_name(model)}{_options(options)} FROM {_literal(source.text)}"
        case plan.DeleteModel(model=model, if_exists=checked, options=options):
            return f"DELETE MODEL {'IF EXISTS ' if checked else ''}{_model(model)}{_options(options)}"
        case plan.ActivateModel(model=model):
            return f"ACTIVATE MODEL {_model(model)}"
        case plan.DescribeModel(model=model):
            return f"DESCRIBE MODEL {_model(model)}"
        case plan.ShowBuild(model=model):
            return f"SHOW BUILD {_model(model)}"
        case plan.ShowModelVersions(model=model):
            return f"SHOW MODEL VERSIONS {_name(model)}"
        case plan.ShowTableVersions(table=table):
            return f"SHOW TABLE VERSIONS {_name(table)}"
    return _render_service(statement)


def _render_service(statement: plan.Plan) -> str | None:
    match statement:
        case plan.ShowJobs():
            return "SHOW JOBS"
        case plan.ShowJob(job_id=job_id):
            return f"SHOW JOB {_literal(job_id.text)}"
        case plan.CancelJob(job_id=job_id):
            return f"CANCEL JOB {_literal(job_id.text)}"
        case plan.ResumeJob(job_id=job_id):
            return f"RESUME JOB {_literal(job_id.text)}"
        case plan.ShowTranscripts():
            return "SHOW TRANSCRIPTS"
        case plan.DeleteTranscripts(model=used):
            return "DELETE TRANSCRIPTS" + ("" if used is None else f" USING {_model(used)}")
        case plan.ShowLoadedModels():
            return "SHOW LOADED MODELS"
        case plan.ShowEvaluations(model=used):
            return "SHOW EVALUATIONS" + ("" if used is None else f" {_model(used)}")
        case plan.UnloadModel(model=model):
            return f"UNLOAD MODEL {_model(model)}"
    return None


def _create_table_as(statement: plan_changes.CreateTableAs) -> str:
    create = "CREATE OR REPLACE TABLE" if statement.or_replace else "CREATE TABLE"
    checked = " IF NOT EXISTS" if statement.if_not_exists else ""
    return f"{create}{checked} {_name(statement.table)} AS {statement.query.written}"


def _table_change(action: plan_changes.TableChange) -> str:
    match action:
        case plan_changes.AddColumn(column=column, written=type_name):
            return f"ADD COLUMN {_name(column)} {type_name}"
        case plan_changes.DropColumn(column=column, if_exists=checked):
            return f"DROP COLUMN {'IF EXISTS ' if checked else ''}{_name(column)}"
        case plan_changes.RenameColumn(column=column, new_name=new_name):
            return f"RENAME COLUMN {_name(column)} TO {_name(new_name)}"


def _name(name: Name) -> str:
    if _PLAIN.fullmatch(name.text) and name.text.upper() not in _KEYWORDS:
        return name.text
    return '"' + name.text.replace('"', '""') + '"'


def _model(name: Name) -> str:
    base, dot, version = name.text.partition(".")
    return _name(Name(text=base, span=name.span)) + dot + version


def _literal(value: object) -> str:
    plain = value.value if isinstance(value, Enum) else value
    if isinstance(plain, Hotword):
        alone = _literal(plain.phrase)
        return alone if plain.weight is None else f"[{alone}, {plain.weight!r}]"
    if isinstance(plain, tuple):
        return f"[{', '.join(map(_literal, plain))}]"
    if isinstance(plain, str):
        return "'" + plain.replace("'", "''") + "'"
    return repr(plain)


def _copy_options(statement: plan_changes.Copy) -> str:
    given = []
    if statement.if_exists is not IfExists.FAIL:
        given.append(f"if_exists={_literal(statement.if_exists)}")
    if statement.store_audio:
        given.append("store_audio=True")
    if statement.audio_col != "audio_path":
        given.append(f"audio_col={_literal(statement.audio_col)}")
    return f" OPTIONS({', '.join(given)})" if given else ""


def _options(options: plan.AnyOptions) -> str:
    given = _given(options)
    return f" OPTIONS({', '.join(given)})" if given else ""


def _given(options: plan.AnyOptions | BeamOptions) -> list[str]:
    given: list[str] = []
    for item in fields(options):
        value = getattr(options, item.name)
        if isinstance(value, BeamOptions):
            # A search for which all is as by default still is one.
            given += _given(value) or [f"beam_width={value.beam_width}"]
        elif value is not None and (item.default is MISSING or value != item.default):
            given.append(f"{item.name}={_literal(value)}")
    return given
