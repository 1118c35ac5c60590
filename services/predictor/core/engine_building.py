"""Which engine computes a model: the one that was asked for, or torch where that one cannot be had."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from services.predictor.core.acoustics import Acoustics, Hearing
from services.predictor.core.artefact_cache import ArtefactCache
from services.predictor.core.loaded_model import Engines
from services.predictor.core.on_demand_embedder import OnDemandEmbedder
from services.predictor.core.openvino_building import INT8, FindSpeech, OpenVinoBuilder
from services.predictor.core.openvino_engine import OpenVinoEngine
from services.predictor.core.openvino_runtime import OpenVino, OpenVinoUnavailable
from services.predictor.core.openvino_scorer import OpenVinoScorer
from services.predictor.core.ports import Engine
from services.predictor.core.torch_embedder import TorchEmbedder
from services.predictor.core.torch_engine import TorchEngine
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.torch_scorer import TorchScorer
from services.predictor.core.types import ModelRecord
from services.predictor.core.verification import BOUNDS
from thanosql_ctc.checkpoint import load_checkpoint, load_facts
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("engines")
_WARM_UP_S = 2.0
AUTO = "auto"
_PRECISIONS = (INT8, "bfloat16", "float32")
"""Where one fails the next is tried."""


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """What was asked for.

    Attributes:
        engine: `torch` or `openvino`.
        precision: `float32`, `bfloat16`, `int8`, or `auto` for what suits engine and processor; a model whose
            record names one is computed in that.
        options: How torch computes, and what is asked of batches.
        int8_agreement: Part of the frames in which int8 must hear what torch hears.
    """

    engine: str
    precision: str
    options: EngineOptions
    int8_agreement: float = BOUNDS[INT8].same_labels


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
        find_speech: Finds what a model may be rounded by.
        open_runtime: Gives OpenVINO; raises where it cannot be had.
    """

    def __init__(
        self,
        cache: ArtefactCache,
        choice: EngineChoice,
        hearing: Hearing,
        find_speech: FindSpeech,
        open_runtime: Callable[[], OpenVino] = OpenVino,
    ) -> None:
        self._cache = cache
        self._choice = choice
        self._hearing = hearing
        self._find_speech = find_speech
        self._open_runtime = open_runtime

    def settle(self, precision: str) -> str:
        """Say in which precision a model shall compute, for which this one was asked; empty for any."""
        asked = precision or self._choice.precision
        return asked if asked != AUTO else self._suiting

    @cached_property
    def _suiting(self) -> str:
        if self._choice.engine == "torch":
            return self._choice.options.dtype
        try:
            return "bfloat16" if self._open_runtime().has_bfloat16 else "float32"
        except OpenVinoUnavailable:
            return self._choice.options.dtype

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
        precision = self.settle(record.precision)
        notice = ""
        if self._choice.engine == "openvino":
            try:
                labels, notice = self._through_openvino(precision, record, files, rate_hz)
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
        options = self._choice.options
        if self._choice.engine == "torch" and precision == INT8:
            notice = f"{options.dtype} serves in place of int8, for which OpenVINO is needed"
        elif self._choice.engine == "torch" or precision == "float32":
            options = replace(options, dtype=precision)
        elif options.dtype != precision:
            notice += f"; it computes in {options.dtype} in place of {precision}"
        engine = TorchEngine(load_checkpoint(files).model, options)
        _warm_up(engine, rate_hz)
        return Engines(labels=engine, scores=TorchScorer(engine), frames=TorchEmbedder(engine), notice=notice)

    def _through_openvino(
        self, asked: str, record: ModelRecord, files: Path, rate_hz: int
    ) -> tuple[OpenVinoEngine, str]:
        """The engine, warm, and why it has another precision than the one asked for."""
        runtime = self._open_runtime()
        problems: list[str] = []
        for precision in _PRECISIONS[_PRECISIONS.index(asked) : -1]:
            if precision == "bfloat16" and not runtime.has_bfloat16:
                problems.append(f"{runtime.processor} has no bfloat16")
                continue
            try:
                engine = self._in_precision(precision, runtime, files, rate_hz)
            except ThanosqlError:
                raise
            except Exception as failure:  # noqa: BLE001 - what fails in it may do in the next
                problems.append(str(failure) if precision == asked else f"in {precision} {failure}")
                _log.warning(
                    "precision refused",
                    model=record.name,
                    version=record.version,
                    precision=precision,
                    problem=str(failure),
                )
            else:
                return engine, _instead(precision, asked, problems)
        return self._in_precision("float32", runtime, files, rate_hz), _instead("float32", asked, problems)

    def _in_precision(self, precision: str, runtime: OpenVino, files: Path, rate_hz: int) -> OpenVinoEngine:
        bounds = BOUNDS[precision]
        if precision == INT8:
            bounds = replace(bounds, same_labels=self._choice.int8_agreement)
        engine = OpenVinoBuilder(
            runtime=runtime,
            options=replace(self._choice.options, dtype=precision),
            bounds=bounds,
            find_speech=self._find_speech,
        ).build(files)
        try:
            _warm_up(engine, rate_hz)
        except ThanosqlError as failure:  # torch says whether that is the model's own fault
            raise RuntimeError(failure.message) from failure
        return engine

    def _load_embedder(self, record: ModelRecord) -> TorchEmbedder:
        with self._cache.opened(record) as files:
            model = load_checkpoint(files).model
        return TorchEmbedder(TorchEngine(model, self._choice.options))


def _instead(precision: str, asked: str, problems: Sequence[str]) -> str:
    """Why a precision serves; empty where it was asked for."""
    return "" if precision == asked else f"{precision} serves in place of {asked}: {'; '.join(problems)}"


def _warm_up(engine: Engine[Any, Any, list[int]], rate_hz: int) -> None:
    silence = np.zeros(round(_WARM_UP_S * rate_hz), dtype=np.float32)
    for _stream in range(engine.policy.streams):
        for answer in engine.finish(engine.run(engine.prepare([silence]))):
            if isinstance(answer, ThanosqlError):
                raise answer
