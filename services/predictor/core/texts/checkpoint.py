"""A text encoder in the folder layout of Hugging Face and sentence-transformers; none of it is run."""

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from services.predictor.core.texts.tokens import Tokeniser, load_tokeniser
from services.predictor.core.texts.weights import load_encoder_weights, require_weights_for
from thanosql_ctc.folders import invalid_checkpoint, read_json, read_json_list, taken_keys

POOLING_FILE = "pooling.json"
"""What sentence-transformers has in a folder, mostly 1_Pooling: files of models lie side by side here."""

FAMILIES = frozenset(
    {"albert", "bert", "camembert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta"}
)
"""The `model_type` of configurations that are understood: encoders in which every token sees every other."""

_CONFIG_FILE = "config.json"
_MODULES_FILE = "modules.json"
# The first that has a limit says it.
_LIMITS = (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length"))
_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
_POOLING_KEY = "pooling_mode_"
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
# Their positions count from behind the number of the padding token.
_OFFSET_POSITIONS = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta"})
# Not taken either: what an encoder answers with, and the names of labels, of which there may be millions.
_ALSO_IGNORED = frozenset(
    {
        "chunk_size_feed_forward",
        "id2label",
        "label2id",
        "num_labels",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "torchscript",
        "use_cache",
        "use_return_dict",
    }
)
_MOST_LAYERS = 256


class Pooling(enum.Enum):
    """How the vectors of tokens become one: their mean, or the vector of the first."""

    MEAN = "mean"
    CLS = "cls"


@dataclass(frozen=True, kw_only=True, eq=False)
class EncoderCheckpoint:
    """An encoder that is ready to run, and what must be done to texts before.

    Attributes:
        model: In evaluation mode, float32, on the CPU.
        tokeniser: Cuts texts into windows of tokens.
        pooling: How vectors of tokens become one.
        pad_id: The token that fills rows of a batch.
    """

    model: nn.Module
    tokeniser: Tokeniser
    pooling: Pooling
    pad_id: int

    @property
    def dimension(self) -> int:
        """Numbers of an embedding."""
        # Any: configurations have different classes, all with this field.
        config: Any = self.model.config
        return int(config.hidden_size)


def load_encoder(folder: Path) -> EncoderCheckpoint:
    """Load a local folder: configuration, safetensors, tokens; json, tensors and words are all that is read.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT, saying which file is wrong, how, and what to do.
    """
    content = read_json(folder, _CONFIG_FILE)
    config = _configuration(folder, content)
    pooling = _pooling(folder, _modules(folder))
    tokeniser = load_tokeniser(folder, config.model_type, _longest(folder, config))
    if tokeniser.vocabulary_size > config.vocab_size:
        sizes = f"{tokeniser.vocabulary_size} tokens, the model knows {config.vocab_size}"
        raise invalid_checkpoint(folder, f"its tokeniser has {sizes}")
    with torch.device("meta"):  # shapes alone: a configuration cannot make us allocate
        require_weights_for(folder, _built(folder, config))
    model = _built(folder, config)
    load_encoder_weights(folder, model)
    model.train(mode=False)
    return EncoderCheckpoint(model=model, tokeniser=tokeniser, pooling=pooling, pad_id=_pad_id(config))


def _configuration(folder: Path, content: dict[str, Any]) -> Any:
    """Any: a configuration of transformers, whose class follows its `model_type`."""
    family = content.get("model_type")
    if family not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise invalid_checkpoint(folder, f"it holds {family}; encoders of texts are: {known}")
    known_keys = taken_keys(content, _ALSO_IGNORED)
    del known_keys["model_type"]
    try:
        config = AutoConfig.for_model(family, **known_keys)
        _check(config)
    except Exception as failure:  # values of any kind end in errors of any kind
        raise invalid_checkpoint(folder, f"{_CONFIG_FILE} is inconsistent ({failure})") from failure
    return config


def _check(config: Any) -> None:
    """Any: as in `_configuration`."""
    # ALBERT holds as many as its groups say, and runs those of one group for each layer.
    inner = getattr(config, "inner_group_num", 1)
    for layers in (config.num_hidden_layers * inner, getattr(config, "num_hidden_groups", 1) * inner):
        if not 1 <= layers <= _MOST_LAYERS:
            raise ValueError(f"it asks for {layers} layers; 1 to {_MOST_LAYERS} are possible")
    sizes = (config.hidden_size, config.vocab_size, config.max_position_embeddings)
    if not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ValueError("a size in it is not a positive number")
    if not 0 <= _pad_id(config) < config.vocab_size:
        raise ValueError(f"it pads with token {_pad_id(config)}, and has {config.vocab_size}")
    if getattr(config, "is_decoder", False):
        raise ValueError("it is a decoder, in which tokens see only those before them")


def _built(folder: Path, config: Any) -> nn.Module:
    """Any: as in `_configuration`."""
    maker: Any = AutoModel  # Any: it has no types
    try:
        model: nn.Module = maker.from_config(config)
    except Exception as failure:  # as above
        raise invalid_checkpoint(folder, f"{_CONFIG_FILE} is inconsistent ({failure})") from failure
    return model


def _modules(folder: Path) -> list[str]:
    """Refuse what sentence-transformers would compute behind the mean: leaving it out gives other vectors."""
    if not (folder / _MODULES_FILE).is_file():
        return []
    listed = read_json_list(folder, _MODULES_FILE)
    names = [_module_name(item) for item in listed]
    foreign = ", ".join(name for name in names if name not in _MODULES)
    if foreign:
        raise invalid_checkpoint(
            folder, f"{_MODULES_FILE} names {foreign}; Transformer, Pooling and Normalize are understood"
        )
    return names


def _module_name(item: object) -> str:
    named = item.get("type") if isinstance(item, dict) else None
    return str(named).rpartition(".")[2]


def _pooling(folder: Path, modules: list[str]) -> Pooling:
    if not (folder / POOLING_FILE).is_file():
        if "Pooling" in modules:
            raise invalid_checkpoint(
                folder, f"{_MODULES_FILE} names Pooling, whose configuration is not there"
            )
        return Pooling.MEAN
    content = read_json(folder, POOLING_FILE)
    chosen = [name for name, value in content.items() if name.startswith(_POOLING_KEY) and value is True]
    named = [_POOLINGS.get(name, name) for name in chosen] or [str(content.get("pooling_mode", "missing"))]
    if named not in [[pooling.value] for pooling in Pooling]:
        problem = f"its pooling is {' and '.join(named)}; mean or cls is understood"
        raise invalid_checkpoint(folder, problem)
    return Pooling(named[0])


def _longest(folder: Path, config: Any) -> int:
    """Tokens that the model takes at once, those at the start and the end included. Any: as above."""
    longest = int(config.max_position_embeddings)
    if config.model_type in _OFFSET_POSITIONS:
        longest -= _pad_id(config) + 1
    limits = (_limit(folder, name, key) for name, key in _LIMITS)
    return min(longest, next((limit for limit in limits if limit is not None), longest))


def _limit(folder: Path, name: str, key: str) -> int | None:
    if not (folder / name).is_file():
        return None
    value = read_json(folder, name).get(key)
    # Where there is no limit, tokenisers have 1e30.
    return int(value) if isinstance(value, int | float) and 1 <= value < 1e9 else None


def _pad_id(config: Any) -> int:
    """Any: as above."""
    return 0 if config.pad_token_id is None else int(config.pad_token_id)
