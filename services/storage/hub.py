"""Checkpoints from the hub: weights as safetensors and the texts beside them, nothing that runs."""

from pathlib import Path

from huggingface_hub import snapshot_download

_PATTERNS = ["*.safetensors", "*.json", "*.txt"]


class HubCheckpoints:
    """Downloads checkpoints by name, with short timeouts: a server must not hang at its start.

    Args:
        folder: Where they are kept.
        timeout_s: How long one answer may take.
    """

    def __init__(self, folder: Path, timeout_s: float) -> None:
        self._folder = folder
        self._timeout_s = timeout_s

    def download(self, name: str) -> Path:
        """Return the local folder of a checkpoint."""
        path = snapshot_download(
            name,
            local_dir=self._folder / name.replace("/", "--"),
            allow_patterns=_PATTERNS,
            etag_timeout=self._timeout_s,
        )
        return Path(path)
