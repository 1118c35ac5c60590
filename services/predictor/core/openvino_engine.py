"""CTC models through OpenVINO on a processor: single recordings, several at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt

from services.predictor.core.openvino_runtime import CompiledModel, InferenceRequest, Logits
from services.predictor.core.ports import BatchPolicy
from services.predictor.core.torch_engine import no_numbers
from services.predictor.core.torch_manner import EngineOptions
from thanosql_ctc.batch_invariant import output_frames, receptive_field
from thanosql_ctc.families import CtcConfig
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import ThanosqlError

# Half a second at 16 kHz: the first batch of a shape costs up to 60 % more than the next of the same.
_SHAPE_SAMPLES = 8_000
_BATCH_SIZE = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class PaddedBatch:
    """A padded batch [b, t], the true length and the true frames of each row."""

    inputs_bt: npt.NDArray[np.float32]
    lengths_b: npt.NDArray[np.int64]
    frames: list[int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """The best label of each true frame of each row, and whether its logits were numbers."""

    labels: list[npt.NDArray[np.int64]]
    finite: list[bool]


class OpenVinoEngine:
    """Satisfies `ports.Engine`.

    Args:
        compiled: The model, for as many streams as the policy says.
        config: Of the model.
        options: How it was compiled, and what is asked of batches.
        size_bytes: Size of the parameters in memory.
    """

    def __init__(
        self, compiled: CompiledModel, config: CtcConfig, options: EngineOptions, size_bytes: int
    ) -> None:
        self._config = config
        self._shortest = receptive_field(config)
        self._dtype = options.dtype
        self._size_bytes = size_bytes
        self._policy = openvino_policy(options)
        self._requests: SimpleQueue[InferenceRequest] = SimpleQueue()
        for _ in range(self._policy.streams):
            self._requests.put(compiled.request())

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return f"openvino cpu {self._dtype}"

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        return self._size_bytes

    @property
    def policy(self) -> BatchPolicy:
        """Single recordings in parallel: what shares a batch pays for padding and gains nothing here."""
        return self._policy

    def prepare(self, windows: Sequence[Samples]) -> PaddedBatch:
        """Pad to half seconds, so that shapes come again, and to the shortest that the model takes."""
        lengths = [max(self._shortest, len(window)) for window in windows]
        padded = -(-max(lengths) // _SHAPE_SAMPLES) * _SHAPE_SAMPLES
        inputs = np.zeros((len(windows), padded), dtype=np.float32)
        for row, window in zip(inputs, windows, strict=True):
            row[: len(window)] = window
        return PaddedBatch(
            inputs_bt=inputs,
            lengths_b=np.array(lengths, dtype=np.int64),
            frames=[output_frames(self._config, length) for length in lengths],
        )

    def run(self, prepared: PaddedBatch) -> Labelled:
        """Compute logits and take the best label of each true frame."""
        with self.computed(prepared) as rows:
            return Labelled(
                labels=[row.argmax(axis=-1) for row in rows],
                finite=[bool(np.isfinite(row).all()) for row in rows],
            )

    def finish(self, raw: Labelled) -> list[list[int] | ThanosqlError]:
        """Give the labels; a row without numbers has INVALID_CHECKPOINT instead."""
        rows = zip(raw.labels, raw.finite, strict=True)
        return [labels.tolist() if finite else no_numbers() for labels, finite in rows]

    def logits(self, windows: Sequence[Samples]) -> list[Logits]:
        """Compute the logits of the true frames of each window of one batch, to compare them with torch's."""
        with self.computed(self.prepare(windows)) as rows:
            return [row.copy() for row in rows]

    @contextmanager
    def computed(self, prepared: PaddedBatch) -> Iterator[list[Logits]]:
        """Give the logits of the true frames; they are overwritten once the request is given back."""
        request = self._requests.get()
        try:
            logits_bfv = request.infer(prepared.inputs_bt, prepared.lengths_b)
            yield [row[:count] for row, count in zip(logits_bfv, prepared.frames, strict=True)]
        finally:
            self._requests.put(request)


def openvino_policy(options: EngineOptions) -> BatchPolicy:
    """A stream for each of two threads; with more, two threads a stream, for the sake of a lone caller."""
    streams = min(options.threads, 2) if options.threads < 4 else options.threads // 2
    return BatchPolicy(
        max_batch_size=options.max_batch_size or _BATCH_SIZE,
        max_queue_delay_s=options.max_queue_delay_s or 0.0,
        bucket_samples=_SHAPE_SAMPLES,
        pipeline_depth=streams + 1,  # the next is prepared while these run
        streams=streams,
    )
