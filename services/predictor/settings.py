"""Settings of the predictor: `THANOSQL_PREDICTOR__*`. Where objects are is `THANOSQL_OBJECTS__*`."""

from typing import Self

from pydantic import Field, model_validator

from thanosql_runtime.settings import Settings, prefixed

# An interim result that is taken back waits until the queue is looked at again, beside the final one.
_WINDOWS_OF_A_LIVE_STREAM = 2


class PredictorSettings(Settings):
    """How the predictor computes, and how much it takes on."""

    model_config = prefixed("PREDICTOR")

    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto takes a GPU where there is one"
    )
    engine: str = Field(
        default="auto",
        pattern="^(auto|torch|openvino)$",
        description="what computes transcripts; auto is openvino on the CPU and torch on a GPU",
    )
    precision: str = Field(
        default="auto",
        pattern="^(auto|float32|bfloat16|int8)$",
        description="of statements that name none; auto is bfloat16 with openvino where the processor has "
        "it, and on GPUs that have it, and float32 otherwise",
    )
    int8_agreement: float = Field(
        default=0.98, ge=0, le=1, description="part of the frames in which int8 must hear what float32 hears"
    )
    threads: int = Field(
        default=0, ge=0, le=256, description="threads of every engine; 0 leaves torch's own choice"
    )
    preload: str = Field(
        default="tutorial_audio_recognition",
        description="model loaded and warmed before the service is ready; empty for none",
    )
    preload_timeout_s: float = Field(default=30.0, ge=0, description="how long to wait for storage at start")
    max_loaded_models: int = Field(default=3, ge=1, le=64, description="models in memory")
    cache_bytes: int = Field(default=8 << 30, ge=0, description="model files kept on the local disk")
    max_batch_size: int = Field(default=0, ge=0, le=256, description="windows a batch; 0 suits the device")
    max_queue_delay_s: float | None = Field(
        default=None, ge=0, le=1, description="wait of the oldest window; unset suits the device"
    )
    max_queue_size: int = Field(default=1088, ge=1, description="windows that wait for one model")
    default_timeout_s: float = Field(default=60.0, gt=0, description="Recognize calls without a deadline")
    max_streams: int = Field(default=32, ge=1, description="statements transcribed at once")
    max_calls: int = Field(default=256, ge=1, description="Recognize calls at once")
    rows_in_flight: int = Field(default=8, ge=1, le=256, description="rows of one statement at once")
    texts_in_flight: int = Field(default=64, ge=1, le=256, description="texts of one statement at once")
    windows_in_flight: int = Field(default=2, ge=1, le=64, description="windows of one recording at once")
    decode_workers: int = Field(default=2, ge=1, le=64, description="threads that read and decode audio")
    decoded_bytes: int = Field(default=512 << 20, ge=1 << 20, description="decoded audio in memory")
    max_duration_s: float = Field(default=3600.0, gt=0, description="longest recording")
    window_s: float = Field(
        default=30.0,
        ge=2,
        le=120,
        description="longest part the model sees at once; shortens max_utterance_s and live_context_s",
    )
    overlap_s: float = Field(default=4.0, gt=0, description="what neighbouring parts share")
    silence_dbfs: float = Field(default=-70.0, le=0, description="level below which nothing is heard")

    decoding_processes: int = Field(
        default=2, ge=1, le=64, description="processes that search texts, started when first needed"
    )
    max_language_model_bytes: int = Field(
        default=2 << 30, ge=1, description="largest language model, decompressed"
    )
    max_ngrams: int = Field(default=20_000_000, ge=1, description="n-grams of a language model")
    language_model_cache_bytes: int = Field(
        default=4 << 30, ge=0, description="language models kept on the local disk"
    )

    max_live_streams: int = Field(default=16, ge=1, description="streams of live audio at once")
    live_idle_s: float = Field(default=30.0, gt=0, description="a live stream without audio ends after this")
    endpoint_silence_s: float = Field(
        default=0.6, ge=0.2, le=5, description="silence that ends an utterance, live or of a long recording"
    )
    max_utterance_s: float = Field(
        default=15.0, ge=2, description="longest utterance, live or of a long recording"
    )
    live_context_s: float = Field(
        default=0.0, ge=0, le=30, description="audio up to its end that a final result hears, at least"
    )
    interim_interval_s: float = Field(default=0.3, ge=0.05, le=5, description="between two interim results")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.overlap_s > self.window_s / 2:
            raise ValueError("overlap_s must be at most half of window_s")
        if self.engine == "openvino" and self.device not in {"auto", "cpu"}:
            raise ValueError(f"engine openvino computes on the CPU; device must be cpu, not {self.device}")
        needed = (self.max_streams * self.rows_in_flight + self.max_calls) * self.windows_in_flight
        needed += self.max_live_streams * _WINDOWS_OF_A_LIVE_STREAM
        if self.max_queue_size < needed:
            # So that a row of an admitted statement is never refused half way.
            formula = "(max_streams x rows_in_flight + max_calls) x windows_in_flight + 2 x max_live_streams"
            raise ValueError(f"max_queue_size must be at least {formula} = {needed}")
        return self
