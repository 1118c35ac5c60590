"""Models converted for OpenVINO, on the local disk beside the files that they were made of.

A conversion is there whole or not at all, and every byte of it is compared with its digest when it is read.
One by another version of OpenVINO, or by another `_FORMAT`, is made anew. It says for which precisions and
processors it was compared with torch. float32 and bfloat16 share one, int8 has its own.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

_log = structlog.get_logger("conversions")
_FORMAT = 1
"""Raised when `TraceableForward` gives another graph, or verification asks for more."""

_SUFFIX = ".openvino"
_MANIFEST = "manifest.json"
_GRAPH = "model.xml"
_WEIGHTS = "model.bin"


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """A converted model on the disk.

    Attributes:
        folder: Where it is.
        runtime: Version of OpenVINO that made it.
        digests: SHA-256 of each file.
        verified: Precisions and processors for which it was compared with torch.
        refused: Those for which it heard something else, and how much else.
    """

    folder: Path
    runtime: str
    digests: dict[str, str]
    verified: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def graph(self) -> Path:
        """The file to compile."""
        return self.folder / _GRAPH

    @property
    def weights_bytes(self) -> int:
        """Size of the weights as they are kept, in float32 where they are not rounded."""
        return (self.folder / _WEIGHTS).stat().st_size


class Conversions:
    """Blocking; the caller holds the lock of the model's fingerprint, as `ArtefactCache.opened` gives it.

    Args:
        runtime: Version of OpenVINO.
        kind: Tells conversions of one model apart; begins with a hyphen, or is empty.
    """

    def __init__(self, runtime: str, kind: str = "") -> None:
        self._runtime = runtime
        self._suffix = _SUFFIX + kind

    def find(self, files: Path) -> Conversion | None:
        """Find the conversion of the model whose files are in a folder; what is no good is removed."""
        folder = self._beside(files)
        if not folder.is_dir():
            return None
        conversion = _read(folder)
        if conversion is not None and conversion.runtime == self._runtime and _is_intact(conversion):
            os.utime(folder)
            return conversion
        _log.info("conversion is damaged or of another version, making it again", folder=folder.name)
        shutil.rmtree(folder)
        return None

    def make(self, files: Path, write: Callable[[Path], None]) -> Conversion:
        """Convert the model whose files are in a folder.

        Args:
            files: The folder.
            write: Writes the graph at this path, and its weights beside it.
        """
        folder = self._beside(files)
        # Named as the cache names what a killed process leaves, so that the next load removes it.
        fresh = files.with_name(f".{files.name}.{uuid.uuid4().hex}")
        fresh.mkdir()
        try:
            write(fresh / _GRAPH)
            digests = {name: _digest(fresh / name) for name in (_GRAPH, _WEIGHTS)}
            _write(fresh, Conversion(folder=folder, runtime=self._runtime, digests=digests))
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return Conversion(folder=folder, runtime=self._runtime, digests=digests)

    def mark_verified(self, conversion: Conversion, what: str) -> None:
        """Write down that it was compared with torch, for a precision and a processor."""
        self._write_anew(replace(conversion, verified=conversion.verified | {what}))

    def mark_refused(self, conversion: Conversion, what: str, why: str) -> None:
        """Write down that it heard something else than torch."""
        self._write_anew(replace(conversion, refused={**conversion.refused, what: why}))

    def remove(self, conversion: Conversion) -> None:
        """Remove it, so that it is made anew."""
        shutil.rmtree(conversion.folder)

    def _write_anew(self, conversion: Conversion) -> None:
        fresh = conversion.folder / f".{uuid.uuid4().hex}"
        fresh.mkdir()
        try:
            _write(fresh, conversion)
            (fresh / _MANIFEST).replace(conversion.folder / _MANIFEST)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _beside(self, files: Path) -> Path:
        return files.with_name(files.name + self._suffix)


def _is_intact(conversion: Conversion) -> bool:
    try:
        return all(
            _digest(conversion.folder / name) == conversion.digests[name] for name in (_GRAPH, _WEIGHTS)
        )
    except (OSError, KeyError):
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(folder: Path) -> Conversion | None:
    try:
        content: Any = json.loads((folder / _MANIFEST).read_bytes())  # Any: json
        if content["format"] != _FORMAT:
            return None
        return Conversion(
            folder=folder,
            runtime=str(content["openvino"]),
            digests={str(name): str(digest) for name, digest in content["sha256"].items()},
            verified=frozenset(map(str, content["verified"])),
            refused={str(what): str(why) for what, why in content.get("refused", {}).items()},
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(folder: Path, conversion: Conversion) -> None:
    content = {
        "format": _FORMAT,
        "openvino": conversion.runtime,
        "sha256": conversion.digests,
        "verified": sorted(conversion.verified),
        "refused": dict(conversion.refused),
    }
    (folder / _MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
