"""A running storage service in each of its topologies."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from minio import Minio
from pydantic import SecretStr

from services.parser.app import build as build_parser
from services.parser.settings import ParserSettings
from services.storage.app import build
from services.storage.settings import StorageSettings
from tests.fakes.storage_client import StorageClient
from tests.s3_servers import s3_server
from thanosql.v1 import storage_pb2_grpc
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.testing import Build, peer_channel, serving


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A running storage service and what it stands on."""

    client: StorageClient
    stub: "storage_pb2_grpc.StorageServiceAsyncStub"
    objects: Objects
    home: Path
    address: str


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The user's files: csv, formats, and a small LibriSpeech tree."""
    folder = tmp_path / "workspace"
    chapter = folder / "libri" / "84" / "121550"
    chapter.mkdir(parents=True)
    for number in range(2):
        soundfile.write(chapter / f"84-121550-000{number}.flac", np.zeros(1600, np.float32), 16000)
    (chapter / "84-121550.trans.txt").write_text("84-121550-0000 HELLO WORLD\n84-121550-0001 GOOD DAY\n")
    (folder / "people.csv").write_text("name,age\nana,30\nbob,40\neve,25\n")
    (folder / "broken.csv").write_text("a,b\n1,2\n3\n4,5,6\n7,8\n")
    (folder / "latin.csv").write_bytes("a\ncaf\xe9\n".encode("latin-1"))
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """What seeding looks at of a checkpoint; nobody loads it here."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "wav2vec2"}))
    (folder / "vocab.json").write_text(json.dumps({"<pad>": 0, "A": 1}))
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 16)
    return folder


@pytest.fixture(params=["alone", "beside another service", "on a bucket"])
async def rig(
    request: pytest.FixtureRequest, tmp_path: Path, workspace: Path, checkpoint: Path
) -> AsyncIterator[Rig]:
    objects = open_objects(_object_settings(request, tmp_path, workspace))
    settings = StorageSettings(bundled_checkpoint=checkpoint)
    builds: list[Build] = [lambda context: build(settings, context, objects)]
    if request.param == "beside another service":
        builds.insert(0, lambda context: build_parser(ParserSettings(), context))
    home = tmp_path / "home"
    async with serving(builds, home) as address, peer_channel(address) as channel:
        stub = storage_pb2_grpc.StorageServiceStub(channel)
        yield Rig(client=StorageClient(stub), stub=stub, objects=objects, home=home, address=address)


def _object_settings(request: pytest.FixtureRequest, tmp_path: Path, workspace: Path) -> ObjectSettings:
    if request.param != "on a bucket":
        return ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(workspace))
    endpoint = request.getfixturevalue("s3_endpoint")
    bucket = f"b{abs(hash(str(tmp_path)))}"
    client = Minio(endpoint=endpoint, access_key="a", secret_key="b", secure=False, region="us-east-1")
    client.make_bucket(bucket)
    for path in workspace.rglob("*"):
        if path.is_file():
            client.fput_object(bucket, f"workspace/{path.relative_to(workspace)}", str(path))
    secret = SecretStr("b")
    return ObjectSettings(
        uri=f"s3://{bucket}", endpoint=endpoint, access_key="a", secret_key=secret, secure=False
    )
