"""From a model's files to an OpenVINO engine: converted once, compared with torch, compiled."""

from dataclasses import dataclass
from pathlib import Path

import structlog
import torch

from services.predictor.core.conversions import Conversion, Conversions
from services.predictor.core.openvino_engine import OpenVinoEngine, openvino_policy
from services.predictor.core.openvino_runtime import CompiledModel, OpenVino
from services.predictor.core.torch_engine import EngineOptions
from services.predictor.core.verification import BOUNDS, verify
from thanosql_ctc.checkpoint import Checkpoint, load_checkpoint, load_facts
from thanosql_ctc.traceable_forward import TraceableForward

_log = structlog.get_logger("openvino")
_EXAMPLE_SAMPLES = 16_000


@dataclass(frozen=True, kw_only=True)
class OpenVinoBuilder:
    """Builds engines of one runtime.

    Attributes:
        runtime: OpenVINO.
        options: How to compute, with a dtype that the processor has.
    """

    runtime: OpenVino
    options: EngineOptions

    def build(self, files: Path) -> OpenVinoEngine:
        """Build the engine of the model whose files are in a folder; the caller holds its lock.

        Raises:
            VerificationError: It hears something else than torch.
            ThanosqlError: INVALID_CHECKPOINT.
        """
        conversions = Conversions(self.runtime.version)
        conversion = conversions.find(files)
        proof = f"{self.options.dtype} on {self.runtime.processor}"
        checkpoint: Checkpoint | None = None
        if conversion is None or proof not in conversion.verified:
            checkpoint = load_checkpoint(files)
        if conversion is None:
            assert checkpoint is not None
            conversion = self._convert(conversions, files, checkpoint)
        compiled = self._compile(conversion)
        if checkpoint is not None:
            self._verify(compiled, checkpoint)
            conversions.mark_verified(conversion, proof)
        return self._engine(compiled, files, conversion)

    def _convert(self, conversions: Conversions, files: Path, checkpoint: Checkpoint) -> Conversion:
        forward = TraceableForward(checkpoint.model)
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

    def _verify(self, compiled: CompiledModel, checkpoint: Checkpoint) -> None:
        engine = OpenVinoEngine(compiled, checkpoint.config, self.options, 0)
        verify(checkpoint, engine.logits, BOUNDS[self.options.dtype])

    def _engine(self, compiled: CompiledModel, files: Path, conversion: Conversion) -> OpenVinoEngine:
        parts = {"float32": 1, "bfloat16": 2}[self.options.dtype]
        size_bytes = conversion.weights_bytes // parts
        return OpenVinoEngine(compiled, load_facts(files).config, self.options, size_bytes)
