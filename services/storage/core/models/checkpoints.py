"""What folders of checkpoints hold: which files a base model needs, which are kept, under which names."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from services.storage.core.types import ModelFamily
from thanosql_runtime.errors import Reason, ThanosqlError, error

BASE = "Wav2Vec2En"
PREBUILT = "tutorial_audio_recognition"
KOREAN_BASE = "Wav2Vec2Ko"
ARCHITECTURES = ("wav2vec2", "hubert", "wavlm", "data2vec-audio")
"""The architectures of recognisers, as config.json names them."""

_KEPT = frozenset({".json", ".safetensors", ".txt"})
_ENCODER_FILES = (
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)
_WHISPER_FILES = ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json")
_MODULES_FILE = "modules.json"
# sentence-transformers has it in a folder of its own; files of models lie side by side.
_POOLING_FILE = "pooling.json"
_POOLING_FOLDER = "1_Pooling"


@dataclass(frozen=True, kw_only=True)
class CheckpointKind:
    """A kind of checkpoint that a setting names.

    Attributes:
        base: Name of the base model that it is behind.
        family: What its models read.
        required: Files that there must be; of those that stand together one is enough.
        files: The files that are kept, by their names in the catalog.
        advice: How to mend the setting.
        architectures: Those that there may be; empty where they are looked at later.
    """

    base: str
    family: ModelFamily
    required: tuple[tuple[str, ...], ...]
    files: Callable[[Path], dict[str, Path]]
    advice: str
    architectures: tuple[str, ...] = ()

    def require(self, folder: Path, origin: str) -> None:
        """Raise BASE_MODEL_UNAVAILABLE where the folder lacks a file, or is of no known architecture."""
        missing = [
            " or ".join(names)
            for names in self.required
            if not any((folder / name).is_file() for name in names)
        ]
        if missing:
            raise unavailable(self, origin, f"it lacks {', '.join(missing)}")
        architecture = architecture_of(folder)
        if self.architectures and architecture not in self.architectures:
            known = ", ".join(self.architectures)
            why = f"its config.json says model_type {architecture!r}; known are {known}"
            raise unavailable(self, origin, why)


def architecture_of(folder: Path) -> str:
    """What config.json calls the kind of model; empty where it cannot be read, which is told at loading."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    return str(content.get("model_type", "")) if isinstance(content, dict) else ""


def unavailable(checkpoint: CheckpointKind, name: str, why: str) -> ThanosqlError:
    """Build the error for a configured checkpoint that cannot be had."""
    message = f"the checkpoint {name!r} for {checkpoint.base} cannot be had: {why}; {checkpoint.advice}"
    return error(Reason.BASE_MODEL_UNAVAILABLE, message, checkpoint=name)


def _all_files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir() if path.is_file() and path.suffix in _KEPT}


def _whisper_files(folder: Path) -> dict[str, Path]:
    """Those that are read; published folders hold the same weights in many formats and precisions."""
    weights = [*folder.glob("model.safetensors"), *folder.glob("model.safetensors.index.json")]
    shards = folder.glob("model-[0-9]*-of-[0-9]*.safetensors")
    found = [*weights, *shards, *(folder / name for name in _WHISPER_FILES)]
    return {path.name: path for path in found if path.is_file()}


def _encoder_files(folder: Path) -> dict[str, Path]:
    """Those that are read; published folders hold the same weights in many formats."""
    weights = [*folder.glob("model*.safetensors"), *folder.glob("model*.safetensors.index.json")]
    found = {path.name: path for path in [*weights, *(folder / name for name in _ENCODER_FILES)]}
    found |= {_POOLING_FILE: _pooling(folder)}
    return {name: path for name, path in found.items() if path.is_file()}


def _pooling(folder: Path) -> Path:
    """Where the pooling is configured; raises BASE_MODEL_UNAVAILABLE where one is named and is not there."""
    named = _named_poolings(folder)
    place = PurePosixPath(named[0] if named else _POOLING_FOLDER) / "config.json"
    path = folder / place
    if named and (place.is_absolute() or ".." in place.parts or not path.is_file()):
        raise unavailable(TEXT_ENCODER, str(folder), f"it lacks {place}, which its {_MODULES_FILE} names")
    return path


def _named_poolings(folder: Path) -> list[str]:
    """The folders that the list of modules names; none where it cannot be read, which is told at loading."""
    try:
        modules = json.loads((folder / _MODULES_FILE).read_text(encoding="utf-8"))
        return [str(module["path"]) for module in modules if str(module["type"]).endswith(".Pooling")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def recogniser(base: str, advice: str) -> CheckpointKind:
    """The kind of checkpoint behind a base model that transcribes."""
    return CheckpointKind(
        base=base,
        family=ModelFamily.RECOGNISER,
        required=(
            ("config.json",),
            ("model.safetensors", "model.safetensors.index.json"),
            ("vocab.json",),
        ),
        files=_all_files,
        advice=advice,
        architectures=ARCHITECTURES,
    )


RECOGNISER = recogniser(
    BASE,
    "set THANOSQL_STORAGE__WAV2VEC2_EN to a folder in Hugging Face layout, "
    "or unset it to use the bundled one",
)
KOREAN = recogniser(
    KOREAN_BASE,
    "set THANOSQL_STORAGE__WAV2VEC2_KO to a folder in Hugging Face layout and start the server again",
)
TEXT_ENCODER = CheckpointKind(
    base="TextEncoder",
    family=ModelFamily.TEXT_ENCODER,
    required=(
        ("config.json",),
        ("model.safetensors", "model.safetensors.index.json"),
        ("tokenizer.json", "vocab.txt"),
    ),
    files=_encoder_files,
    advice="set THANOSQL_STORAGE__TEXT_ENCODER to a folder in the layout of Hugging Face or "
    "sentence-transformers and start the server again",
)
WHISPER = CheckpointKind(
    base="Whisper",
    family=ModelFamily.WHISPER,
    required=(
        ("config.json",),
        ("model.safetensors", "model.safetensors.index.json"),
        ("tokenizer.json",),
    ),
    files=_whisper_files,
    advice="set THANOSQL_STORAGE__WHISPER to a folder in Hugging Face layout, such as that of "
    "openai/whisper-small, and start the server again",
    architectures=("whisper",),
)
OWN_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        BASE: "THANOSQL_STORAGE__WAV2VEC2_EN",
        KOREAN_BASE: "THANOSQL_STORAGE__WAV2VEC2_KO",
        TEXT_ENCODER.base: "THANOSQL_STORAGE__TEXT_ENCODER",
        WHISPER.base: "THANOSQL_STORAGE__WHISPER",
    }
)
"""The base models that have a setting of their own."""


def named(base: str) -> CheckpointKind:
    """The kind of checkpoint behind a base model that `BASE_MODELS` names."""
    where = f"{base} in THANOSQL_STORAGE__BASE_MODELS"
    return recogniser(base, f"let {where} name a folder in Hugging Face layout, or remove it there")
