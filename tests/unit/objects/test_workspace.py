"""What user paths mean, and how the settings choose between stores."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from thanosql_objects.directory import LocalDirectory
from thanosql_objects.kept_audio import KEPT_AUDIO, digests_in, kept_audio_key
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    files, objects = tmp_path / "files", tmp_path / "objects"
    (files / "audio").mkdir(parents=True)
    (files / "audio" / "a.wav").write_bytes(b"audio")
    (files / ".env").write_text("SECRET=1")
    return files, objects


@pytest.fixture
def workspace(folders: tuple[Path, Path]) -> Workspace:
    files, objects = folders
    store = LocalDirectory(objects)
    store.write("uploads/b.csv", [b"uploaded"])
    store.write("models/m/1/model.safetensors", [b"weights"])
    return Workspace(LocalDirectory(files, read_only=True), store)


def test_paths_are_files_of_the_user(workspace: Workspace) -> None:
    with workspace.open("audio/a.wav") as file:
        assert file.read() == b"audio"
    assert workspace.stat("audio/a.wav").size_bytes == 5


def test_uploads_come_from_the_object_store(workspace: Workspace) -> None:
    with workspace.open("uploads/b.csv") as file:
        assert file.read() == b"uploaded"
    assert [info.key for info in workspace.walk("uploads/")] == ["uploads/b.csv"]


def test_pages_of_files_and_uploads_cover_each_once(tmp_path: Path) -> None:
    files, store = tmp_path / "files", LocalDirectory(tmp_path / "objects")
    files.mkdir()
    names = ["a", "b", "t", "uploads.txt", "v", "w"]
    for name in [*names, ".hidden1", ".hidden2"]:
        (files / name).write_text("x")
    for number in range(5):
        store.write(f"uploads/{number}", [b"x"])
    workspace = Workspace(LocalDirectory(files, read_only=True), store)
    for size in (1, 2, 3, 100):
        seen, token = [], ""
        while True:
            page = workspace.list(page_token=token, page_size=size)
            seen += [info.key for info in page.objects]
            token = page.next_page_token
            if not token:
                break
        assert seen == sorted([*names, *(f"uploads/{number}" for number in range(5))])


def test_recordings_in_keeping_are_named_and_listed_by_their_own_prefix(
    folders: tuple[Path, Path], workspace: Workspace
) -> None:
    store, key = LocalDirectory(folders[1]), kept_audio_key("a" * 64, "WAV")
    store.write(key, [b"kept"])
    with workspace.open(key) as file:
        assert file.read() == b"kept"
    assert [info.key for info in workspace.walk(KEPT_AUDIO)] == [key]
    assert [info.key for info in workspace.list(KEPT_AUDIO).objects] == [key]
    assert key not in [info.key for info in workspace.walk()]
    assert [info.key for info in workspace.walk("audio/")] == ["audio/a.wav"]
    with pytest.raises(ThanosqlError) as caught:
        workspace.delete(key)
    assert caught.value.reason is Reason.PERMISSION_DENIED
    assert store.exists(key)


def test_keys_of_recordings_are_found_in_texts() -> None:
    keys = [kept_audio_key(letter * 64, "FLAC") for letter in "ab"]
    assert digests_in(f"{keys[0]}, then {keys[1]} and audio/sha256/cc/short.wav") == ["a" * 64, "b" * 64]


def test_models_cannot_be_reached_by_a_path(workspace: Workspace) -> None:
    assert not workspace.exists("models/m/1/model.safetensors")


@pytest.mark.parametrize("path", ["/etc/passwd", "../objects/uploads/b.csv", "uploads/../models/m"])
def test_paths_that_leave_are_refused(workspace: Workspace, path: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        workspace.open(path)
    assert caught.value.reason is Reason.PATH_OUTSIDE_WORKSPACE


def test_hidden_files_are_not_part_of_it(workspace: Workspace) -> None:
    assert not workspace.exists(".env")
    with pytest.raises(ThanosqlError) as caught:
        workspace.open(".env")
    assert caught.value.reason is Reason.FILE_NOT_FOUND
    assert [info.key for info in workspace.walk()] == ["audio/a.wav", "uploads/b.csv"]


def test_folders_are_told_from_files(workspace: Workspace) -> None:
    assert workspace.is_folder("audio")
    assert workspace.is_folder("audio/")
    assert not workspace.is_folder("audio/a.wav")
    assert not workspace.is_folder("nothing")


def test_a_local_copy_of_a_local_file_is_the_file_itself(
    workspace: Workspace, folders: tuple[Path, Path]
) -> None:
    with workspace.local_copy("audio/a.wav") as path:
        assert path == folders[0] / "audio" / "a.wav"


def test_settings_open_local_stores(folders: tuple[Path, Path]) -> None:
    files, objects = folders
    opened = open_objects(ObjectSettings(uri=str(objects), workspace=str(files)))
    opened.store.write("uploads/x", [b"1"])
    assert opened.workspace.exists("uploads/x")
    assert opened.workspace.exists("audio/a.wav")


@pytest.mark.parametrize("uri", ["s3://bucket", "s3://", "http://host/bucket"])
def test_settings_that_cannot_work_are_refused(uri: str) -> None:
    with pytest.raises(ValidationError):
        ObjectSettings(uri=uri)


def test_objects_are_in_the_servers_home_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_HOME", "/srv/state")
    assert ObjectSettings().uri == "/srv/state/objects"


def test_settings_come_from_the_environment_and_mask_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_OBJECTS__URI", "s3://bucket")
    monkeypatch.setenv("THANOSQL_OBJECTS__ENDPOINT", "minio:9000")
    monkeypatch.setenv("THANOSQL_OBJECTS__SECRET_KEY", "hunter2")
    settings = ObjectSettings()
    assert settings.bucket == "bucket"
    assert "hunter2" not in repr(settings)
