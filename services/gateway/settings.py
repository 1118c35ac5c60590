"""Settings of the gateway: `THANOSQL_GATEWAY__*`."""

from pydantic import Field

from thanosql_runtime.settings import Settings, prefixed


class GatewaySettings(Settings):
    """What one caller, and all callers together, may use."""

    model_config = prefixed("GATEWAY")

    max_concurrent_calls: int = Field(default=16, ge=1, description="Execute and Explain calls at once")
    retry_delay_s: float = Field(default=1.0, gt=0, description="when a refused call should come back")
    max_text_bytes: int = Field(default=1 << 20, ge=1, description="longest text of one call")
    window_batches: int = Field(default=4, ge=1, description="batches of rows in flight to the predictor")
    media_files: int = Field(default=100, ge=1, description="recordings that one PRINT sends")
    progress_interval_s: float = Field(default=0.5, ge=0, description="shortest time between progress events")
    peer_timeout_s: float = Field(default=60.0, gt=0, description="longest wait for one answer of a service")
