"""Two processes that register versions of one model lose none, in a directory and in a bucket."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.storage.core.models.holds import ModelHolds
from services.storage.core.models.models import ModelCatalog
from tests.s3_servers import new_bucket, s3_server
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings

VERSIONS = 12
REGISTER = """
import sys
from services.storage.core.models.holds import ModelHolds
from services.storage.core.models.models import ModelCatalog
from services.storage.core.types import Artefact, ModelKind, ModelVersion
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings

store = open_objects(ObjectSettings.model_validate_json(sys.argv[1])).store
catalog = ModelCatalog(store, ModelHolds(store))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    info = store.write(f"models/m/{sys.argv[2]}{number}/w", [b"weights"])
    artefact = Artefact(key=info.key, name="w", sha256=info.sha256, size_bytes=info.size_bytes)
    model = ModelVersion(name="m", version=0, kind=ModelKind.TRAINED, artefacts=(artefact,))
    print(catalog.register(model, overwrite=True, request_id=f"{sys.argv[2]}{number}").version, flush=True)
"""


@pytest.fixture(params=["directory", "bucket"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectSettings]:
    if request.param == "directory":
        yield ObjectSettings(uri=str(tmp_path / "objects"))
        return
    with s3_server() as endpoint:
        yield new_bucket(endpoint)


def start(settings: ObjectSettings, process: str) -> "subprocess.Popen[str]":
    told = settings.model_dump_json().replace("**********", settings.secret_key.get_secret_value())
    command = [sys.executable, "-c", REGISTER, told, process, str(VERSIONS)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_every_acknowledged_version_is_there(settings: ObjectSettings) -> None:
    processes = [start(settings, name) for name in ("a", "b")]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    given = [[int(line) for line in process.communicate(timeout=120)[0].split()] for process in processes]
    assert sorted(given[0] + given[1]) == list(range(1, 2 * VERSIONS + 1))
    store = open_objects(settings).store
    models = ModelCatalog(store, ModelHolds(store)).versions("m")
    assert [model.version for model in models if model.active] == [2 * VERSIONS]
    keys = {model.version: model.artefacts[0].key for model in models}
    for name, numbers in zip("ab", given, strict=True):
        assert [keys[number] for number in numbers] == [f"models/m/{name}{i}/w" for i in range(VERSIONS)]
