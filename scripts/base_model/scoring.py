"""Greedy decoding and error rates of the model in training."""

from dataclasses import dataclass

import jiwer
import torch
from transformers import Wav2Vec2ForCTC

from scripts.base_model import batches
from scripts.base_model.cache import Cache, Entry
from scripts.base_model.network import VOCABULARY


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a model did on some recordings."""

    wer: float
    cer: float
    clips: int
    seconds: float
    examples: tuple[tuple[str, str], ...]


def decode(labels: list[int]) -> str:
    """Turn each frame's best label into text; repeats collapse before blanks go: double letters stay."""
    kept = [label for place, label in enumerate(labels) if place == 0 or labels[place - 1] != label]
    letters = "".join(VOCABULARY[label] for label in kept if len(VOCABULARY[label]) == 1)
    return " ".join(letters.replace("|", " ").split())


@torch.inference_mode()
def score(model: Wav2Vec2ForCTC, cache: Cache, entries: list[Entry]) -> Score:
    """Transcribe the entries one by one and compare."""
    model.train(False)
    hypotheses = []
    for entry in entries:
        batch = batches.collate(cache, [entry], None)
        logits = model(batch.samples_bs, attention_mask=batch.mask_bs).logits[0]
        hypotheses.append(decode(logits.argmax(-1).tolist()))
    references = [entry.text for entry in entries]
    return Score(
        wer=jiwer.wer(references, hypotheses),
        cer=jiwer.cer(references, hypotheses),
        clips=len(entries),
        seconds=sum(entry.seconds for entry in entries),
        examples=tuple(zip(references, hypotheses, strict=True))[:4],
    )
