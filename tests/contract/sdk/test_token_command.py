"""`thanosql token`: nothing secret is shown, and no token is lost."""

import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.fakes.sdk_gateway import TOKEN, FakeGateway
from thanosql.cli.main import main
from thanosql.tokens import read_token, token_path

Run = Callable[..., Result]


@pytest.fixture
def run(address: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("THANOSQL_ADDRESS", address)
    return lambda *arguments, **more: CliRunner().invoke(main, list(arguments), **more)


def test_a_token_is_kept_and_never_printed(run: Run, address: str) -> None:
    assert f"no token of {address} is kept" in run("token").stdout
    kept = run("token", "set", TOKEN)
    assert kept.exit_code == 0
    assert TOKEN not in kept.output + run("token").output
    assert run("sql", "SELECT * FROM t").exit_code == 0
    assert "thanosql_rotated" not in run("token", "rotate").output
    assert run("sql", "SELECT * FROM t").exit_code == 0


def test_a_token_comes_from_the_standard_input(run: Run, address: str) -> None:
    assert run("token", "set", input=f"{TOKEN}\n").exit_code == 0
    assert read_token(address) == TOKEN
    nothing = run("token", "set", input="\n")
    assert (nothing.exit_code, read_token(address)) == (2, TOKEN)


def test_a_token_that_is_typed_is_not_shown(address: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "thanosql", "token", "set", "--address", address]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as child:
        os.close(theirs)
        shown = os.read(ours, 1000)
        os.write(ours, f"{TOKEN}\n".encode())
        while b"is kept in" not in shown:
            shown += os.read(ours, 1000)
        assert child.wait(30) == 0
    os.close(ours)
    assert TOKEN.encode() not in shown
    assert read_token(address) == TOKEN


def test_every_address_has_its_own(run: Run, address: str) -> None:
    run("token", "set", "--no-verify", "--address", "there:1", "theirs")
    assert read_token(address) == ""
    assert "the token of there:1 is kept" in run("token", "--address", "there:1").stdout
    assert run("sql", "SELECT * FROM t").exit_code == 1


def test_a_token_that_the_server_does_not_take_is_not_kept(run: Run, address: str) -> None:
    run("token", "set", TOKEN)
    result = run("token", "set", "thanosql_other", env={"THANOSQL_API_TOKEN": TOKEN})
    assert result.exit_code == 1
    assert f"{address} does not take this token, so it was not kept" in result.stderr
    assert read_token(address) == TOKEN
    assert run("token", "set", "--no-verify", "thanosql_other").exit_code == 0
    assert read_token(address) == "thanosql_other"


def test_a_token_of_a_server_that_does_not_answer_is_kept_only_unverified(run: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        silent = f"127.0.0.1:{unused.getsockname()[1]}"
        result = run("token", "set", TOKEN, "--address", silent)
        assert result.exit_code == 1
        assert f"no server answers at {silent} to verify the token" in result.stderr
        assert "add --no-verify" in result.stderr
        assert read_token(silent) == ""
        assert run("token", "set", TOKEN, "--address", silent, "--no-verify").exit_code == 0
        assert read_token(silent) == TOKEN


def test_something_that_is_no_token_is_not_kept(run: Run, address: str) -> None:
    result = run("token", "set", "thanosql_…")
    assert result.exit_code == 1
    assert "copy it again" in result.stderr
    assert read_token(address) == ""


def test_a_new_token_that_cannot_be_kept_is_printed(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    run("token", "set", TOKEN)
    token_path().write_text("damaged", encoding="utf-8")
    result = run("token", "rotate", env={"THANOSQL_API_TOKEN": TOKEN})
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [gateway.token]
    assert "the only copy" in result.stderr


def test_a_token_of_the_environment_that_has_ended_is_warned_of(run: Run, address: str) -> None:
    result = run("token", "rotate", env={"THANOSQL_API_TOKEN": TOKEN})
    assert result.exit_code == 0
    assert "THANOSQL_API_TOKEN is set here" in result.stderr
    assert "unset it" in result.stderr
    assert read_token(address) == "thanosql_rotated"
    kept = run("token", "set", TOKEN, "--no-verify", env={"THANOSQL_API_TOKEN": "y"})
    assert "THANOSQL_API_TOKEN is set here" in kept.stderr
