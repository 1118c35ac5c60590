"""A durable S3 server for tests: Ceph's gateway over one monitor and one disk, all on 127.0.0.1.

From Debian's packages `radosgw`, `ceph-mon` and `ceph-osd`; `.ci/run` installs them where it may.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "monmaptool", "ceph")
ACCESS_KEY, SECRET_KEY = "user", "password"
_START_S = 90.0

# No keys between its parts, one copy of everything, and a disk that is a sparse file.
_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
run dir = {folder}
log file = {folder}/$name.log
admin socket =
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = bluestore
bluestore block size = 4294967296
osd memory target = 939524096
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail warn = 0
mon data avail crit = 0
rgw data = {folder}/gateway
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw thread pool size = 32
"""


def missing_programs() -> list[str]:
    """Name the programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


class CephServer:
    """Starts from nothing; `kill` and `start` again leave what was stored."""

    def __init__(self) -> None:
        # A short path: those of sockets have a limit.
        self._folder = Path(tempfile.mkdtemp(prefix="ceph"))
        self._environment = {**os.environ, "CEPH_CONF": str(self._folder / "ceph.conf")}
        self._programs: list[subprocess.Popen[bytes]] = []
        self._port = _free_port()
        self._write_configuration(_free_port())

    @property
    def endpoint(self) -> str:
        """`host:port` of the gateway."""
        return f"127.0.0.1:{self._port}"

    def make(self) -> None:
        """Make the disk, start, and let one user in."""
        self._make_monitor()
        self._launch("ceph-mon", "-i", "a")
        fsid = str(uuid.uuid4())
        self._run("ceph", "osd", "new", fsid)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", fsid)
        self._launch("ceph-osd", "-i", "0")
        user = ("--uid=tests", "--display-name=tests", f"--access-key={ACCESS_KEY}", f"--secret={SECRET_KEY}")
        self._run("radosgw-admin", "user", "create", *user)
        self.start_gateway()

    def kill(self) -> None:
        """Kill every part at once, as a machine that loses its power."""
        for program in self._programs:
            program.send_signal(signal.SIGKILL)
        for program in self._programs:
            program.wait()
        self._programs.clear()

    def start(self) -> None:
        """Start every part again, on the same ports, and wait until the gateway answers."""
        self._launch("ceph-mon", "-i", "a")
        self._launch("ceph-osd", "-i", "0")
        self.start_gateway()

    def start_gateway(self) -> None:
        """Start the gateway, and wait until it answers."""
        gateway = self._launch("radosgw", "-n", "client.gateway")
        deadline_s = time.monotonic() + _START_S
        while not _answers(f"http://{self.endpoint}/"):
            if gateway.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"radosgw does not answer:\n{self._logs()}")
            time.sleep(0.1)

    def remove(self) -> None:
        """Stop and forget everything."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_configuration(self, mon_port: int) -> None:
        for name in ("mon", "osd", "gateway"):
            (self._folder / name).mkdir()
        text = _CONFIGURATION.format(
            fsid=uuid.uuid4(), folder=self._folder, mon_port=mon_port, port=self._port
        )
        (self._folder / "ceph.conf").write_text(text)
        self._mon_port = mon_port

    def _make_monitor(self) -> None:
        monmap = str(self._folder / "monmap")
        address = f"[v2:127.0.0.1:{self._mon_port}/0]"
        self._run("monmaptool", "--create", "--addv", "a", address, "--enable-all-features", monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)

    def _launch(self, *command: str) -> "subprocess.Popen[bytes]":
        output = (self._folder / f"{command[0]}.out").open("ab")
        with output:
            program = subprocess.Popen(
                [*command, "-f"],
                env=self._environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )
        self._programs.append(program)
        return program

    def _run(self, *command: str) -> None:
        answer = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=_START_S, check=False
        )
        if answer.returncode:
            raise RuntimeError(f"{' '.join(command)}: {answer.stderr[-2000:]}\n{self._logs()}")

    def _logs(self) -> str:
        return "\n".join(
            path.read_text(errors="replace")[-1500:] for path in self._folder.glob("*.[ol][uo][tg]")
        )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
