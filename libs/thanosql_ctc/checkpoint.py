"""A CTC checkpoint in Hugging Face's folder layout: written, and read without running any of it."""

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import save_file
from torch import Tensor
from transformers import Data2VecAudioConfig, WavLMConfig

from thanosql_ctc.families import ARCHITECTURES, Architecture, CtcConfig, CtcModel
from thanosql_ctc.folders import invalid_checkpoint, read_json, taken_keys
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_ctc.weights import WEIGHTS_FILE, check_finite, load_weights

_CONFIG_FILE = "config.json"
_PREPROCESSOR_FILE = "preprocessor_config.json"
_PROCESSOR_FILE = "processor_config.json"
_MOST_LAYERS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckpointFacts:
    """What a checkpoint says, without its weights.

    Attributes:
        config: Shapes and kinds of its layers.
        vocabulary: What its labels write.
        sample_rate_hz: Rate that it was trained on.
        do_normalize: Whether waveforms go through `normalise_waveform` first.
    """

    config: CtcConfig
    vocabulary: Vocabulary
    sample_rate_hz: int
    do_normalize: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A model that is ready to run, and what must be done to samples before.

    Attributes:
        model: In evaluation mode, float32, on the CPU.
        vocabulary: What its labels write.
        sample_rate_hz: Rate that it was trained on.
        do_normalize: Whether waveforms go through `normalise_waveform` first.
    """

    model: CtcModel
    vocabulary: Vocabulary
    sample_rate_hz: int
    do_normalize: bool

    @property
    def config(self) -> CtcConfig:
        """Shapes and kinds of its layers."""
        return self.model.config


def load_checkpoint(folder: Path) -> Checkpoint:
    """Load a local folder: config.json, safetensors, vocab.json; json and tensors are all that is read.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT, saying which file is wrong, how, and what to do.
    """
    facts = load_facts(folder)
    model = _empty_model(folder, facts.config)
    load_weights(folder, model)
    model.train(mode=False)
    return Checkpoint(
        model=model,
        vocabulary=facts.vocabulary,
        sample_rate_hz=facts.sample_rate_hz,
        do_normalize=facts.do_normalize,
    )


def load_facts(folder: Path) -> CheckpointFacts:
    """Load everything but the weights, which need not be there.

    Raises:
        ThanosqlError: As for `load_checkpoint`.
    """
    if not folder.is_dir():
        raise invalid_checkpoint(folder, f"there is no folder at {folder}")
    config = _load_config(folder)
    vocabulary = _fitting(folder, Vocabulary.load(folder), config)
    sample_rate_hz, do_normalize = _load_preprocessor(folder)
    return CheckpointFacts(
        config=config, vocabulary=vocabulary, sample_rate_hz=sample_rate_hz, do_normalize=do_normalize
    )


def save_checkpoint(
    folder: Path,
    model: CtcModel,
    vocabulary: Vocabulary,
    *,
    half: bool = False,
    sample_rate_hz: int = 16_000,
    do_normalize: bool = True,
) -> None:
    """Write what `load_checkpoint` and Hugging Face read; a folder is there whole or not at all.

    Args:
        folder: Replaced where it exists.
        model: On any device, in any precision.
        vocabulary: As long as the model's head is wide.
        half: Store float16, half the size; loading gives float32 again.
        sample_rate_hz: Rate that the model was trained on.
        do_normalize: Whether its waveforms are normalised.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT when a weight is no number, or none in float16.
    """
    if len(vocabulary) != model.config.vocab_size:
        raise ValueError(f"{len(vocabulary)} tokens for a head of {model.config.vocab_size}")
    weights = _portable(folder, model, half=half)
    folder.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    fresh = folder.with_name(f".{folder.name}.{mark}.new")
    fresh.mkdir()
    try:
        save_file(weights, fresh / WEIGHTS_FILE, metadata={"format": "pt"})
        _write_json(fresh / _CONFIG_FILE, _config(model, vocabulary, half=half))
        vocabulary.save(fresh)
        _write_json(fresh / _PREPROCESSOR_FILE, _preprocessor(model.config, sample_rate_hz, do_normalize))
        _swap(fresh, folder, folder.with_name(f".{folder.name}.{mark}.old"))
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _load_config(folder: Path) -> CtcConfig:
    content = read_json(folder, _CONFIG_FILE)
    architecture = _architecture(folder, content)
    if content.get("add_adapter") or content.get("adapter_attn_dim"):
        raise invalid_checkpoint(folder, "models with adapter layers are not supported")
    try:
        config = architecture.config(**taken_keys(content))
        _check_config(config)
    except (TypeError, ValueError, AttributeError, StrictDataclassError) as failure:
        raise invalid_checkpoint(folder, f"{_CONFIG_FILE} is inconsistent ({failure})") from failure
    return config


def _architecture(folder: Path, content: dict[str, Any]) -> Architecture:
    model_type, classes = content.get("model_type"), content.get("architectures") or []
    known = ARCHITECTURES.get(str(model_type))
    if known is not None and (not classes or known.model.__name__ in classes):
        return known
    found = f"{model_type} ({', '.join(map(str, classes))})" if classes else f"{model_type}"
    needed = f"a {model_type} model with a CTC head ({known.model.__name__})" if known else _any()
    raise invalid_checkpoint(folder, f"it holds {found}; {needed} is needed")


def _any() -> str:
    *others, last = ARCHITECTURES
    return f"a model with a CTC head of the architecture {', '.join(others)} or {last}"


def _empty_model(folder: Path, config: CtcConfig) -> CtcModel:
    try:
        with torch.device("meta"):  # shapes alone: a configuration cannot make us allocate
            return ARCHITECTURES[config.model_type].model(config)  # type: ignore[arg-type] # its own
    except (KeyError, TypeError, ValueError, RuntimeError) as failure:
        raise invalid_checkpoint(folder, f"{_CONFIG_FILE} is inconsistent ({failure})") from failure


def _check_config(config: CtcConfig) -> None:
    counts = (config.num_hidden_layers, config.num_feat_extract_layers)
    if not all(1 <= count <= _MOST_LAYERS for count in counts):
        raise ValueError(f"it asks for {counts[0]} + {counts[1]} layers; 1 to {_MOST_LAYERS} are possible")
    sizes = (
        config.hidden_size,
        config.vocab_size,
        *config.conv_dim,
        *config.conv_kernel,
        *config.conv_stride,
        config.num_conv_pos_embeddings,
        config.num_conv_pos_embedding_groups,
    )
    if not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ValueError("a size in it is not a positive number")
    _check_positions(config)
    if _norm(config) not in {"group", "layer"}:
        raise ValueError(f"feat_extract_norm is {_norm(config)!r}, neither 'group' nor 'layer'")


def _check_positions(config: CtcConfig) -> None:
    """Check what tells frames apart by their place: layers of data2vec, distances of WavLM."""
    if isinstance(config, Data2VecAudioConfig):
        layers, kernel = config.num_conv_pos_embeddings, config.conv_pos_kernel_size
        if layers > _MOST_LAYERS or kernel < 1:
            raise ValueError(f"it asks for {layers} positional layers of kernel {kernel}")
    if isinstance(config, WavLMConfig) and not 4 <= config.num_buckets < 4 * config.max_bucket_distance:
        buckets = f"num_buckets {config.num_buckets}, max_bucket_distance {config.max_bucket_distance}"
        raise ValueError(f"{buckets} cannot be told apart")


def _norm(config: CtcConfig) -> str:
    """The norm of its convolutions over samples; data2vec, which does not say it, has the one."""
    return str(getattr(config, "feat_extract_norm", "layer"))


def _fitting(folder: Path, vocabulary: Vocabulary, config: CtcConfig) -> Vocabulary:
    width = config.vocab_size or 0
    if len(vocabulary) > width and all(
        label in vocabulary.special_ids for label in range(width, len(vocabulary))
    ):
        # Tokenisers add <s> and </s> that the head was never trained to write.
        vocabulary = Vocabulary(
            tokens=vocabulary.tokens[:width],
            blank_id=vocabulary.blank_id,
            word_delimiter=vocabulary.word_delimiter,
            special_ids=frozenset(label for label in vocabulary.special_ids if label < width),
            lower_case_output=vocabulary.lower_case_output,
        )
    if len(vocabulary) != width:
        raise invalid_checkpoint(
            folder, f"vocab.json has {len(vocabulary)} tokens, the model's head writes {width}"
        )
    if config.pad_token_id != vocabulary.blank_id:
        blanks = f"{config.pad_token_id} in {_CONFIG_FILE}, {vocabulary.blank_id} in vocab.json"
        raise invalid_checkpoint(folder, f"the label of the blank (pad token) is {blanks}")
    return vocabulary


def _load_preprocessor(folder: Path) -> tuple[int, bool]:
    content: dict[str, Any] = {}  # Any: json
    if (folder / _PREPROCESSOR_FILE).exists():
        content = read_json(folder, _PREPROCESSOR_FILE)
    elif (folder / _PROCESSOR_FILE).exists():
        content = read_json(folder, _PROCESSOR_FILE).get("feature_extractor") or {}
    rate, normalize = content.get("sampling_rate", 16_000), content.get("do_normalize", True)
    if not isinstance(rate, int) or not 1_000 <= rate <= 384_000 or not isinstance(normalize, bool):
        raise invalid_checkpoint(
            folder, f"{_PREPROCESSOR_FILE} needs a sampling_rate in Hz and a true or false do_normalize"
        )
    return rate, normalize


def _portable(folder: Path, model: CtcModel, *, half: bool) -> dict[str, Tensor]:
    dtype = torch.float16 if half else torch.float32
    state = model.state_dict()
    weights = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
        for name, tensor in state.items()
    }
    check_finite(folder, weights)
    return weights


def _config(model: CtcModel, vocabulary: Vocabulary, *, half: bool) -> dict[str, Any]:
    content: dict[str, Any] = model.config.to_diff_dict()  # Any: json
    return content | {
        "architectures": [type(model).__name__],
        "model_type": model.config.model_type,
        "dtype": "float16" if half else "float32",
        "pad_token_id": vocabulary.blank_id,
        "vocab_size": len(vocabulary),
    }


def _preprocessor(config: CtcConfig, sample_rate_hz: int, do_normalize: bool) -> dict[str, object]:
    return {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "padding_side": "right",
        "padding_value": 0.0,
        # Hugging Face's own forward needs it off for "group" models; ours masks both kinds.
        "return_attention_mask": _norm(config) == "layer",
        "sampling_rate": sample_rate_hz,
        "do_normalize": do_normalize,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(
        json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def _swap(fresh: Path, folder: Path, retired: Path) -> None:
    if folder.exists():
        folder.rename(retired)
    fresh.rename(folder)
    shutil.rmtree(retired, ignore_errors=True)
