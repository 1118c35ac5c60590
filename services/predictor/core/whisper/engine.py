"""Whisper through torch: the best token after every token, one window of half a minute at a time.

Every window is filled up to the same length, as the model was trained, and computed alone, so that its answer
depends on nothing else.

Shapes, as suffixes: b batch, c mel bins, f frames, h hidden, t tokens so far, v all tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GenerationConfig, WhisperFeatureExtractor
from transformers.generation.logits_process import (
    LogitsProcessorList,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
)
from transformers.modeling_outputs import BaseModelOutput

from services.predictor.core.ports import BatchPolicy
from services.predictor.core.torch_engine import no_numbers
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.whisper.checkpoint import WhisperCheckpoint
from services.predictor.core.whisper.types import (
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    HeardWindow,
    SpeechWindow,
    WindowFeatures,
)
from thanosql_runtime.errors import ThanosqlError

# A second, by which the first words begin.
_LATEST_BEGIN = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class _Answer:
    tokens: tuple[int, ...]
    language_id: int | None
    finite: bool


class WhisperEngine:
    """Satisfies `ports.Engine`: the tokens of a window.

    Args:
        checkpoint: Its model is taken over.
        options: Device and precision.
    """

    def __init__(self, checkpoint: WhisperCheckpoint, options: EngineOptions) -> None:
        self._dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[options.dtype]
        self._device = torch.device(options.device)
        self._checkpoint = checkpoint
        self._tokens = checkpoint.tokens
        self._model: Any = checkpoint.model  # Any: its calls are untyped
        nn.Module.to(self._model, device=self._device, dtype=self._dtype)
        extractor: Any = WhisperFeatureExtractor  # Any: as above
        self._extractor = extractor(feature_size=self._model.config.num_mel_bins)

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return f"torch {self._device} {str(self._dtype).removeprefix('torch.')}"

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        return sum(weight.numel() * weight.element_size() for weight in self._model.parameters())

    @property
    def policy(self) -> BatchPolicy:
        """Windows one by one: answers have different lengths, and the shape of a batch would show in them."""
        return BatchPolicy(max_batch_size=1, max_queue_delay_s=0.0, bucket_samples=1, pipeline_depth=2)

    def prepare(self, windows: Sequence[SpeechWindow]) -> list[WindowFeatures]:
        """Fill up, and compute the spectrogram."""
        return [
            WindowFeatures(mel_cf=self._spectrogram(window), language_id=window.language_id, task=window.task)
            for window in windows
        ]

    def run(self, prepared: list[WindowFeatures]) -> list[_Answer]:
        """Listen, find the language where it is to be found, and write token after token."""
        with torch.inference_mode():
            return [self._heard(features) for features in prepared]

    def finish(self, raw: list[_Answer]) -> list[HeardWindow | ThanosqlError]:
        """The tokens; a window without numbers has INVALID_CHECKPOINT instead."""
        return [
            HeardWindow(tokens=one.tokens, language_id=one.language_id) if one.finite else no_numbers()
            for one in raw
        ]

    def _spectrogram(self, window: SpeechWindow) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        filled = np.zeros(WINDOW_SAMPLES, dtype=np.float32)
        filled[: len(window.samples)] = window.samples
        mel: np.ndarray[tuple[int, int], np.dtype[np.float32]]
        mel = self._extractor(filled, sampling_rate=SAMPLE_RATE_HZ)["input_features"][0]
        return mel

    def _heard(self, features: WindowFeatures) -> _Answer:
        mel_bcf = torch.from_numpy(features.mel_cf)[None].to(device=self._device, dtype=self._dtype)
        hidden_bfh: Tensor = self._model.model.encoder(mel_bcf).last_hidden_state
        encoded = BaseModelOutput(last_hidden_state=cast("torch.FloatTensor", hidden_bfh))
        finite = bool(torch.isfinite(hidden_bfh).all())
        language_id = features.language_id
        if language_id is None and self._tokens.languages:
            language_id = self._language(encoded)
        prompt = self._tokens.prompt(language_id, features.task)
        tokens, is_written = self._write(encoded, prompt)
        return _Answer(tokens=tokens, language_id=language_id, finite=finite and is_written)

    def _language(self, encoded: BaseModelOutput) -> int:
        """The most probable of the languages, by the token that would follow the start."""
        first = torch.tensor([[self._tokens.start]], device=self._device)
        logits_v = self._model(encoder_outputs=encoded, decoder_input_ids=first).logits[0, -1]
        candidates = torch.tensor(sorted(self._tokens.languages.values()), device=self._device)
        return int(candidates[logits_v[candidates].argmax()])

    def _write(self, encoded: BaseModelOutput, prompt: list[int]) -> tuple[tuple[int, ...], bool]:
        """The tokens, and whether all of them were chosen by numbers."""
        processors, room = self._processors(len(prompt)), self._model.config.max_target_positions
        written_bt = torch.tensor([prompt], device=self._device)
        fresh_bt, past = written_bt, None
        broken = torch.zeros((), dtype=torch.bool, device=self._device)  # read once, at the end
        while written_bt.shape[1] < room:
            step = self._model(
                encoder_outputs=encoded, decoder_input_ids=fresh_bt, past_key_values=past, use_cache=True
            )
            past = step.past_key_values
            broken |= torch.isnan(step.logits[:, -1]).any()
            scores_bv: Tensor = processors(cast("torch.LongTensor", written_bt), step.logits[:, -1].float())
            fresh_bt = scores_bv.argmax(dim=-1, keepdim=True)
            if int(fresh_bt) == self._tokens.end:
                break
            written_bt = torch.cat([written_bt, fresh_bt], dim=1)
        return tuple(written_bt[0, len(prompt) :].tolist()), not bool(broken)

    def _processors(self, begin: int) -> LogitsProcessorList:
        """What may be written: times in pairs that grow, none of the tokens that are never written."""
        make: Any = GenerationConfig  # Any: as above
        config = make(
            eos_token_id=self._tokens.end,
            no_timestamps_token_id=self._tokens.no_timestamps,
            max_initial_timestamp_index=_LATEST_BEGIN,
        )
        device = str(self._device)
        rules = LogitsProcessorList()
        if self._checkpoint.suppressed:
            rules.append(SuppressTokensLogitsProcessor(list(self._checkpoint.suppressed), device=device))
        if self._checkpoint.suppressed_first:
            first = list(self._checkpoint.suppressed_first)
            rules.append(SuppressTokensAtBeginLogitsProcessor(first, begin, device=device))
        rules.append(WhisperTimeStampLogitsProcessor(config, begin_index=begin))
        return rules
