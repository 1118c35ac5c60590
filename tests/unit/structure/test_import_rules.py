"""Each import rule is broken on purpose, in a copy of the tree, and must be reported."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TREES = ("services", "libs", "sdk")

VIOLATIONS = {
    "Services never import each other": ("services/parser/settings.py", "import services.storage.settings"),
    "Services stand on the libraries, the libraries on the contract": (
        "libs/thanosql_runtime/arrow.py",
        "import thanosql_audio",
    ),
    "The SDK knows nothing of services and libraries": (
        "sdk/thanosql/__init__.py",
        "import thanosql_runtime.errors",
    ),
    "Core knows no gRPC and no protobuf": ("services/storage/core/broken.py", "import google.protobuf"),
    "Torch, OpenVINO and LanceDB stay out of SDK, runtime, parser and gateway": (
        "services/gateway/core/broken.py",
        "import torch",
    ),
}


def lint(root: Path) -> str:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    path = os.pathsep.join(str(root / tree) for tree in ("", "libs", "sdk"))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def broken_report(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("tree")
    for tree in TREES:
        shutil.copytree(ROOT / tree, root / tree, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, line in VIOLATIONS.values():
        file = root / name
        text = file.read_text() if file.exists() else ""
        file.write_text(f"{text}\n{line}\n")
    return lint(root)


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_a_violation_of_the_rule_is_reported(broken_report: str, rule: str) -> None:
    assert f"{rule} BROKEN" in broken_report


def test_the_tree_keeps_every_rule() -> None:
    report = lint(ROOT)
    assert "BROKEN" not in report
    assert f"{len(VIOLATIONS)} kept, 0 broken" in report
