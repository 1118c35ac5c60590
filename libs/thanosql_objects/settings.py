"""Where objects and the user's files are: the same settings in every service that reads them."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from thanosql_runtime.settings import HomeSettings, Settings, prefixed


class ObjectSettings(Settings):
    """Settings of the object store, from `THANOSQL_OBJECTS__*`.

    Attributes:
        uri: A local directory, or `s3://bucket`; unset, `objects` in the server's home.
        workspace: Local folder with the user's files. Unset, it is the current folder for a local
            store, and the prefix `workspace/` of the bucket otherwise.
        endpoint: `host:port` of the S3 server.
        access_key: Its user.
        secret_key: Its password.
        region: Region of the bucket; asking the server for it is saved.
        secure: Whether the server is reached through TLS.
        public_url: By which browsers reach the same server, such as `https://files.example.org`; unset, it is
            the endpoint.
        timeout_s: How long one answer of the server may take.
    """

    model_config = prefixed("OBJECTS")

    uri: str = Field(default_factory=lambda: str(HomeSettings().home.expanduser() / "objects"))
    workspace: str = ""
    endpoint: str = ""
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    region: str = "us-east-1"
    secure: bool = True
    public_url: str = Field(default="", pattern=r"^(https?://[^/]+/?)?$")
    timeout_s: float = 20.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "://" in self.uri and not self.is_bucket:
            raise ValueError(f"URI must be a directory or s3://bucket, not {self.uri!r}")
        if self.is_bucket and not (self.endpoint and self.bucket):
            raise ValueError("an s3:// URI needs a bucket's name and THANOSQL_OBJECTS__ENDPOINT=host:port")
        return self

    @property
    def is_bucket(self) -> bool:
        """Whether objects live on an S3 server."""
        return self.uri.startswith("s3://")

    @property
    def bucket(self) -> str:
        """Name of the bucket; empty for a local directory."""
        return self.uri.removeprefix("s3://").strip("/") if self.is_bucket else ""
