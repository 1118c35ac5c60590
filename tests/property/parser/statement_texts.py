"""Statements as people write them, of every family, for hypothesis.

The language stands here a second time, as templates: `<query>` is replaced by one of the templates
of that name, and every space by a gap of any kind.
"""

import re

from hypothesis import strategies as st

GAPS = (" ", " ", "  ", "\n", "\t", " /* a */ ", " -- a\n", " /* ' /* ; */ */ ")
CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=12).filter(str.strip)

# At the deepest level only the first template of a name is used: it must lead nowhere.
TEMPLATES: dict[str, tuple[str, ...]] = {
    "statement": (
        "<query>",
        "<query>",
        "<table>",
        "<model>",
        "<workspace>",
        "EXPLAIN <table>",
        "explain <model>",
    ),
    "query": (
        "SELECT * FROM <name>",
        "select <expression> AS <plain>, * from <name> limit <small>",
        "VALUES (<small>, <string>), (<expression>, NULL)",
        "TABLE <plain>",
        "SELECT <expression> FROM <source> WHERE <expression>",
        "SELECT * FROM <source> AS p LEFT JOIN <source> q USING (id)",
        "WITH w AS (<body>) SELECT * FROM w ORDER BY 1 DESC",
        "(<query>) UNION ALL (<body>)",
        "SELECT a FROM t WHERE a IN (<body>) GROUP BY a HAVING count(*) > <small>",
        "(<query>)",
        "<nested>",
    ),
    "body": ("<query>", "<nested>"),
    "source": ("<name>", "(<query>)", "(<nested>)", "<name> AT VERSION <small>"),
    "nested": (
        "LIST MODEL",
        "list table",
        "LIST THANOSQL MODEL",
        "LIST THANOSQL DATASET",
        "SHOW TABLE VERSIONS <name>",
        "show model versions <object>",
        "PREDICT USING <version> AS <query>",
        "predict using <version> options(batch_size=<batch>, epochs = <small>) as <query>",
        "PREDICT USING <version> OPTIONS(audio_col=<text>, result_col=<text>, TASK='translate') AS <body>",
        "CONVERT USING <version> OPTIONS ( audio_col = <text> ) AS <query>",
        "CONVERT USING <version> OPTIONS(text_col=<text>, result_col=None) AS (<body>)",
        "SEARCH KEYWORD OPTIONS(search_input=<text>, top_k=<small>) AS <query>",
        "SEARCH AUDIO USING <version> OPTIONS(search_by='text', search_input=<text>) AS <body>",
        "SEARCH TEXT USING <version> OPTIONS(search_input=<text>, emb_col=<text>) AS <query>",
    ),
    "expression": (
        "<small>",
        "<name>",
        "<string>",
        "t.<plain>",
        "1.5",
        "NULL",
        "now()",
        "(<expression> + <expression>)",
        "(<expression> = <expression> AND NOT <expression>)",
        "coalesce(<expression>, lower(<string>))",
        "CASE WHEN <expression> THEN <expression> ELSE <string> END",
        "CAST(<expression> AS text)",
        "<plain>::numeric(10, 2)",
        "(<expression> IS NOT NULL)",
        "(<expression> LIKE <string>)",
    ),
    "table": (
        "COPY <name> FROM <text>",
        "COPY <name> OPTIONS(overwrite=<boolean>) FROM <text>",
        "copy <name> options (if_exists = 'append') from <text>",
        "COPY <name> OPTIONS(store_audio=<boolean>, audio_col='a') FROM <text>",
        "CREATE TABLE <name> AS <body>",
        "CREATE OR REPLACE TABLE <name> AS <query>",
        "CREATE TABLE IF NOT EXISTS <name> AS <query>",
        "INSERT INTO <name> <query>",
        "INSERT INTO <name> (thirteen_characters, <quoted>) AS <body>",
        "UPDATE <name> SET thirteen_characters = <expression>, <quoted> = <expression>",
        "UPDATE <name> SET a = <expression> WHERE <expression>",
        "DELETE FROM <name>",
        "DELETE FROM <name> WHERE <expression>",
        "DROP TABLE <name>",
        "drop table if exists <name>",
        "RESTORE TABLE <name> TO VERSION <small>",
        "ALTER TABLE <name> ADD COLUMN <name> text",
        "ALTER TABLE <name> ADD <quoted> numeric(9, 2)",
        "ALTER TABLE <name> DROP COLUMN IF EXISTS <name>",
        "ALTER TABLE <name> RENAME COLUMN <name> TO <name>",
    ),
    "model": (
        "BUILD MODEL <object> USING <version> AS <query>",
        "BUILD MODEL <object> USING <version> OPTIONS(max_epochs=<small>, seed=<small>) AS <body>",
        "FIT MODEL <object> USING <version> OPTIONS(overwrite=<boolean>, text_col=<text>) AS <query>",
        "EVALUATE USING <version> OPTIONS(batch_size=<batch>) AS <body>",
        "EVALUATE USING <version> OPTIONS(slice_by=[<text>], resample_by=<text>) AS <query>",
        "EVALUATE USING <version> OPTIONS(per_row=<boolean>) AS <query>",
        "PRINT AUDIO AS <body>",
        "print image options(audio_col=<text>) as <query>",
        "UPLOAD MODEL <object> FROM <text>",
        "UPLOAD MODEL <object> OPTIONS(framework='pytorch', overwrite=<boolean>) FROM <text>",
        "DELETE MODEL <object>",
        "DELETE MODEL IF EXISTS <version> OPTIONS(force=<boolean>)",
        "ACTIVATE MODEL <object>.<small>",
        "DESCRIBE MODEL <version>",
        "SHOW BUILD <version>",
        "SHOW MODEL VERSIONS <object>",
    ),
    "workspace": (
        "SHOW JOBS",
        "SHOW JOB <text>",
        "CANCEL JOB <text>",
        "RESUME JOB <text>",
        "GET THANOSQL MODEL <object> OPTIONS(model_name=<text>, overwrite=<boolean>)",
        "GET THANOSQL DATASET <object>",
        "SHOW TRANSCRIPTS",
        "DELETE TRANSCRIPTS",
        "DELETE TRANSCRIPTS USING <version>",
        "SHOW LOADED MODELS",
        "SHOW EVALUATIONS",
        "SHOW EVALUATIONS <version>",
        "UNLOAD MODEL <version>",
    ),
    "version": ("<object>", "<object>.<small>"),
    "object": ("<plain>", '"my-model"', "MODEL", "options", "versions", "predict"),
    "name": ("<plain>", "<quoted>"),
    "boolean": ("True", "false", "TRUE"),
    "plain": (
        "a",
        "Recordings",
        "t_1",
        "음성",
        "speaker_id",
        "model",
        "versions",
        "version",
        "restore",
        "job",
        "list",
        "text",
        "name",
    ),
    "text": ("<string>", "<quoted>", "$$it's$$"),
}
LEAVES: dict[str, st.SearchStrategy[str]] = {
    "small": st.integers(1, 99).map(str),
    "batch": st.integers(1, 1024).map(str),
    "rate": st.floats(1e-9, 1).map(repr),
    "string": TEXTS.map(lambda text: "'" + text.replace("'", "''") + "'"),
    "quoted": TEXTS.map(lambda text: '"' + text.replace('"', '""') + '"'),
}
DEEPEST = 4
_PLACE = re.compile(r"<(\w+)>")


@st.composite
def statements(draw: st.DrawFn) -> str:
    """A statement of any family."""
    gap = draw(st.sampled_from(GAPS))
    return _written(draw, "statement", gap, 0)


def _written(draw: st.DrawFn, name: str, gap: str, depth: int) -> str:
    if name in LEAVES:
        return draw(LEAVES[name])
    templates = TEMPLATES[name] if depth < DEEPEST else TEMPLATES[name][:1]
    template = draw(st.sampled_from(templates)).replace(" ", gap)
    return _PLACE.sub(lambda place: _written(draw, place.group(1), gap, depth + 1), template)
