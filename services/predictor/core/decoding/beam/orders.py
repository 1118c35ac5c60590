"""What is asked of a decoding process, and what it answers: a line of JSON, then the bytes of an array.

Both ends are this same program; what is inside comes from callers, and is checked before it is sent.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from services.predictor.core.decoding.beam.decoder import BeamSize
from services.predictor.core.decoding.beam.fusion import FusionWeights
from services.predictor.core.decoding.types import HeardLabel, Hypothesis, LogProbabilities
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError

HEADER = struct.Struct("<IQ")
"""Lengths of the JSON and of the array."""


@dataclass(frozen=True, kw_only=True)
class SpelledHotword:
    """A phrase in labels, and its reward."""

    labels: tuple[int, ...]
    weight: float


@dataclass(frozen=True, kw_only=True)
class DecoderOrder:
    """Everything that a decoder is made of.

    Attributes:
        vocabulary: What labels write.
        size: How much is looked at, and how much is given.
        weights: How much counts.
        model_folder: Of the language model; empty for none.
        hotwords: Phrases that count more.
    """

    vocabulary: Vocabulary
    size: BeamSize
    weights: FusionWeights
    model_folder: str = ""
    hotwords: tuple[SpelledHotword, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CompileOrder:
    """A language model to read into an empty folder.

    Attributes:
        path: The local file.
        folder: Where its arrays go.
        vocabulary: What the labels write that spell its words.
        max_ngrams: Most n-grams that are taken.
        max_bytes: Most bytes that are read of it, decompressed.
    """

    path: str
    folder: str
    vocabulary: Vocabulary
    max_ngrams: int
    max_bytes: int


Order = DecoderOrder | CompileOrder


def pack(content: dict[str, Any], array: bytes = b"") -> bytes:
    """A message. Any: json."""
    text = json.dumps(content).encode()
    return HEADER.pack(len(text), len(array)) + text + array


def pack_decoding(order: DecoderOrder, log_probs_fv: LogProbabilities) -> bytes:
    """Ask for the hypotheses of a recording."""
    content = {"kind": "decode", "order": _plain(order), "shape": log_probs_fv.shape}
    return pack(content, np.ascontiguousarray(log_probs_fv, dtype=np.float32).tobytes())


def pack_compiling(order: CompileOrder) -> bytes:
    """Ask for a language model to be read."""
    return pack({"kind": "compile", "order": _plain(order)})


def read_decoder_order(content: dict[str, Any]) -> DecoderOrder:
    """What `pack_decoding` wrote. Any: json."""
    return DecoderOrder(
        vocabulary=_vocabulary(content["vocabulary"]),
        size=BeamSize(**content["size"]),
        weights=FusionWeights(**content["weights"]),
        model_folder=content["model_folder"],
        hotwords=tuple(
            SpelledHotword(labels=tuple(item["labels"]), weight=item["weight"])
            for item in content["hotwords"]
        ),
    )


def read_compile_order(content: dict[str, Any]) -> CompileOrder:
    """What `pack_compiling` wrote. Any: json."""
    return CompileOrder(**(content | {"vocabulary": _vocabulary(content["vocabulary"])}))


def hypotheses_out(hypotheses: Sequence[Hypothesis]) -> dict[str, Any]:
    """Hypotheses as json. Any: json."""
    return {"hypotheses": [asdict(item) for item in hypotheses]}


def hypotheses_in(content: dict[str, Any]) -> list[Hypothesis]:
    """What `hypotheses_out` wrote. Any: json."""
    return [
        Hypothesis(labels=[HeardLabel(**label) for label in item["labels"]], score=item["score"])
        for item in content["hypotheses"]
    ]


def failure_out(failure: ThanosqlError) -> dict[str, Any]:
    """A failure as json. Any: json."""
    return {"reason": failure.reason.value, "message": failure.message, "metadata": dict(failure.metadata)}


def failure_in(content: dict[str, Any]) -> ThanosqlError:
    """What `failure_out` wrote. Any: json."""
    reason = Reason(content["reason"])
    return ThanosqlError(reason=reason, message=content["message"], metadata=content["metadata"])


def _plain(order: Order) -> dict[str, Any]:
    content = asdict(order)
    content["vocabulary"]["special_ids"] = sorted(order.vocabulary.special_ids)
    return content


def _vocabulary(content: dict[str, Any]) -> Vocabulary:
    tokens, special = tuple(content["tokens"]), frozenset(content["special_ids"])
    return Vocabulary(**(content | {"tokens": tokens, "special_ids": special}))
