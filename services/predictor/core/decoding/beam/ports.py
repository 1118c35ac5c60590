"""What beam search needs from outside."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

from services.predictor.core.decoding.beam.orders import CompileOrder

CompileModel: TypeAlias = Callable[[CompileOrder], Awaitable[None]]
"""Reads a language model into an empty folder."""


class FileFacts(Protocol):
    """A file of the workspace."""

    @property
    def size_bytes(self) -> int:
        """Its length."""
        ...

    @property
    def revision(self) -> str:
        """Another text whenever the content may be another; empty where nobody knows."""
        ...


class WorkspaceFiles(Protocol):
    """The users' files; blocking, and safe in any thread."""

    def stat(self, path: str) -> FileFacts:
        """Describe a file; FILE_NOT_FOUND where there is none."""
        ...

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """Give a file as a local path for the time of the block."""
        ...
