"""The documents tell the truth: reasons, settings, options and examples are held against the code."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.gateway.settings import GatewaySettings
from services.modules import settings_classes
from services.parser.core.nesting import MAX_NESTING
from services.parser.core.option_sets import option_sets
from services.parser.core.parser import MAX_STATEMENTS, Parser
from services.parser.core.rewriting import MAX_SQL_BRACKETS
from services.parser.core.scanner import MAX_TOKENS
from services.parser.settings import ParserSettings
from thanosql.failures import CLASSES
from thanosql.v1.errors_pb2 import ErrorReason
from thanosql_runtime.errors import Reason
from thanosql_runtime.settings import variable_names
from thanosql_runtime.status import CODES

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for folder in (ROOT, ROOT / "docs", ROOT / "services", ROOT / "examples", ROOT / "benchmarks")
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
    if ".venv" not in path.parts
)
ROW = re.compile(r"^\| `([A-Z_0-9]+)` \| (.*) \|$", re.MULTILINE)


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def anchors(document: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def reasons() -> dict[str, list[str]]:
    return {name: cells.split(" | ") for name, cells in ROW.findall(text_of("docs/errors.md"))}


def test_every_reason_has_a_line(reasons: dict[str, list[str]]) -> None:
    on_the_wire = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118 - an enum wrapper
    assert set(reasons) == on_the_wire - {"UNSPECIFIED"}
    assert all(meaning and advice for meaning, advice, *_ in reasons.values())


def test_reasons_have_the_status_and_the_class_that_is_written(reasons: dict[str, list[str]]) -> None:
    for name, (*_, status, kind) in reasons.items():
        assert status == CODES[Reason[name]].name, name
        assert kind == f"`{CLASSES[name].__name__}`", name


def test_every_setting_has_a_line_and_no_line_is_without_its_setting(known_settings: set[str]) -> None:
    written = {name for name, _ in ROW.findall(text_of("docs/operations.md"))}
    assert {name for name in written if name.startswith("THANOSQL_")} == known_settings | {
        "THANOSQL_ADDRESS",
        "THANOSQL_API_TOKEN",
    }


def test_defaults_of_settings_are_those_that_are_written() -> None:
    written = {
        name: cells.split(" | ")[0].strip(" `") for name, cells in ROW.findall(text_of("docs/operations.md"))
    }
    for settings in settings_classes():
        for variable, field in zip(variable_names(settings), settings.model_fields.values(), strict=True):
            default = field.default if field.default_factory is None else None
            shown = (
                ""
                if default is None or isinstance(default, SecretStr)
                else str(default).removeprefix(f"{ROOT}/")
            )
            assert written[variable] == (shown.lower() if isinstance(default, bool) else shown), variable


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_that_are_named_exist(document: str, known_settings: set[str]) -> None:
    named = set(re.findall(r"\bTHANOSQL_[A-Z0-9]+(?:__[A-Z0-9_]+[A-Z0-9])?\b", text_of(document)))
    of_clients = {"THANOSQL_ADDRESS", "THANOSQL_API_TOKEN"}
    of_compose = {"THANOSQL_PEER_TOKEN", "THANOSQL_WORKSPACE", "THANOSQL_PORT"}
    sections = {f"THANOSQL_{name.split('_')[1]}" for name in known_settings}
    assert {name for name in named if "__" in name} <= known_settings
    assert {name for name in named if "__" not in name} <= known_settings | of_clients | of_compose | sections


def test_every_option_has_its_place_in_the_language_reference() -> None:
    reference = text_of("docs/language.md")
    for option_set in option_sets():
        for option in option_set.known:
            assert f"`{option}`" in reference, f"{option_set.label}: {option}"


def test_limits_are_those_that_are_written() -> None:
    gateway, parser = GatewaySettings.model_fields, ParserSettings.model_fields
    written = {
        limit: value.replace(" ", "")
        for limit, value in re.findall(
            r"^\| (\w[^|]*) \| (\d+(?: \d{3})*)\b", text_of("docs/language.md"), re.MULTILINE
        )
    }
    assert parser["max_text_bytes"].default == gateway["max_text_bytes"].default == 1 << 20
    assert written == {
        "text of a call": "1",
        "tokens of a call (words, strings, numbers, signs)": str(MAX_TOKENS),
        "statements of a call": str(MAX_STATEMENTS),
        "statements nested in each other": str(MAX_NESTING),
        "brackets nested in each other, in SQL": str(MAX_SQL_BRACKETS),
        "length of a name": "128",
        "calls running at the same time": str(gateway["max_concurrent_calls"].default),
        "recordings that one PRINT sends": str(gateway["media_files"].default),
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_statements_that_are_shown_parse(document: str) -> None:
    parser = Parser()
    for block in re.findall(r"^```sql\n(.*?)^```", text_of(document), re.MULTILINE | re.DOTALL):
        assert parser.parse(block), block


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / document).parent / name if name else ROOT / document
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(str(path.resolve().relative_to(ROOT))), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_that_are_named_exist(document: str) -> None:
    makefile = text_of("Makefile")
    for target in re.findall(r"`make ([a-z-]+)[^`]*`", text_of(document)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_decisions_are_numbered_and_have_the_parts_of_the_template() -> None:
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04}" for number in range(len(records))]
    for record in records:
        for part in ("Status", "Context", "Decision", "Consequences"):
            assert f"## {part}" in record.read_text(encoding="utf-8"), record.name
