"""Which engine computes a model: the one that was asked for, or torch where that one cannot be had."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from services.predictor.core.acoustics import Acoustics, Hearing
from services.predictor.core.artefact_cache import ArtefactCache
from services.predictor.core.loaded_model import Engines
from services.predictor.core.on_demand_embedder import OnDemandEmbedder
from services.predictor.core.openvino_building import OpenVinoBuilder
from services.predictor.core.openvino_engine import OpenVinoEngine
from services.predictor.core.openvino_runtime import OpenVino
from services.predictor.core.openvino_scorer import OpenVinoScorer
from services.predictor.core.ports import Engine
from services.predictor.core.torch_embedder import TorchEmbedder
from services.predictor.core.torch_engine import EngineOptions, TorchEngine
from services.predictor.core.torch_scorer import TorchScorer
from services.predictor.core.types import ModelRecord
from thanosql_ctc.checkpoint import load_checkpoint, load_facts
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("engines")
_WARM_UP_S = 2.0


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """What was asked for.

    Attributes:
        engine: `torch` or `openvino`.
        dtype: `float32`, `bfloat16`, or `auto` for what suits engine and processor.
        options: How torch computes, and what is asked of batches.
    """

    engine: str
    dtype: str
    options: EngineOptions


@dataclass(frozen=True, kw_only=True, eq=False)
class Built:
    """The engines of a model, warm, and what is done before and after them."""

    engines: Engines
    acoustics: Acoustics


class EngineBuilder:
    """Builds the engines of a model; blocking, one model at a time.

    Args:
        cache: The files of models.
        choice: What was asked for.
        hearing: Limits of every model.
        open_runtime: Gives OpenVINO; raises where it cannot be had.
    """

    def __init__(
        self,
        cache: ArtefactCache,
        choice: EngineChoice,
        hearing: Hearing,
        open_runtime: Callable[[], OpenVino] = OpenVino,
    ) -> None:
        self._cache = cache
        self._choice = choice
        self._hearing = hearing
        self._open_runtime = open_runtime

    def build(self, record: ModelRecord) -> Built:
        """Fetch and verify the files of a version, and build from them.

        Raises:
            ThanosqlError: CHECKSUM_MISMATCH, INVALID_CHECKPOINT, or what the store raises.
        """
        with self._cache.opened(record) as files:
            acoustics = Acoustics.of(load_facts(files), self._hearing)
            engines = self._engines(record, files, acoustics.sample_rate_hz)
        return Built(engines=engines, acoustics=acoustics)

    def _engines(self, record: ModelRecord, files: Path, rate_hz: int) -> Engines:
        notice = ""
        if self._choice.engine == "openvino":
            try:
                labels, notice = self._through_openvino(record, files, rate_hz)
                frames = OnDemandEmbedder(partial(self._load_embedder, record), self._choice.options)
                return Engines(
                    labels=labels,
                    scores=OpenVinoScorer(labels),
                    frames=frames,
                    read_frames=frames.read,
                    notice=notice,
                )
            except ThanosqlError:
                raise  # the model's own fault: torch would not take it either
            except Exception as failure:  # noqa: BLE001 - whatever the runtime raises, torch can serve
                notice = f"torch serves in place of OpenVINO: {failure}"
                _log.warning("torch serves", model=record.name, version=record.version, problem=str(failure))
        engine = TorchEngine(load_checkpoint(files).model, self._choice.options)
        _warm_up(engine, rate_hz)
        return Engines(labels=engine, scores=TorchScorer(engine), frames=TorchEmbedder(engine), notice=notice)

    def _through_openvino(self, record: ModelRecord, files: Path, rate_hz: int) -> tuple[OpenVinoEngine, str]:
        """The engine, warm, and why it has another precision than the one asked for."""
        runtime = self._open_runtime()
        dtype, notice = _fitting(self._choice.dtype, runtime)
        if dtype != "float32":
            try:
                return self._in_precision(dtype, runtime, files, rate_hz), notice
            except ThanosqlError:
                raise
            except Exception as failure:  # noqa: BLE001 - what fails in it may do in float32
                notice = f"float32 serves in place of {dtype}: {failure}"
                _log.warning(
                    "float32 serves", model=record.name, version=record.version, problem=str(failure)
                )
        return self._in_precision("float32", runtime, files, rate_hz), notice

    def _in_precision(self, dtype: str, runtime: OpenVino, files: Path, rate_hz: int) -> OpenVinoEngine:
        options = replace(self._choice.options, dtype=dtype)
        engine = OpenVinoBuilder(runtime=runtime, options=options).build(files)
        try:
            _warm_up(engine, rate_hz)
        except ThanosqlError as failure:  # torch says whether that is the model's own fault
            raise RuntimeError(failure.message) from failure
        return engine

    def _load_embedder(self, record: ModelRecord) -> TorchEmbedder:
        with self._cache.opened(record) as files:
            model = load_checkpoint(files).model
        return TorchEmbedder(TorchEngine(model, self._choice.options))


def _fitting(dtype: str, runtime: OpenVino) -> tuple[str, str]:
    """The precision that serves, and why it is not the one asked for."""
    if dtype == "bfloat16" and not runtime.has_bfloat16:
        return "float32", f"float32 serves in place of bfloat16, which {runtime.processor} does not have"
    if dtype == "auto":
        return ("bfloat16" if runtime.has_bfloat16 else "float32"), ""
    return dtype, ""


def _warm_up(engine: Engine[Any, Any, list[int]], rate_hz: int) -> None:
    silence = np.zeros(round(_WARM_UP_S * rate_hz), dtype=np.float32)
    for _stream in range(engine.policy.streams):
        for answer in engine.finish(engine.run(engine.prepare([silence]))):
            if isinstance(answer, ThanosqlError):
                raise answer
