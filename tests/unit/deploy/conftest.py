"""What the tests of the deployment read: rendered manifests, the compose file, the known settings."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.modules import settings_classes
from thanosql_runtime.settings import variable_names

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"

# YAML: any tree of mappings, lists and scalars.
Document = dict[str, Any]
Render = Callable[[str], list[Document]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def known_settings() -> set[str]:
    return {name for settings in settings_classes() for name in variable_names(settings)}


@pytest.fixture(scope="session")
def compose() -> Document:
    return _load(DEPLOY / "compose.yaml")


@pytest.fixture(scope="session")
def gpu_compose() -> Document:
    return _load(DEPLOY / "compose.gpu.yaml")


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Renders `base`, `overlays/<name>`, or `components/<name>` put onto the base."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the path: the manifests cannot be rendered")
    rendered: dict[str, list[Document]] = {}

    def documents(target: str) -> list[Document]:
        if target not in rendered:
            folder = DEPLOY / "kubernetes" / target
            if target.startswith("components/"):
                folder = _base_with(folder, tmp_path_factory.mktemp("kustomization"))
            rendered[target] = _kustomize(folder)
        return rendered[target]

    return documents


def _base_with(component: Path, folder: Path) -> Path:
    base = DEPLOY / "kubernetes" / "base"
    text = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "thanosql",
        "resources": [os.path.relpath(base, folder)],
        "components": [os.path.relpath(component, folder)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(text))
    return folder


def _kustomize(folder: Path) -> list[Document]:
    answer = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    return [document for document in yaml.safe_load_all(answer.stdout) if document]


def _load(path: Path) -> Document:
    document: Document = yaml.safe_load(path.read_text())
    return document
