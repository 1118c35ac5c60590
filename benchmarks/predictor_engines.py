"""The engines alone: decoded samples in, labels out, through the threads that the service would use."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutomaticSpeechRecognitionPipeline,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

from benchmarks.predictor_work import Work
from services.predictor.core.openvino_building import OpenVinoBuilder
from services.predictor.core.openvino_runtime import OpenVino
from services.predictor.core.ports import Engine
from services.predictor.core.torch_engine import EngineOptions, TorchEngine
from thanosql_ctc.checkpoint import load_checkpoint
from thanosql_ctc.waveform import Samples, normalise_waveform
from thanosql_runtime.errors import ThanosqlError

Run = Callable[[], object]


def engine_runs(work: Work, folder: Path) -> dict[str, Run]:
    """Every engine and precision that this machine has, by its description."""
    files = folder / "converted"
    shutil.copytree(work.checkpoint, files)
    runtime = OpenVino()
    dtypes = ["float32", "bfloat16"] if runtime.has_bfloat16 else ["float32"]
    windows = [normalise_waveform(waveform) for waveform in work.waveforms]
    engines: list[Engine[Any, Any, list[int]]] = []
    for dtype in dtypes:
        options = EngineOptions(dtype=dtype, threads=torch.get_num_threads())
        engines.append(TorchEngine(load_checkpoint(files).model, options))
        engines.append(OpenVinoBuilder(runtime=runtime, options=options).build(files))
    return {engine.description: _transcribing(engine, windows) for engine in engines}


def _transcribing(engine: Engine[Any, Any, list[int]], windows: Sequence[Samples]) -> Run:
    """By length, in batches as large and as many at once as the engine wants."""
    ordered = sorted(windows, key=len)
    size = engine.policy.max_batch_size
    batches = [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]

    def label(batch: Sequence[Samples]) -> None:
        for answer in engine.finish(engine.run(engine.prepare(batch))):
            if isinstance(answer, ThanosqlError):
                raise answer

    def run() -> None:
        with ThreadPoolExecutor(engine.policy.streams) as pool:
            list(pool.map(label, batches))

    return run


def pipeline_runs(work: Work) -> dict[str, Run]:
    """The peer, with its batch sizes: decoded samples in, text out, in the order of the table."""
    recogniser = AutomaticSpeechRecognitionPipeline(
        model=Wav2Vec2ForCTC.from_pretrained(work.checkpoint, dtype=torch.float32),
        tokenizer=Wav2Vec2CTCTokenizer.from_pretrained(work.checkpoint),
        feature_extractor=Wav2Vec2FeatureExtractor.from_pretrained(work.checkpoint),
    )

    def transcribing(batch_size: int) -> Run:
        # Any: its types know single recordings alone.
        return lambda: list(cast("Any", recogniser)(list(work.waveforms), batch_size=batch_size))

    return {f"pipeline batch {size}": transcribing(size) for size in (1, 8)}
