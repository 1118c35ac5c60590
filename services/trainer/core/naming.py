"""Names of models: which are allowed, what `name.version` means, and what a mistyped one may have meant."""

import re
from collections.abc import Sequence

from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.nearest import nearest

_LONGEST = 64
_FORBIDDEN = frozenset("/\\.")
_PINNED = re.compile(r"(?P<name>.+)\.(?P<version>[0-9]{1,9})")


def check_model_name(name: str) -> None:
    """Raise INVALID_NAME for a name that no model may have."""
    plain = name.isprintable() and name == name.strip() and not _FORBIDDEN & set(name)
    if not plain or not 1 <= len(name) <= _LONGEST:
        raise error(
            Reason.INVALID_NAME,
            f"{name!r} is no name for a model: use 1 to {_LONGEST} characters, none of them '/', '\\' or '.'",
            model=name,
        )


def split_model_name(name: str) -> tuple[str, int]:
    """Split `name.version`; version 0 means the active one."""
    pinned = _PINNED.fullmatch(name)
    return (pinned["name"], int(pinned["version"])) if pinned else (name, 0)


def unknown_base(name: str, known: Sequence[str]) -> ThanosqlError:
    """Build the error for a model to start from that there is not."""
    suggestion = nearest(name, known)
    hint = f"did you mean {suggestion!r}?" if suggestion else f"known: {', '.join(sorted(known)) or 'none'}"
    metadata = {"model": name} | ({"suggestion": suggestion} if suggestion else {})
    return error(Reason.BASE_MODEL_NOT_FOUND, f"there is no model {name!r} to start from; {hint}", **metadata)


def unknown_version(name: str, version: int, active: int) -> ThanosqlError:
    """Build the error for a version that a model does not have."""
    message = f"model {name!r} has no version {version}; its active one is {active}"
    return error(Reason.MODEL_NOT_FOUND, message, model=name, version=str(version))
