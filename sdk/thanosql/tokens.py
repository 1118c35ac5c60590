"""The tokens of this user, one an address, in a file that only they may read."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

import platformdirs

from thanosql.errors import AuthenticationError


def token_path() -> Path:
    """The file that keeps them."""
    return platformdirs.user_config_path("thanosql") / "tokens.json"


def read_token(address: str) -> str:
    """The token kept for an address; empty when there is none.

    Raises:
        AuthenticationError: The file is damaged.
    """
    return _read().get(address, "")


def keep_token(token: str, address: str) -> Path:
    """Keep the token of an address; answers where.

    Raises:
        AuthenticationError: It is not a token at all, or the file is damaged.
        OSError: The file cannot be written.
    """
    kept = {**_read(), address: checked_token(token)}
    path = token_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Nobody else may read what mkstemp makes.
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=2)
            file.write("\n")
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        raise
    return path


def checked_token(token: str) -> str:
    """The token without space around it.

    Raises:
        AuthenticationError: It holds what no token holds; a header could not carry it.
    """
    found = token.strip()
    if not (found.isascii() and found.isprintable()):
        message = "the token holds characters that no token has; copy it again from the server's first start"
        raise AuthenticationError(reason="INVALID_TOKEN", message=message)
    return found


def _read() -> dict[str, str]:
    path = token_path()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        kept = None
    if not isinstance(kept, dict) or not all(isinstance(token, str) for token in kept.values()):
        message = f"{path} is damaged; remove it, and keep your tokens again with: thanosql token set"
        raise AuthenticationError(reason="INVALID_TOKEN", message=message)
    return kept
