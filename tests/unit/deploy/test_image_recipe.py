"""The Dockerfile: what it copies exists and reaches the build, and what it sets are settings."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest


@pytest.fixture
def recipe(root: Path) -> str:
    return re.sub(r"\\\n\s*", "", (root / "deploy/Dockerfile").read_text())


@pytest.fixture
def copied(recipe: str) -> list[str]:
    lines = [line.split()[1:-1] for line in recipe.splitlines() if line.startswith("COPY ")]
    return [source for sources in lines if not sources[0].startswith("--from=") for source in sources]


def test_what_is_copied_exists(copied: list[str], root: Path) -> None:
    assert copied
    assert [source for source in copied if not (root / source).exists()] == []


def test_what_is_copied_passes_the_ignore_file(copied: list[str], root: Path) -> None:
    lines = (root / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert {source.removeprefix("./") for source in copied} == let_through


def test_the_ignore_file_lets_nothing_else_through(root: Path) -> None:
    lines = (root / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert any(fnmatch("services/x/__pycache__", rule) for rule in rules)


def test_base_images_are_pinned_to_a_patch(recipe: str) -> None:
    images = re.findall(r"^FROM (\S+)", recipe, re.MULTILINE)
    assert len(set(images)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", images[0])


def test_the_container_does_not_run_as_root(recipe: str) -> None:
    assert re.findall(r"^USER (\S+)", recipe, re.MULTILINE) == ["10001:10001"]


def test_variables_are_settings(recipe: str, known_settings: set[str]) -> None:
    named = set(re.findall(r"\b(THANOSQL_[A-Z_0-9]+)=", recipe))
    assert named
    assert named <= known_settings


def test_the_command_starts_everything(recipe: str) -> None:
    assert 'ENTRYPOINT ["python", "-m", "services"]' in recipe
    assert 'CMD ["all"]' in recipe


def test_every_part_of_the_tree_that_is_imported_is_on_the_path(recipe: str) -> None:
    assert "PYTHONPATH=/app:/app/libs:/app/sdk" in recipe
