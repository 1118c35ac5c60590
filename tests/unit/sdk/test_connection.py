"""Where the client looks for the server and for the token, and how it keeps the connection."""

import json
import stat
from pathlib import Path

import pytest

from thanosql import AuthenticationError
from thanosql.connection import channel_options, resolve_address, resolve_token
from thanosql.tokens import keep_token, read_token, token_path

HERE, THERE = "127.0.0.1:50051", "speech.example.org:50051"


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
    assert resolve_token(None, HERE) == ""
    keep_token("kept", HERE)
    assert resolve_token(None, HERE) == "kept"
    monkeypatch.setenv("THANOSQL_API_TOKEN", "environment")
    assert resolve_token(None, HERE) == "environment"
    assert resolve_token("argument", HERE) == "argument"


def test_a_kept_token_goes_to_its_own_address_alone() -> None:
    keep_token("ours", HERE)
    assert resolve_token(None, THERE) == ""
    keep_token("theirs", THERE)
    assert (resolve_token(None, HERE), resolve_token(None, THERE)) == ("ours", "theirs")


def test_token_file_is_for_its_owner_alone_even_where_a_wider_one_stood() -> None:
    token_path().parent.mkdir(parents=True)
    token_path().write_text(json.dumps({HERE: "old"}))
    token_path().chmod(0o644)
    keep_token("new", HERE)
    assert read_token(HERE) == "new"
    assert stat.S_IMODE(token_path().stat().st_mode) == 0o600
    assert [path.name for path in token_path().parent.iterdir()] == [token_path().name]


@pytest.mark.parametrize("content", ["thanosql_plain", "[]", '{"here:1": 5}'])
def test_a_damaged_token_file_is_named_and_never_overwritten(content: str) -> None:
    token_path().parent.mkdir(parents=True)
    token_path().write_text(content)
    for call in (lambda: read_token(HERE), lambda: keep_token("new", HERE)):
        with pytest.raises(AuthenticationError, match=r"tokens\.json is damaged"):
            call()
    assert token_path().read_text() == content


def test_a_failed_write_leaves_the_kept_tokens_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise OSError("the disk is full")

    keep_token("kept", HERE)
    with monkeypatch.context() as patch:
        patch.setattr("thanosql.tokens.json.dump", fail)
        with pytest.raises(OSError, match="the disk is full"):
            keep_token("new", HERE)
    assert read_token(HERE) == "kept"
    assert [path.name for path in token_path().parent.iterdir()] == [token_path().name]


def test_pings_are_rarer_than_servers_allow_and_sent_only_while_a_call_runs() -> None:
    options = dict(channel_options())
    assert int(options["grpc.keepalive_time_ms"]) >= 30_000
    assert options["grpc.keepalive_permit_without_calls"] == 0
