"""The step of the compose file that makes the bucket, run against an S3 server."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from minio import Minio

from tests.s3_servers import s3_server


def test_the_bucket_step_makes_the_bucket_and_may_run_again(compose: dict[str, Any], root: Path) -> None:
    with s3_server() as endpoint:
        for _ in range(2):
            _run_step(compose["services"]["bucket"], endpoint, root)
        assert Minio(endpoint=endpoint, access_key="user", secret_key="password", secure=False).bucket_exists(
            "thanosql"
        )


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
