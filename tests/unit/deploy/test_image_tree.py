"""What the image holds is enough to start: the copied parts alone, with the packages beside them."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from services.modules import MODULES

COPIED = ("models", "sdk", "libs", "services")


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    app = tmp_path_factory.mktemp("app")
    for part in COPIED:
        shutil.copytree(root / part, app / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return app


def run(application: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    path = [application, application / "libs", application / "sdk", sysconfig.get_path("purelib")]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, path)), "HOME": str(application), "PATH": ""}
    # -S: without the path file that leads from the environment to the working tree.
    return subprocess.run(
        [sys.executable, "-S", "-B", *command],
        cwd=application,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def test_the_image_lists_its_settings(application: Path, known_settings: set[str]) -> None:
    answer = run(application, "-m", "services", "settings")
    assert answer.returncode == 0, answer.stderr
    assert {line.partition("=")[0] for line in answer.stdout.splitlines()} == known_settings


def test_every_service_of_the_image_can_be_imported(application: Path) -> None:
    names = [f"services.{name}.app" for name in MODULES]
    answer = run(application, "-c", f"import {', '.join(names)}; print(services.__path__[0])")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == str(application / "services")
