"""What `import thanosql` promises, and what it must not drag in."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import thanosql

ROOT = Path(__file__).parents[3]

PUBLIC = {
    "AlreadyExists",
    "AsyncThanoSQL",
    "AuthenticationError",
    "Cancelled",
    "Columns",
    "Conflict",
    "DeadlineExceeded",
    "Event",
    "Explanation",
    "File",
    "FilePage",
    "FileUrl",
    "FinalizeUtterance",
    "InternalError",
    "InvalidArgument",
    "InvalidData",
    "InvalidModel",
    "Job",
    "LiveTranscript",
    "LocalServer",
    "Media",
    "Model",
    "NotAvailableYet",
    "NotFound",
    "Notice",
    "Overloaded",
    "PermissionDenied",
    "Progress",
    "Result",
    "RowError",
    "Rows",
    "Scores",
    "ServerInfo",
    "Span",
    "StatementDone",
    "StatementError",
    "StatementStarted",
    "ThanoSQL",
    "ThanoSQLError",
    "TrainingError",
    "Unavailable",
    "Word",
    "__version__",
    "subtitles",
}


def test_public_names_are_frozen() -> None:
    assert set(thanosql.__all__) == PUBLIC
    assert all(hasattr(thanosql, name) for name in thanosql.__all__)


def test_version_equals_the_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert thanosql.__version__ == project["project"]["version"]


def test_import_needs_no_pandas_ipython_or_part_of_the_server() -> None:
    code = "import sys, json, thanosql, thanosql.cli.main; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in json.loads(output.stdout)}
    unwanted = {"pandas", "IPython", "services", "torch", "duckdb", "lancedb", "pydantic", "structlog"}
    assert not loaded & (unwanted | {name for name in loaded if name.startswith("thanosql_")})


def test_the_tree_of_errors_in_the_docstring_is_the_real_one() -> None:
    drawn = thanosql.errors.__doc__ or ""
    real = {name for name, value in vars(thanosql.errors).items() if _is_error(value)}
    assert real == {line.split()[1] for line in drawn.splitlines() if "──" in line} | {"ThanoSQLError"}


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, thanosql.ThanoSQLError)
