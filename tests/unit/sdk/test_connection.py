"""Where the client looks for the server and for the token."""

import stat
from pathlib import Path

import pytest

from thanosql.connection import keep_token, read_token, resolve_address, resolve_token, token_path


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("THANOSQL_ADDRESS", raising=False)
    monkeypatch.delenv("THANOSQL_API_TOKEN", raising=False)


def test_argument_goes_before_environment_and_environment_before_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert resolve_address(None) == "127.0.0.1:50051"
    monkeypatch.setenv("THANOSQL_ADDRESS", "there:1")
    assert resolve_address(None) == "there:1"
    assert resolve_address("here:2") == "here:2"


def test_token_comes_from_argument_environment_or_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_token(None) == ""
    keep_token("kept")
    assert resolve_token(None) == "kept"
    monkeypatch.setenv("THANOSQL_API_TOKEN", "environment")
    assert resolve_token(None) == "environment"
    assert resolve_token("argument") == "argument"


def test_token_file_is_for_its_owner_alone_even_where_a_wider_one_stood() -> None:
    token_path().parent.mkdir(parents=True)
    token_path().write_text("old")
    token_path().chmod(0o644)
    keep_token("new")
    assert read_token() == "new"
    assert stat.S_IMODE(token_path().stat().st_mode) == 0o600
