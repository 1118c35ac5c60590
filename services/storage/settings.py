"""Settings of storage: `THANOSQL_STORAGE__*`. Where objects are is `THANOSQL_OBJECTS__*`."""

from pathlib import Path

from pydantic import Field

from thanosql_runtime.settings import Settings, prefixed

_BUNDLED = Path(__file__).resolve().parents[2] / "models" / "wav2vec2_en_small"


class StorageSettings(Settings):
    """Where tables are, which checkpoint is the base, and what a query may use."""

    model_config = prefixed("STORAGE")

    tables: str = Field(
        default="",
        description="directory of the tables, or `s3://bucket/prefix` on the server of the objects; "
        "empty for `tables` beside the objects where those are in a bucket, and in the home otherwise",
    )
    wav2vec2_en: str = Field(
        default="",
        description="checkpoint behind Wav2Vec2En: a folder in Hugging Face layout, or a hub name; "
        "empty for the bundled one",
    )
    wav2vec2_ko: str = Field(
        default="",
        description="checkpoint behind Wav2Vec2Ko: a folder in Hugging Face layout, or a hub name; "
        "empty for none",
    )
    base_models: dict[str, str] = Field(
        default_factory=dict,
        description="more base models to BUILD from, by name, each a folder in Hugging Face layout or a hub "
        'name, as JSON: {"HubertEn": "/data/hubert-large-ls960-ft"}',
    )
    whisper: str = Field(
        default="",
        description="checkpoint behind Whisper: a folder in Hugging Face layout, or a hub name; "
        "empty for none",
    )
    text_encoder: str = Field(
        default="",
        description="checkpoint behind TextEncoder: a folder in the layout of Hugging Face or "
        "sentence-transformers, or a hub name; empty for none",
    )
    bundled_checkpoint: Path = Field(
        default=_BUNDLED, description="folder of the checkpoint that comes along"
    )
    hub_timeout_s: float = Field(default=10.0, gt=0, description="how long one answer of the hub may take")
    query_threads: int = Field(default=8, ge=1, le=256, description="steps of queries at the same time")
    command_threads: int = Field(default=8, ge=1, le=256, description="copies and commits at the same time")
    query_compute_s: float = Field(default=300.0, gt=0, description="seconds that one query may compute")
    query_memory_bytes: int = Field(default=1 << 30, ge=64 << 20, description="memory of one query")
    query_growth_bytes: int = Field(
        default=3 << 30,
        ge=64 << 20,
        description="by how much the process may grow while queries run, before the newest is stopped",
    )
    query_spill_bytes: int = Field(default=8 << 30, ge=0, description="disk for what exceeds that memory")
    duckdb_threads: int = Field(default=2, ge=1, le=256, description="threads of one query")
    extract_bytes: int = Field(
        default=4 << 30,
        ge=0,
        description="disk for extracts, by which queries read large tables sooner; 0 makes none",
    )
    transcript_bytes: int = Field(
        default=1 << 30,
        ge=0,
        description="disk for transcripts, so that PREDICT computes none twice; 0 keeps none",
    )
    keep_transcripts_h: float = Field(
        default=720.0, ge=1.0, description="hours that such a transcript stays after it was last used"
    )
    keep_versions_h: float = Field(
        default=168.0, ge=1.0, description="hours that a version of a table stays after it was replaced"
    )
    keep_versions_of_models: bool = Field(
        default=True, description="keep versions that the record of a model names, however old they are"
    )
    model_holds_s: float = Field(
        default=60.0, ge=3.0, description="seconds until a process that fell silent uses its models no more"
    )
    keep_leftovers_h: float = Field(
        default=168.0,
        ge=24.0,
        description="hours that what belongs to nothing stays, unchanged, before it is removed",
    )
    maintenance_interval_s: float = Field(
        default=3600.0, gt=0, description="seconds between two rounds of compaction and clean-up"
    )
    max_upload_bytes: int = Field(default=4 << 30, ge=1, description="largest file that is taken in")
    keep_uploads_h: float = Field(
        default=24.0, gt=0, description="hours that the part of a file is kept whose upload has broken"
    )
    keep_uploads_bytes: int = Field(
        default=32 << 30,
        ge=0,
        description="bytes of all uploads together that are at work or have broken; beyond it those that "
        "broke first are given up. One file of the largest size always has room",
    )
