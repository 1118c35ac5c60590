"""A private server for as long as a `with` block lasts: all services in one child process."""

import importlib.util
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from thanosql.client import ThanoSQL
from thanosql.errors import Unavailable

if TYPE_CHECKING:
    from thanosql.temporary_home import TemporaryHome

_LISTENING = "listening on "
_TOKEN = "token: "  # noqa: S105 - the beginning of a line
_READY = "ready"
_STOP_S = 30.0
# It ends with this process, whose end of its standard input ends too, and has no balancer to wait for.
_PRIVATE = {"THANOSQL_SERVER__STOP_ON_STDIN_EOF": "true", "THANOSQL_SERVER__DRAIN_S": "0"}
_LOG_TAIL = 2000


def services_installed() -> bool:
    """True where `python -m services` can run."""
    return importlib.util.find_spec("services") is not None


def server_environment(
    *, address: str | None, home: Path | None, workspace: Path | None, base: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a server process: `base` with what is given here."""
    given = {
        "THANOSQL_SERVER__ADDRESS": address,
        "THANOSQL_HOME": home and str(home),
        "THANOSQL_OBJECTS__WORKSPACE": workspace and str(workspace),
    }
    return {**base, **{key: value for key, value in given.items() if value}}


def server_command() -> list[str]:
    """How to start all services in one process.

    Raises:
        Unavailable: Only the client is installed.
    """
    if not services_installed():
        raise Unavailable(
            reason="PEER_UNAVAILABLE",
            message="the services are not installed here, only the client is; run this inside a checkout "
            "after `make setup`, or name a running server with THANOSQL_ADDRESS",
        )
    # -P: a folder called `services` where the user stands is not ours.
    return [sys.executable, "-P", "-m", "services", "all"]


class LocalServer:
    """A server on a free port of this machine, stopped at the end of the block.

    A process that is killed inside the block takes the server with it; what stays of a temporary home
    is removed when the next one is made.

    Example:
        >>> with LocalServer(workspace="examples") as server, server.client() as client:  # doctest: +SKIP
        ...     client.execute("LIST MODEL").to_pandas()

    Args:
        workspace: The folder that paths in statements are relative to; the current one by default.
        home: Where tables and models are kept; by default a temporary folder, removed at the end.
        token: Needed for a home that an earlier server has made, since only its hash is kept there.
        start_timeout_s: How long it may take until everything serves.
        environment: More settings, such as `{"THANOSQL_STORAGE__WAV2VEC2_EN": "/models/base"}`.
    """

    def __init__(
        self,
        workspace: str | Path | None = None,
        home: str | Path | None = None,
        *,
        token: str | None = None,
        start_timeout_s: float = 180.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._workspace = Path(workspace or ".").resolve()
        self._given_home = Path(home).resolve() if home else None
        self._temporary: TemporaryHome | None = None
        self._start_timeout_s = start_timeout_s
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None
        self.address = ""
        self.token = token or ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def client(self) -> ThanoSQL:
        """A client of this server."""
        return ThanoSQL(self.address, self.token)

    def start(self) -> None:
        """Start the server and wait until it serves.

        Raises:
            Unavailable: It did not start; the message ends with the last lines of its log.
        """
        command = server_command()
        home = self._home()
        home.mkdir(parents=True, exist_ok=True)
        environment = server_environment(
            address="127.0.0.1:0",
            home=home,
            workspace=self._workspace,
            base={**os.environ, **self._environment, "PYTHONUNBUFFERED": "1", **_PRIVATE},
        )
        self._log = (home / "server.log").open("a+", encoding="utf-8", errors="replace")
        # A session of its own: Ctrl-C is for the caller, who then cancels what runs and stops the server.
        self._process = subprocess.Popen(  # noqa: S603 - fixed arguments
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
            pass_fds=() if self._temporary is None else (self._temporary.lock,),
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask the server to end, wait for it, and remove a temporary home."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._temporary is not None:
            self._temporary.remove()
            self._temporary = None

    def _home(self) -> Path:
        if self._given_home is not None:
            return self._given_home
        from thanosql.temporary_home import TemporaryHome  # POSIX alone, as the server; the client is not

        self._temporary = TemporaryHome()
        return self._temporary.path

    def _wait_until_ready(self) -> None:
        lines = self._read_lines()
        deadline = monotonic() + self._start_timeout_s
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - monotonic()))
            except queue.Empty:
                raise self._failure(
                    f"the server was not ready within {self._start_timeout_s:.0f} s"
                ) from None
            if line is None:
                raise self._failure("the server ended before it was ready")
            if line.startswith(_LISTENING):
                self.address = line.removeprefix(_LISTENING)
            elif line.startswith(_TOKEN):
                self.token = line.removeprefix(_TOKEN)
            elif line == _READY:
                break
        if not self.token:
            raise self._failure(
                f"{self._given_home} has been used before and only the hash of its token is kept there; "
                "give the token, or a new folder as home"
            )

    def _read_lines(self) -> "queue.SimpleQueue[str | None]":
        """Lines of the server's output as they come, then `None`; read to the end so that it never blocks."""
        process = self._process
        if process is None or process.stdout is None:
            raise self._failure("the server was not started")
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(
            target=_pump, args=(process.stdout, lines), name="thanosql-server", daemon=True
        ).start()
        return lines

    def _failure(self, message: str) -> Unavailable:
        tail = ""
        if self._log is not None:
            self._log.seek(0)
            tail = self._log.read()[-_LOG_TAIL:].strip()
        return Unavailable(reason="PEER_UNAVAILABLE", message=f"{message}\n{tail}".strip())


def _pump(output: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    with output:
        for line in output:
            lines.put(line.rstrip("\n"))
    lines.put(None)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
