"""Files that a command puts into the workspace for its own use, and takes out again."""

from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import click

from thanosql.client import ThanoSQL
from thanosql.errors import NotFound, ThanoSQLError


class TemporaryUploads:
    """Uploads files under paths of their own; leaving the block removes them, however it is left.

    Args:
        client: Where they go.
    """

    def __init__(self, client: ThanoSQL) -> None:
        self._client = client
        self._folder = f"uploads/temporary-{uuid4().hex}"
        self._paths: list[str] = []

    def add(self, file: Path) -> str:
        """Upload a file, and return its path in the workspace."""
        path = f"{self._folder}/{len(self._paths)}/{file.name}"
        # Noted before: what is interrupted may have arrived all the same.
        self._paths.append(path)
        return self._client.upload(file, path).path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the files; those that cannot be removed are named."""
        for number, path in enumerate(self._paths):
            try:
                self._client.delete_file(path)
            except NotFound:
                continue
            except ThanoSQLError as problem:
                left = " ".join(self._paths[number:])
                click.echo(
                    f"uploads could not be removed ({problem}); remove them with: thanosql files rm {left}",
                    err=True,
                )
                return
