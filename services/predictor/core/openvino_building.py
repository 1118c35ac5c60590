"""From a model's files to an OpenVINO engine: converted once, compared with torch, compiled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import torch
from torch import Tensor, nn

from services.predictor.core.calibrating import CalibrationSpeech
from services.predictor.core.conversions import Conversion, Conversions
from services.predictor.core.openvino_engine import OpenVinoEngine, openvino_policy
from services.predictor.core.openvino_runtime import CompiledModel, OpenVino
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.verification import Bounds, VerificationError, verify
from thanosql_ctc.checkpoint import Checkpoint, load_checkpoint, load_facts
from thanosql_ctc.quantising import input_ranges, rounded
from thanosql_ctc.traceable_forward import TraceableForward
from thanosql_ctc.waveform import Samples

_log = structlog.get_logger("openvino")
_EXAMPLE_SAMPLES = 16_000
INT8 = "int8"

FindSpeech = Callable[[Path, Checkpoint], CalibrationSpeech]
"""Finds what a model in a folder may be rounded by."""


@dataclass(frozen=True, kw_only=True)
class OpenVinoBuilder:
    """Builds engines of one runtime.

    Attributes:
        runtime: OpenVINO.
        options: How to compute, with a dtype that the processor has, or `int8`.
        bounds: How far an engine may be from torch.
        find_speech: For int8.
    """

    runtime: OpenVino
    options: EngineOptions
    bounds: Bounds
    find_speech: FindSpeech

    def build(self, files: Path) -> OpenVinoEngine:
        """Build the engine of the model whose files are in a folder; the caller holds its lock.

        Raises:
            VerificationError: It hears something else than torch.
            ThanosqlError: INVALID_CHECKPOINT.
        """
        rounds = self.options.dtype == INT8
        conversions = Conversions(self.runtime.version, f"-{INT8}" if rounds else "")
        conversion = conversions.find(files)
        proof = f"{self.options.dtype} on {self.runtime.processor}"
        if rounds:  # what it must agree in is a setting
            proof += f" in {self.bounds.same_labels:g} of the frames"
        if conversion is not None and proof in conversion.refused:
            raise VerificationError(conversion.refused[proof])
        checkpoint: Checkpoint | None = None
        speech: CalibrationSpeech | None = None
        if conversion is None or proof not in conversion.verified:
            checkpoint = load_checkpoint(files)
            speech = self.find_speech(files, checkpoint) if rounds else None
        if conversion is None:
            assert checkpoint is not None
            conversion = self._convert(conversions, files, _traceable(checkpoint, speech))
        compiled = self._compile(conversion)
        if checkpoint is not None:
            try:
                self._verify(compiled, checkpoint, speech)
            except VerificationError as refusal:
                _keep_refusal(conversions, conversion, proof, speech, str(refusal))
                raise
            conversions.mark_verified(conversion, proof)
        return self._engine(compiled, files, conversion)

    def _convert(self, conversions: Conversions, files: Path, forward: nn.Module) -> Conversion:
        waveforms = torch.randn(2, _EXAMPLE_SAMPLES, generator=torch.Generator().manual_seed(0))
        lengths = torch.tensor([_EXAMPLE_SAMPLES, _EXAMPLE_SAMPLES * 3 // 4])
        conversion = conversions.make(
            files, lambda path: self.runtime.convert(forward, (waveforms, lengths), path)
        )
        _log.info("model converted", folder=conversion.folder.name, openvino=self.runtime.version)
        return conversion

    def _compile(self, conversion: Conversion) -> CompiledModel:
        streams = openvino_policy(self.options).streams
        return self.runtime.compile(conversion.graph, self.options.dtype, streams, self.options.threads)

    def _verify(
        self, compiled: CompiledModel, checkpoint: Checkpoint, speech: CalibrationSpeech | None
    ) -> None:
        engine = OpenVinoEngine(compiled, checkpoint.config, self.options, 0)
        verify(checkpoint, engine.logits, self.bounds, speech.unseen if speech else None)

    def _engine(self, compiled: CompiledModel, files: Path, conversion: Conversion) -> OpenVinoEngine:
        # What is rounded is kept in its own size.
        parts = 2 if self.options.dtype == "bfloat16" else 1
        size_bytes = conversion.weights_bytes // parts
        return OpenVinoEngine(compiled, load_facts(files).config, self.options, size_bytes)


def _keep_refusal(
    conversions: Conversions, conversion: Conversion, proof: str, speech: CalibrationSpeech | None, why: str
) -> None:
    """Judge what was rounded once; what was rounded by less than there may be is made anew next time."""
    if speech is None:
        return
    if speech.is_whole:
        conversions.mark_refused(conversion, proof, why)
    else:
        conversions.remove(conversion)


def _traceable(checkpoint: Checkpoint, speech: CalibrationSpeech | None) -> nn.Module:
    forward = TraceableForward(checkpoint.model)
    if speech is None:
        return forward
    return rounded(forward, input_ranges(forward, (nn.Linear,), _examples(speech.seen)))


def _examples(waveforms: Sequence[Samples]) -> list[tuple[Tensor, Tensor]]:
    return [(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)])) for waveform in waveforms]
