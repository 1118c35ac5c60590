"""The private server: what it says at its start is understood, and it always ends."""

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from thanosql import LocalServer, Unavailable
from thanosql.local_server import server_environment
from thanosql.temporary_home import TemporaryHome

SAYS_TOKEN = "print('token: thanosql_new', flush=True)"
READY = "print('ready', flush=True)"


def fake_services(folder: Path, *lines: str) -> dict[str, str]:
    """A package `services` that behaves as `lines` say; answers the environment in which it is found."""
    package = folder / "services"
    package.mkdir()
    (package / "__init__.py").touch()
    start = textwrap.dedent(f"""\
        import os, pathlib, signal, sys
        def stop(*_):
            pathlib.Path({str(folder / "stopped")!r}).touch()
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        pathlib.Path({str(folder / "home")!r}).write_text(os.environ["THANOSQL_HOME"])
        print("listening on 127.0.0.1:4711", flush=True)
        """)
    (package / "__main__.py").write_text(start + "\n".join(lines) + "\n")
    return {"PYTHONPATH": str(folder)}


def test_address_and_token_are_what_the_server_says_and_it_ends_with_the_block(tmp_path: Path) -> None:
    environment = fake_services(tmp_path, SAYS_TOKEN, "print('model: x')", READY, "signal.pause()")
    with LocalServer(environment=environment) as server:
        assert (server.address, server.token) == ("127.0.0.1:4711", "thanosql_new")
        assert not (tmp_path / "stopped").exists()
        home = Path((tmp_path / "home").read_text())
        assert home.is_dir()
    assert (tmp_path / "stopped").exists()
    assert not home.exists()


def test_a_given_home_stays(tmp_path: Path) -> None:
    environment = fake_services(tmp_path, SAYS_TOKEN, READY, "signal.pause()")
    with LocalServer(home=tmp_path / "kept", environment=environment):
        pass
    assert (tmp_path / "kept").is_dir()


def test_a_used_home_needs_its_token(tmp_path: Path) -> None:
    environment = fake_services(tmp_path, READY, "signal.pause()")
    with pytest.raises(Unavailable, match="give the token"):
        LocalServer(home=tmp_path / "kept", environment=environment).start()
    assert (tmp_path / "stopped").exists()
    with LocalServer(home=tmp_path / "kept", token="thanosql_old", environment=environment) as server:
        assert server.token == "thanosql_old"


def test_a_server_that_fails_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    environment = fake_services(tmp_path, "sys.exit('unknown setting THANOSQL_X')")
    with pytest.raises(Unavailable, match=r"ended before it was ready\nunknown setting THANOSQL_X"):
        LocalServer(environment=environment).start()


def test_a_server_that_is_never_ready_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = fake_services(tmp_path, SAYS_TOKEN, "signal.pause()")
    server = LocalServer(environment=environment, start_timeout_s=60)
    # However slow this machine is, the time is up once the server has said its first line.
    monkeypatch.setattr("thanosql.local_server.monotonic", lambda: 61.0 if server.address else 0.0)
    with pytest.raises(Unavailable, match="not ready within 60 s"):
        server.start()
    assert (tmp_path / "stopped").exists()


def test_a_killed_caller_takes_the_server_along_and_its_home_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    ended = f"open({str(tmp_path / 'ended')!r}, 'w').write(os.environ['THANOSQL_SERVER__STOP_ON_STDIN_EOF'])"
    environment = fake_services(tmp_path, SAYS_TOKEN, READY, "sys.stdin.read()", ended, "sys.exit()")
    os.mkfifo(tmp_path / "ended")
    lines = (
        "import os, signal, thanosql",
        f"thanosql.LocalServer(environment={environment!r}).start()",
        "os.kill(os.getpid(), signal.SIGKILL)",
    )
    caller = subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False, timeout=60)
    assert caller.returncode == -signal.SIGKILL
    assert (tmp_path / "ended").read_text() == "true"
    home = Path((tmp_path / "home").read_text())
    with (home / "in-use").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits for the end of the server, which holds it
    TemporaryHome().remove()
    assert not home.exists()


def test_a_temporary_home_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = TemporaryHome()
    TemporaryHome().remove()
    assert first.path.is_dir()
    first.remove()
    assert list(tmp_path.iterdir()) == []


def test_much_output_after_the_start_blocks_nothing(tmp_path: Path) -> None:
    chatter = f"print('x' * 500_000, flush=True); pathlib.Path({str(tmp_path / 'said')!r}).touch()"
    environment = fake_services(tmp_path, SAYS_TOKEN, READY, chatter, "os.kill(os.getpid(), signal.SIGTERM)")
    server = LocalServer(environment=environment)
    server.start()
    server.stop()
    assert (tmp_path / "stopped").exists()


def test_without_the_services_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thanosql.local_server.services_installed", lambda: False)
    with pytest.raises(Unavailable, match="only the client is"):
        LocalServer().start()


def test_only_what_is_given_is_set() -> None:
    base = {"PATH": "/bin", "THANOSQL_HOME": "/old"}
    changed = server_environment(address=None, home=None, workspace=Path("/w"), base=base)
    assert changed == {**base, "THANOSQL_OBJECTS__WORKSPACE": "/w"}
