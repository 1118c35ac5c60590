"""The program from outside: what it refuses to start with, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment import ROOT, Program

PEER_TOKEN = "the-peers-of-a-test"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("THANOSQL_")}
    return subprocess.run(
        [sys.executable, "-m", "services", *arguments],
        cwd=ROOT,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_misspelt_setting_stops_the_start() -> None:
    done = run("parser", THANOSQL_SERVER__ADRESS="127.0.0.1:0")
    assert done.returncode == 1
    assert done.stderr == (
        "error: THANOSQL_SERVER__ADRESS is not a setting; did you mean THANOSQL_SERVER__ADDRESS?\n"
    )


def test_a_service_apart_needs_the_peers_secret() -> None:
    done = run("parser", THANOSQL_SERVER__ADDRESS="127.0.0.1:0")
    assert done.returncode == 1
    assert "set THANOSQL_SERVER__PEER_TOKEN" in done.stderr


def test_a_service_apart_needs_its_peers_addresses(tmp_path: Path) -> None:
    done = run(
        "gateway",
        THANOSQL_HOME=str(tmp_path),
        THANOSQL_SERVER__ADDRESS="127.0.0.1:0",
        THANOSQL_SERVER__PEER_TOKEN=PEER_TOKEN,
        THANOSQL_PEERS__PARSER="127.0.0.1:1",
    )
    assert done.returncode == 1
    for name in ("PREDICTOR", "STORAGE", "TRAINER"):
        assert f"THANOSQL_PEERS__{name}" in done.stderr


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("parser", THANOSQL_SERVER__ADDRESS=address, THANOSQL_SERVER__PEER_TOKEN=PEER_TOKEN)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: cannot listen on {address}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    program = Program("parser", tmp_path / "home", {"THANOSQL_SERVER__PEER_TOKEN": PEER_TOKEN})
    address = program.wait_for("listening on")
    program.wait_for("ready")
    assert run("probe", address).stdout == "SERVING\n"
    program.process.send_signal(number)
    assert program.process.wait(timeout=60) == 0
    assert run("probe", address).returncode == 1


def test_settings_are_printed_without_secrets() -> None:
    done = run("settings", THANOSQL_SERVER__PEER_TOKEN="hunter2-hunter2-hunter2")
    assert done.returncode == 0
    assert "THANOSQL_SERVER__ADDRESS=127.0.0.1:50051" in done.stdout
    assert "hunter2" not in done.stdout


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("THANOSQL_SERVER__GRACE_S", "abc", "THANOSQL_SERVER__GRACE_S: Input should be a valid number"),
        ("THANOSQL_SERVER__ADDRESS", "nonsense", "'nonsense' is not host:port"),
        ("THANOSQL_SERVER__PEER_TOKEN", "", "THANOSQL_SERVER__PEER_TOKEN: Value should have at least 16"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable(variable: str, value: str, said: str) -> None:
    done = run("parser", **{variable: value})
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "https://" not in done.stderr


def test_a_home_that_cannot_be_made_is_said_in_one_line() -> None:
    done = run("all", THANOSQL_HOME="/proc/nowhere", THANOSQL_SERVER__ADDRESS="127.0.0.1:0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr


def test_help_keeps_its_examples_a_line_each() -> None:
    lines = [line.strip() for line in run("--help").stdout.splitlines()]
    assert any(line.startswith("python -m services all ") for line in lines)
    assert any(line.startswith("python -m services predictor ") for line in lines)


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    environment = {"THANOSQL_SERVER__PEER_TOKEN": PEER_TOKEN, "THANOSQL_SERVER__DRAIN_S": "600"}
    program = Program("parser", tmp_path / "home", environment)
    program.wait_for("ready")
    program.process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        program.process.wait(timeout=0.5)
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(timeout=60) == 0


def test_it_ends_with_the_program_that_holds_its_input(tmp_path: Path) -> None:
    environment = {
        "THANOSQL_SERVER__PEER_TOKEN": PEER_TOKEN,
        "THANOSQL_SERVER__STOP_ON_STDIN_EOF": "true",
    }
    program = Program("parser", tmp_path / "home", environment)
    program.wait_for("ready")
    assert program.process.stdin is not None
    program.process.stdin.close()
    assert program.process.wait(timeout=60) == 0
