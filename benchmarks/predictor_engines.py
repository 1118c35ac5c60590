"""The engines alone: decoded samples in, text out, through the threads that the service would use."""

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
from services.predictor.core.calibrating import Calibrator
from services.predictor.core.openvino_building import OpenVinoBuilder
from services.predictor.core.openvino_runtime import OpenVino
from services.predictor.core.ports import Engine
from services.predictor.core.torch_engine import TorchEngine
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.verification import BOUNDS
from thanosql_ctc.checkpoint import load_checkpoint, load_facts
from thanosql_ctc.greedy import greedy_decode
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_ctc.waveform import Samples, normalise_waveform
from thanosql_objects.directory import LocalDirectory
from thanosql_runtime.errors import ThanosqlError

Run = Callable[[], object]
BEST_ENGINE = "openvino cpu bfloat16"


def engine_runs(work: Work, folder: Path) -> dict[str, Run]:
    """Every engine and precision that this machine has, by its description."""
    files = folder / "converted"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(work.checkpoint, files)
    runtime = OpenVino()
    find_speech = Calibrator(LocalDirectory(work.workspace)).speech
    engines: list[Engine[Any, Any, list[int]]] = []
    for precision in ("float32", "bfloat16", "int8"):
        options = EngineOptions(dtype=precision, threads=torch.get_num_threads())
        if precision == "bfloat16" and not runtime.has_bfloat16:
            continue
        if precision != "int8":
            engines.append(TorchEngine(load_checkpoint(files).model, options))
        builder = OpenVinoBuilder(
            runtime=runtime,
            options=options,
            bounds=work.bounds or BOUNDS[precision],
            find_speech=find_speech,
        )
        engines.append(builder.build(files))
    vocabulary = load_facts(files).vocabulary
    return {engine.description: _transcribing(engine, vocabulary, work.by_length) for engine in engines}


def _transcribing(
    engine: Engine[Any, Any, list[int]], vocabulary: Vocabulary, waveforms: Sequence[Samples]
) -> Run:
    """In batches as large and as many at once as the engine wants."""
    size = engine.policy.max_batch_size
    batches = [waveforms[begin : begin + size] for begin in range(0, len(waveforms), size)]

    def transcribe(batch: Sequence[Samples]) -> list[str]:
        texts = []
        windows = [normalise_waveform(waveform) for waveform in batch]
        for answer in engine.finish(engine.run(engine.prepare(windows))):
            if isinstance(answer, ThanosqlError):
                raise answer
            texts.append(greedy_decode(answer, vocabulary))
        return texts

    def run() -> None:
        with ThreadPoolExecutor(engine.policy.streams) as pool:
            list(pool.map(transcribe, batches))

    return run


def pipeline_runs(work: Work, batch_sizes: Sequence[int]) -> dict[str, Run]:
    """The peer, with its batch sizes: decoded samples in, text out, in the same order."""
    recogniser = AutomaticSpeechRecognitionPipeline(
        model=Wav2Vec2ForCTC.from_pretrained(work.checkpoint, dtype=torch.float32),
        tokenizer=Wav2Vec2CTCTokenizer.from_pretrained(work.checkpoint),
        feature_extractor=Wav2Vec2FeatureExtractor.from_pretrained(work.checkpoint),
    )

    def transcribing(batch_size: int) -> Run:
        # Any: its types know single recordings alone.
        return lambda: list(cast("Any", recogniser)(list(work.by_length), batch_size=batch_size))

    return {f"pipeline batch {size}": transcribing(size) for size in batch_sizes}
