"""From settings to stores: the one place that chooses between them."""

from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio

from thanosql_objects.bucket import Bucket
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectStore
from thanosql_objects.settings import ObjectSettings
from thanosql_objects.workspace import Workspace

_WORKSPACE_PREFIX = "workspace/"


@dataclass(frozen=True, kw_only=True)
class Objects:
    """The two things that a service needs: what users may name, and where the system keeps its own."""

    workspace: Workspace
    store: ObjectStore


def open_objects(settings: ObjectSettings) -> Objects:
    """Open the stores that the settings name; nothing is reached or written before the first use."""
    client = _client(settings) if settings.is_bucket else None
    store: ObjectStore = Bucket(client, settings.bucket) if client else LocalDirectory(Path(settings.uri))
    files: ObjectStore
    if client is None or settings.workspace:
        files = LocalDirectory(Path(settings.workspace or "."), read_only=True, list_hidden=False)
    else:
        files = Bucket(client, settings.bucket, prefix=_WORKSPACE_PREFIX, read_only=True)
    return Objects(workspace=Workspace(files, store), store=store)


def _client(settings: ObjectSettings) -> Minio:
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=min(5.0, settings.timeout_s), read=settings.timeout_s),
        maxsize=16,
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
    )
    return Minio(
        endpoint=settings.endpoint,
        access_key=settings.access_key or None,
        secret_key=settings.secret_key.get_secret_value() or None,
        region=settings.region,
        secure=settings.secure,
        http_client=pool,
    )
