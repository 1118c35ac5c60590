"""Keys of recordings that are kept by their content: the same bytes always have the same key."""

import re

KEPT_AUDIO = "audio/sha256/"
# In every key, and in every text that names one.
KEPT_AUDIO_SIGN = "sha256"
# A path may also be written with doubled slashes, `.` between them, or backslashes: see `clean_key`.
_KEY = re.compile(KEPT_AUDIO_SIGN + r"[/\\.]+[0-9a-f]{2}[/\\.]+([0-9a-f]{64})")
# The ending follows the content too: a file that is named otherwise is no other recording.
_ENDINGS = {"WAVEX": ".wav", "RF64": ".wav", "OGG": ".ogg", "AIFF": ".aiff"}


def kept_audio_key(sha256: str, container: str) -> str:
    """Return the key of a recording.

    Args:
        sha256: Its digest in hexadecimal.
        container: Its format, as libsndfile calls it.
    """
    ending = _ENDINGS.get(container, f".{container.lower()}")
    return f"{KEPT_AUDIO}{sha256[:2]}/{sha256}{ending}"


def digests_in(text: str) -> list[str]:
    """Return the digest of every key of a kept recording in a text, however a path may be written."""
    return _KEY.findall(text)
