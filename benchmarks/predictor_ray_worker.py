"""Ray Serve with its dynamic batching around the same torch model; run by an interpreter that has Ray.

    python benchmarks/predictor_ray_worker.py '{"checkpoint": "...", "paths": ["..."], "threads": 2}'

Every line on standard input is answered, after all recordings were transcribed, with a line of seconds.
"""

import asyncio
import json
import sys
import time
from typing import Any

import soundfile
import torch
from ray import serve
from transformers import (
    AutomaticSpeechRecognitionPipeline,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

_BATCH_SIZE = 8
_WAIT_S = 0.01
_ANSWER = "seconds "


class Recogniser:
    """The deployment: files in, text out, in batches as they come."""

    def __init__(self, checkpoint: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._recogniser = AutomaticSpeechRecognitionPipeline(
            model=Wav2Vec2ForCTC.from_pretrained(checkpoint, dtype=torch.float32),
            tokenizer=Wav2Vec2CTCTokenizer.from_pretrained(checkpoint),
            feature_extractor=Wav2Vec2FeatureExtractor.from_pretrained(checkpoint),
        )

    @serve.batch(max_batch_size=_BATCH_SIZE, batch_wait_timeout_s=_WAIT_S)  # type: ignore[untyped-decorator]
    async def transcribe(self, paths: list[str]) -> list[str]:
        """Transcribe what came together."""
        waveforms = [soundfile.read(path, dtype="float32")[0] for path in paths]
        # Any: its types know single recordings alone.
        recogniser: Any = self._recogniser
        return [answer["text"] for answer in recogniser(waveforms, batch_size=len(waveforms))]

    async def __call__(self, path: str) -> str:
        """Transcribe one recording."""
        text: str = await self.transcribe(path)
        return text


def main() -> None:
    """Serve until standard input ends."""
    asked = json.loads(sys.argv[1])
    deployment: Any = serve.deployment(
        Recogniser, max_ongoing_requests=64
    )  # Any: Ray's types are not checked
    handle: Any = serve.run(deployment.bind(asked["checkpoint"], asked["threads"]))

    async def transcribe_all() -> None:
        await asyncio.gather(*(handle.remote(path) for path in asked["paths"]))

    for _ in sys.stdin:
        begun_s = time.perf_counter()
        asyncio.run(transcribe_all())
        print(f"{_ANSWER}{time.perf_counter() - begun_s}", flush=True)
    serve.shutdown()


if __name__ == "__main__":
    main()
