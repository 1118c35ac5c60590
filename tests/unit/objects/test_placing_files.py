"""Files get their name although a deletion removes the folder, which was empty in between."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from thanosql_objects.placing import create_file, move_file

PLACERS = [create_file, move_file]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    path = tmp_path / "temporary"
    path.write_bytes(b"new")
    return path


@pytest.mark.parametrize("place", PLACERS)
def test_a_folder_that_is_removed_once_it_was_made_is_made_again(
    place: Callable[[Path, Path], object], temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removals = iter([True, False])
    mkdir = Path.mkdir

    def disturbed(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        mkdir(path, mode, parents, exist_ok)
        if next(removals, False):
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", disturbed)
    place(temporary, tmp_path / "folder" / "goal")
    assert (tmp_path / "folder" / "goal").read_bytes() == b"new"


@pytest.mark.parametrize("place", PLACERS)
def test_a_folder_that_is_removed_while_it_is_looked_at_is_made_again(
    place: Callable[[Path, Path], object], temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removals = iter([True, False])
    is_dir = Path.is_dir

    def disturbed(path: Path) -> bool:
        if next(removals, False):
            path.rmdir()
        return is_dir(path)

    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(Path, "is_dir", disturbed)
    place(temporary, tmp_path / "folder" / "goal")
    assert (tmp_path / "folder" / "goal").read_bytes() == b"new"


@pytest.mark.parametrize("place", PLACERS)
def test_a_file_in_the_place_of_the_folder_is_an_error(
    place: Callable[[Path, Path], object], temporary: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").write_bytes(b"")
    with pytest.raises(OSError, match="folder"):
        place(temporary, tmp_path / "folder" / "goal")


def test_a_goal_that_is_there_stays_as_it_is(temporary: Path, tmp_path: Path) -> None:
    goal = tmp_path / "goal"
    goal.write_bytes(b"old")
    assert not create_file(temporary, goal)
    assert goal.read_bytes() == b"old"
    assert create_file(temporary, tmp_path / "other")


def test_a_link_that_leads_nowhere_is_a_goal_that_is_there(temporary: Path, tmp_path: Path) -> None:
    os.symlink(tmp_path / "nothing", tmp_path / "goal")
    assert not create_file(temporary, tmp_path / "goal")
