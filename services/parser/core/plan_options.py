"""Options as plans carry them: every one typed, every default filled in."""

import enum
from dataclasses import dataclass


class IfExists(enum.Enum):
    """What COPY does with a table that exists."""

    FAIL = "fail"
    REPLACE = "replace"
    APPEND = "append"


class MediaKind(enum.Enum):
    """What PRINT shows."""

    AUDIO = "AUDIO"
    IMAGE = "IMAGE"
    VIDEO = "VIDEO"


class SpeechTask(enum.Enum):
    """What Whisper does with speech."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class SearchKind(enum.Enum):
    """What SEARCH compares."""

    AUDIO = "AUDIO"
    TEXT = "TEXT"
    KEYWORD = "KEYWORD"


class ListKind(enum.Enum):
    """What LIST names."""

    MODEL = "MODEL"
    TABLE = "TABLE"
    THANOSQL_MODEL = "THANOSQL MODEL"
    THANOSQL_DATASET = "THANOSQL DATASET"


class GetKind(enum.Enum):
    """What GET THANOSQL fetches."""

    MODEL = "MODEL"
    DATASET = "DATASET"


@dataclass(frozen=True, kw_only=True)
class PrintOptions:
    """Options of PRINT."""

    audio_col: str = "audio_path"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of BUILD MODEL and FIT MODEL; without a seed, the trainer's settings say it."""

    audio_col: str = "audio_path"
    text_col: str = "text"
    epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 1e-4
    overwrite: bool = False
    seed: int | None = None


class Precision(enum.Enum):
    """How many bits a model computes with."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


@dataclass(frozen=True, kw_only=True)
class Hotword:
    """A phrase to listen for; without a weight of its own it has that of the statement."""

    phrase: str
    weight: float | None = None


@dataclass(frozen=True, kw_only=True)
class BeamOptions:
    """How labels become text, in PREDICT and EVALUATE: by searching."""

    language_model: str | None = None
    lm_weight: float = 0.5
    word_score: float = 0.0
    beam_width: int = 64
    hotwords: tuple[Hotword, ...] = ()
    hotword_weight: float = 8.0


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Options of PREDICT; language and task count for Whisper only.

    Word times, confidence and more than one reading are told in columns of their own.
    Without a precision, the predictor's settings say it.
    """

    audio_col: str = "audio_path"
    batch_size: int = 16
    result_col: str = "predicted"
    language: str = "auto"
    task: SpeechTask = SpeechTask.TRANSCRIBE
    precision: Precision | None = None
    reuse: bool = True
    only_new: bool = False
    beam: BeamOptions | None = None
    word_times: bool = False
    confidence: bool = False
    n_best: int = 1


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Options of EVALUATE; the precision as for PREDICT.

    Each slice has scores of its own, and rows with one value of `resample_by` are drawn together;
    neither means anything where the rows are answered.
    """

    audio_col: str = "audio_path"
    text_col: str = "text"
    batch_size: int = 16
    precision: Precision | None = None
    reuse: bool = False
    slice_by: tuple[str, ...] = ()
    resample_by: str | None = None
    per_row: bool = False
    beam: BeamOptions | None = None


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """Options of CONVERT; exactly one of the two columns is set."""

    audio_col: str | None = None
    text_col: str | None = None
    batch_size: int = 16
    result_col: str = "convert_result"


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Options of SEARCH."""

    search_input: str
    search_by: str
    emb_col: str = "convert_result"
    text_col: str = "text"
    result_col: str = "search_result"
    top_k: int = 1000


@dataclass(frozen=True, kw_only=True)
class GetOptions:
    """Options of GET THANOSQL; no model name keeps the model's own."""

    model_name: str | None = None
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class DeleteModelOptions:
    """Options of DELETE MODEL."""

    force: bool = False


@dataclass(frozen=True, kw_only=True)
class UploadOptions:
    """Options of UPLOAD MODEL."""

    framework: str = "pytorch"
    overwrite: bool = False
