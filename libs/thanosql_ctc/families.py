"""The architectures of CTC models: which there are, and how each is recognised in a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioForCTC,
    HubertConfig,
    HubertForCTC,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    WavLMConfig,
    WavLMForCTC,
)

CtcModel: TypeAlias = Wav2Vec2ForCTC | HubertForCTC | WavLMForCTC | Data2VecAudioForCTC
"""A model that writes a label for every frame of a waveform."""

CtcConfig: TypeAlias = Wav2Vec2Config | HubertConfig | WavLMConfig | Data2VecAudioConfig
"""Shapes and kinds of its layers."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One kind of model.

    Attributes:
        model_type: What config.json calls it.
        model: Its class.
        config: The class of its configuration.
    """

    model_type: str
    model: type[CtcModel]
    config: type[CtcConfig]


_ALL = (
    Architecture(model_type="wav2vec2", model=Wav2Vec2ForCTC, config=Wav2Vec2Config),
    Architecture(model_type="hubert", model=HubertForCTC, config=HubertConfig),
    Architecture(model_type="wavlm", model=WavLMForCTC, config=WavLMConfig),
    Architecture(model_type="data2vec-audio", model=Data2VecAudioForCTC, config=Data2VecAudioConfig),
)
ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {architecture.model_type: architecture for architecture in _ALL}
)


def inner_model(model: CtcModel) -> Any:  # Any: the parts of transformers' models are untyped
    """The model without its head: feature extractor, feature projection, encoder."""
    return model.base_model
