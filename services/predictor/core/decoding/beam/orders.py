"""What is asked of a decoding process, and what it answers: a line of JSON, then the bytes of an array.

Both ends are this same program; what is inside comes from callers, and is checked before it is sent.
"""

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from services.predictor.core.decoding.beam.decoder import BeamSize
from services.predictor.core.decoding.beam.fusion import FusionWeights
from services.predictor.core.decoding.types import HeardLabel, Hypothesis, LogProbabilities
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError

HEADER = struct.Struct("<IQ")
"""Lengths of the JSON and of the array."""
Message: TypeAlias = tuple[bytes, memoryview]
"""The header and the JSON, and the array, which is not copied."""
Answer: TypeAlias = tuple[dict[str, Any], bytes]
"""What was answered, and its array. Any: json."""
_LABEL = np.dtype(
    [("label", "<i4"), ("first_frame", "<i4"), ("last_frame", "<i4"), ("log_probability", "<f8")]
)


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

    @cached_property
    def written(self) -> str:
        """Itself as JSON; made once, for it goes with every recording."""
        return json.dumps(_plain(self))

    @cached_property
    def digest(self) -> str:
        """What tells it from every other order."""
        return hashlib.sha256(self.written.encode()).hexdigest()


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


def pack_decoding(order: DecoderOrder, log_probs_fv: LogProbabilities) -> Message:
    """Ask for the hypotheses of a recording."""
    array = np.ascontiguousarray(log_probs_fv, dtype=np.float32)
    facts = json.dumps({"kind": "decode", "digest": order.digest, "shape": array.shape})
    text = f'{facts[:-1]}, "order": {order.written}}}'.encode()
    return HEADER.pack(len(text), array.nbytes) + text, array.reshape(-1).view(np.uint8).data


def pack_compiling(order: CompileOrder) -> Message:
    """Ask for a language model to be read."""
    return pack({"kind": "compile", "order": _plain(order)}), memoryview(b"")


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


def hypotheses_out(hypotheses: Sequence[Hypothesis]) -> Answer:
    """Hypotheses, their labels as an array: reading as much JSON would hold Python's lock for too long."""
    content = [{"labels": len(item.labels), "score": item.score} for item in hypotheses]
    labels = [
        (heard.label, heard.first_frame, heard.last_frame, heard.log_probability)
        for item in hypotheses
        for heard in item.labels
    ]
    return {"hypotheses": content}, np.array(labels, dtype=_LABEL).tobytes()


def hypotheses_in(answer: Answer) -> list[Hypothesis]:
    """What `hypotheses_out` wrote."""
    content, array = answer
    labels = np.frombuffer(array, dtype=_LABEL)
    hypotheses = []
    for item in content["hypotheses"]:
        own, labels = labels[: item["labels"]], labels[item["labels"] :]
        heard = [
            HeardLabel(label=label, first_frame=first, last_frame=last, log_probability=log_probability)
            for label, first, last, log_probability in own.tolist()
        ]
        hypotheses.append(Hypothesis(labels=heard, score=item["score"]))
    return hypotheses


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
