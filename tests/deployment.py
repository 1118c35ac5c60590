"""Real servers as child processes: everything in one, or five on five ports."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
START_TIMEOUT_S = 120.0


class Program:
    """One `python -m services ...` and what it printed."""

    def __init__(self, name: str, home: Path, environment: Mapping[str, str]) -> None:
        self.log = home.parent / f"{home.name}-{name}.log"
        self._lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("THANOSQL_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services", name],
            cwd=ROOT,
            env={
                **inherited,
                "THANOSQL_HOME": str(home),
                "THANOSQL_SERVER__ADDRESS": "127.0.0.1:0",
                "THANOSQL_SERVER__DRAIN_S": "0",
                "THANOSQL_SERVER__LOG_LEVEL": "DEBUG",
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def wait_for(self, start: str) -> str:
        """The rest of the first line that begins with `start`, printed already or to come."""
        for line in self.seen:
            if line.startswith(start):
                return line.removeprefix(start).strip()
        while line := self._lines.get(timeout=START_TIMEOUT_S):
            self.seen.append(line)
            if line.startswith(start):
                return line.removeprefix(start).strip()
        raise AssertionError(f"the server ended without {start!r}:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"no end after SIGTERM:\n{self.log.read_text()[-4000:]}") from None


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A running system, as a client sees it, and its programs by name."""

    address: str
    token: str
    programs: Mapping[str, Program]


@contextmanager
def one_process(home: Path, environment: Mapping[str, str]) -> Iterator[Deployment]:
    """`python -m services all`."""
    with ExitStack() as stack:
        program = _start(stack, "all", home, environment)
        yield Deployment(
            address=program.wait_for("listening on"),
            token=program.wait_for("token:"),
            programs={"all": program},
        )


@contextmanager
def five_processes(home: Path, environment: Mapping[str, str]) -> Iterator[Deployment]:
    """Each service alone on its own port, with its peers' addresses from settings."""
    shared = {**environment, "THANOSQL_SERVER__PEER_TOKEN": "five-processes-share-this"}
    addresses: dict[str, str] = {}
    programs: dict[str, Program] = {}
    with ExitStack() as stack:
        for name in ("parser", "storage", "predictor", "trainer", "gateway"):
            peers = {f"THANOSQL_PEERS__{peer.upper()}": address for peer, address in addresses.items()}
            programs[name] = _start(stack, name, home, {**shared, **peers})
            addresses[name] = programs[name].wait_for("listening on")
        token = programs["gateway"].wait_for("token:")
        yield Deployment(address=addresses["gateway"], token=token, programs=programs)


TOPOLOGIES = {"one process": one_process, "five processes": five_processes}


def _start(stack: ExitStack, name: str, home: Path, environment: Mapping[str, str]) -> Program:
    program = Program(name, home, environment)
    stack.callback(program.stop)
    program.wait_for("ready")
    return program
