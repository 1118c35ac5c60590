"""From settings to stores: the one place that chooses between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
from minio import Minio

from thanosql_objects.bucket import Bucket
from thanosql_objects.conditional import ConditionalWrites
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectStore
from thanosql_objects.settings import ObjectSettings
from thanosql_objects.unfinished import IncomingFiles, MultipartUploads, UnfinishedWrites
from thanosql_objects.workspace import Workspace

_WORKSPACE_PREFIX = "workspace/"


@dataclass(frozen=True, kw_only=True)
class Objects:
    """What a service needs: what users may name, where the system keeps its own, and how both were found.

    Attributes:
        workspace: What users may name.
        store: Where the system keeps its own.
        settings: How both were found.
        unfinished: Writes to the store that were begun.
    """

    workspace: Workspace
    store: ObjectStore
    settings: ObjectSettings
    unfinished: UnfinishedWrites


@dataclass(frozen=True, kw_only=True)
class Place:
    """A directory or a prefix of a bucket, for a library that reads and writes it by itself.

    Attributes:
        uri: A path, or `s3://bucket/prefix`.
        store: The same place as a store of objects.
        unfinished: Writes to it that were begun.
        options: What the library is told of the server, in the words of Rust's `object_store`.
        require_conditional_writes: Raises STORE_UNAVAILABLE where the last of two writers of a key wins.
    """

    uri: str
    store: ObjectStore
    unfinished: UnfinishedWrites
    options: Mapping[str, str] = field(default_factory=dict, repr=False)  # holds the secret key
    require_conditional_writes: Callable[[], None] = lambda: None


def open_objects(settings: ObjectSettings) -> Objects:
    """Open the stores that the settings name; nothing is reached or written before the first use."""
    pool = _pool(settings)
    client = _client(settings, pool) if settings.is_bucket else None
    signer = _signer(settings) if client and settings.public_url else None
    store: ObjectStore = LocalDirectory(Path(settings.uri))
    if client:
        store = Bucket(client, settings.bucket, signer=signer, http=pool)
    files: ObjectStore
    if client is None or settings.workspace:
        files = LocalDirectory(Path(settings.workspace or "."), read_only=True, list_hidden=False)
    else:
        files = Bucket(client, settings.bucket, prefix=_WORKSPACE_PREFIX, read_only=True, signer=signer)
    unfinished: UnfinishedWrites = IncomingFiles(Path(settings.uri))
    if client is not None:
        unfinished = MultipartUploads(client, settings.bucket)
    return Objects(workspace=Workspace(files, store), store=store, settings=settings, unfinished=unfinished)


def open_place(settings: ObjectSettings, uri: str) -> Place:
    """Open a directory, or a prefix of a bucket on the server that the settings name."""
    if not uri.startswith("s3://"):
        return directory_place(Path(uri))
    bucket, _, rest = uri.removeprefix("s3://").partition("/")
    prefix = f"{rest.strip('/')}/" if rest.strip("/") else ""
    pool = _pool(settings)
    client = _client(settings, pool)
    trial = ConditionalWrites(client, pool, bucket)
    return Place(
        uri=f"s3://{bucket}/{prefix}".rstrip("/"),
        store=Bucket(client, bucket, prefix=prefix, http=pool),
        unfinished=MultipartUploads(client, bucket, prefix),
        options=_options(settings),
        require_conditional_writes=lambda: trial.require(prefix),
    )


def directory_place(path: Path) -> Place:
    """Open a directory."""
    return Place(uri=str(path), store=LocalDirectory(path), unfinished=IncomingFiles(path))


def _pool(settings: ObjectSettings) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=min(5.0, settings.timeout_s), read=settings.timeout_s),
        maxsize=16,
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
    )


def _client(settings: ObjectSettings, pool: urllib3.PoolManager) -> Minio:
    return Minio(
        endpoint=settings.endpoint,
        access_key=settings.access_key or None,
        secret_key=settings.secret_key.get_secret_value() or None,
        region=settings.region,
        secure=settings.secure,
        http_client=pool,
    )


def _signer(settings: ObjectSettings) -> Minio:
    """Return a client that signs addresses as browsers see them; it never calls."""
    scheme, _, host = settings.public_url.rstrip("/").partition("://")
    public = settings.model_copy(update={"endpoint": host, "secure": scheme == "https"})
    return _client(public, _pool(public))


def _options(settings: ObjectSettings) -> dict[str, str]:
    scheme = "https" if settings.secure else "http"
    options = {
        "aws_endpoint": f"{scheme}://{settings.endpoint}",
        "aws_region": settings.region,
        "aws_virtual_hosted_style_request": "false",
        "allow_http": str(not settings.secure).lower(),
        "connect_timeout": f"{max(1.0, min(5.0, settings.timeout_s)):.0f}s",
        "timeout": f"{max(1.0, settings.timeout_s):.0f}s",
        "client_max_retries": "3",
        "client_retry_timeout": f"{max(1.0, settings.timeout_s):.0f}",
    }
    if settings.access_key:
        secret = settings.secret_key.get_secret_value()
        return options | {"aws_access_key_id": settings.access_key, "aws_secret_access_key": secret}
    return options | {"aws_skip_signature": "true"}
