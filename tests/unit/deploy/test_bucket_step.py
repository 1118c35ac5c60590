"""The step of the compose file that makes the bucket, run against an S3 server."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from minio import Minio
from moto.server import ThreadedMotoServer


def test_the_bucket_step_makes_the_bucket_and_may_run_again(compose: dict[str, Any], root: Path) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for _ in range(2):
            _run_step(compose["services"]["bucket"], f"{host}:{port}", root)
        assert Minio(
            endpoint=f"{host}:{port}", access_key="user", secret_key="password", secure=False
        ).bucket_exists("thanosql")
    finally:
        server.stop()


def _run_step(step: dict[str, Any], endpoint: str, root: Path) -> None:
    written = {name: value for name, value in step["environment"].items() if not value.startswith("$")}
    environment = {
        **written,
        "THANOSQL_OBJECTS__ENDPOINT": endpoint,
        "THANOSQL_OBJECTS__ACCESS_KEY": "user",
        "THANOSQL_OBJECTS__SECRET_KEY": "password",
        "PYTHONPATH": os.pathsep.join(str(root / part) for part in (".", "libs", "sdk")),
    }
    command: list[str] = [*step["entrypoint"], *step["command"]]
    assert command[0] == "python"
    answer = subprocess.run(
        [sys.executable, *command[1:]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
