"""A Whisper checkpoint in Hugging Face's folder layout, read without running any of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import WhisperConfig, WhisperForConditionalGeneration

from services.predictor.core.whisper.tokens import SpeechTokens
from services.predictor.core.whisper.types import SAMPLE_RATE_HZ
from thanosql_ctc.folders import invalid_checkpoint, read_json, taken_keys
from thanosql_ctc.weights import load_weights

_MOST_LAYERS = 256
_FRAMES = 1500
_PREPROCESSOR_FILE = "preprocessor_config.json"
_GENERATION_FILE = "generation_config.json"
# Stored once: the head reads the table of the tokens.
_TIED = {"proj_out.weight": "model.decoder.embed_tokens.weight"}
_EXPECTED = {"sampling_rate": SAMPLE_RATE_HZ, "hop_length": 160, "chunk_length": 30, "n_fft": 400}


@dataclass(frozen=True, kw_only=True, eq=False)
class WhisperCheckpoint:
    """A model that is ready to run, and what its tokens mean.

    Attributes:
        model: In evaluation mode, float32, on the CPU.
        tokens: Which are words, times and orders.
        suppressed: Tokens that are never written.
        suppressed_first: Those that no answer begins with.
    """

    model: WhisperForConditionalGeneration
    tokens: SpeechTokens
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]


def load_whisper(folder: Path) -> WhisperCheckpoint:
    """Load a local folder: config.json, safetensors, tokenizer.json; json and tensors are all that is read.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT, saying which file is wrong, how, and what to do.
    """
    config = _load_config(folder)
    _check_preprocessor(folder)
    generation = read_json(folder, _GENERATION_FILE) if (folder / _GENERATION_FILE).is_file() else {}
    is_multilingual = bool(generation.get("is_multilingual", True))
    tokens = SpeechTokens.load(folder, int(config.vocab_size), is_multilingual=is_multilingual)
    try:
        with torch.device("meta"):  # shapes alone: a configuration cannot make us allocate
            model = WhisperForConditionalGeneration(config)
    except (KeyError, TypeError, ValueError, RuntimeError) as failure:
        raise invalid_checkpoint(folder, f"config.json is inconsistent ({failure})") from failure
    load_weights(folder, model, tied=_TIED)
    model.tie_weights()  # loading has given the head a table of its own
    model.train(mode=False)
    return WhisperCheckpoint(
        model=model,
        tokens=tokens,
        suppressed=_numbers(folder, generation, "suppress_tokens", config.vocab_size),
        suppressed_first=_numbers(folder, generation, "begin_suppress_tokens", config.vocab_size),
    )


def _load_config(folder: Path) -> WhisperConfig:
    content = read_json(folder, "config.json")
    if content.get("model_type") != "whisper":
        raise invalid_checkpoint(folder, f"it holds {content.get('model_type')}; a Whisper model is needed")
    try:
        config = WhisperConfig(**taken_keys(content))
        _check_config(config)
    except (TypeError, ValueError, AttributeError, StrictDataclassError) as failure:
        raise invalid_checkpoint(folder, f"config.json is inconsistent ({failure})") from failure
    return config


def _check_config(config: WhisperConfig) -> None:
    for layers in (config.encoder_layers, config.decoder_layers):
        if not 1 <= layers <= _MOST_LAYERS:
            raise ValueError(f"it asks for {layers} layers; 1 to {_MOST_LAYERS} are possible")
    if config.max_source_positions != _FRAMES:
        raise ValueError(f"max_source_positions is {config.max_source_positions}, not {_FRAMES}")
    sizes = (config.d_model, config.vocab_size, config.num_mel_bins, config.max_target_positions)
    if not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ValueError("a size in it is not a positive number")


def _check_preprocessor(folder: Path) -> None:
    if not (folder / _PREPROCESSOR_FILE).is_file():
        return
    content = read_json(folder, _PREPROCESSOR_FILE)
    for name, expected in _EXPECTED.items():
        if content.get(name, expected) != expected:
            problem = f"{name} in {_PREPROCESSOR_FILE} is {content[name]}, not {expected} as Whisper has it"
            raise invalid_checkpoint(folder, problem)


def _numbers(folder: Path, content: dict[str, Any], name: str, limit: int) -> tuple[int, ...]:  # Any: json
    numbers = content.get(name) or []
    if not isinstance(numbers, list) or not all(isinstance(n, int) and 0 <= n < limit for n in numbers):
        raise invalid_checkpoint(folder, f"{name} in {_GENERATION_FILE} must list tokens of the model")
    return tuple(numbers)
