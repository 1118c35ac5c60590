"""How long a text may be that is embedded: the gateway sends no longer one, and the predictor takes none."""

MOST_TEXT_BYTES = 256 << 10
"""In UTF-8: what is spoken in five hours."""


def why_too_long(text: str) -> str:
    """Return what is wrong with a text that is too long, and nothing for others."""
    size_bytes = len(text.encode())
    if size_bytes <= MOST_TEXT_BYTES:
        return ""
    return f"the text has {size_bytes} bytes, {MOST_TEXT_BYTES} at most are taken; divide it"
