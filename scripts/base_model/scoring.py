"""Greedy decoding and error rates of the model in training."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from scripts.base_model import devices
from scripts.base_model.cache import Cache, Entry
from scripts.base_model.letters import decode
from scripts.base_model.noise import RATE_HZ, Samples
from services.trainer.core.scoring import ScoreCounter
from thanosql_ctc.families import CtcModel
from thanosql_ctc.waveform import normalise_waveform, with_margins


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a model did on some recordings."""

    wer: float
    cer: float
    examples: tuple[tuple[str, str], ...]


@torch.inference_mode()
def log_probs(model: CtcModel, samples: Samples) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the log probability of every label in every frame."""
    model.train(False)
    device = model.lm_head.weight.device
    with devices.bfloat16(device):
        logits = model(torch.from_numpy(normalise_waveform(samples))[None].to(device)).logits[0]
    found: np.ndarray[tuple[int, int], np.dtype[np.float32]] = logits.float().log_softmax(-1).cpu().numpy()
    return found


def transcribe(model: CtcModel, heard: Iterator[Samples]) -> list[str]:
    """Transcribe recordings one by one, as the predictor hears them."""
    return [decode(log_probs(model, with_margins(samples, RATE_HZ)).argmax(-1).tolist()) for samples in heard]


def score(model: CtcModel, cache: Cache, entries: list[Entry]) -> Score:
    """Transcribe the entries and count as EVALUATE counts."""
    hypotheses = transcribe(model, (cache.samples(entry) for entry in entries))
    counter = ScoreCounter()
    for entry, hypothesis in zip(entries, hypotheses, strict=True):
        counter.add(entry.text, hypothesis, entry.seconds)
    scores = counter.scores()
    references = [entry.text for entry in entries]
    return Score(
        wer=scores.wer,
        cer=scores.cer,
        examples=tuple(zip(references, hypotheses, strict=True))[:4],
    )
