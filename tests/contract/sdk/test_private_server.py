"""Commands that start the real system: `serve`, and `transcribe` where no server answers."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from thanosql import ThanoSQL, Unavailable
from thanosql.cli.main import main

RECORDING = Path(__file__).parents[3] / "examples/tutorial_data/librispeech_data/audio/test_011.wav"


def test_serve_becomes_the_server_with_the_settings_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *call: calls.append(call))
    options = ["--address", "127.0.0.1:0", "--home", str(tmp_path / "home"), "--workspace", str(tmp_path)]
    assert CliRunner().invoke(main, ["serve", *options]).exit_code == 0
    ((program, command, environment),) = calls
    assert command == [program, "-P", "-m", "services", "all"]
    assert environment["THANOSQL_SERVER__ADDRESS"] == "127.0.0.1:0"
    assert environment["THANOSQL_HOME"] == str(tmp_path / "home")
    assert environment["THANOSQL_OBJECTS__WORKSPACE"] == str(tmp_path)


def test_serve_without_the_services_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thanosql.local_server.services_installed", lambda: False)
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 1
    assert "only the client is" in result.stderr


@pytest.mark.timeout(300)
def test_transcribe_without_a_server_starts_a_private_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thanosql.connection.DEFAULT_ADDRESS", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    shutil.copy(RECORDING, tmp_path / "it's one.wav")
    (tmp_path / "broken.wav").write_bytes(b"not audio")
    result = CliRunner().invoke(main, ["transcribe", "--format", "tsv", "it's one.wav", "broken.wav"])
    assert result.exit_code == 1, result.stderr
    assert "starting a private one" in result.stderr
    head, *heard, broken = (line.split("\t") for line in result.stdout.splitlines())
    assert head == ["file", "start_s", "end_s", "text", "error"]
    assert {line[0] for line in heard} == {"it's one.wav"}
    assert all(line[3] and not line[4] for line in heard)
    assert broken[:4] == ["broken.wav", "", "", ""]
    assert broken[4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.wav", "it's one.wav"]


@pytest.mark.timeout(300)
def test_a_killed_caller_takes_the_real_server_along(tmp_path: Path) -> None:
    lines = (
        "import os, signal, thanosql",
        "with thanosql.LocalServer() as server:",
        "    assert server.client().execute('LIST MODEL').has_rows",
        "    print(server.address, flush=True)",
        "    os.kill(os.getpid(), signal.SIGKILL)",
    )
    caller = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert caller.returncode == -signal.SIGKILL
    (lock,) = tmp_path.glob("thanosql-*/in-use")
    with lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits for the end of the server, which holds it
    with ThanoSQL(caller.stdout.strip(), "token") as client, pytest.raises(Unavailable):
        client.server_info()
