"""Settings of the parser: `THANOSQL_PARSER__*`."""

from pydantic import Field

from thanosql_runtime.settings import Settings, prefixed


class ParserSettings(Settings):
    """How much the parser takes on."""

    model_config = prefixed("PARSER")

    max_text_bytes: int = Field(default=1 << 20, ge=1, le=1 << 21, description="largest text of one call")
    threads: int = Field(default=2, ge=1, le=64, description="texts parsed at the same time")
