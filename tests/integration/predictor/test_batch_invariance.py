"""A recording gets the same transcript alone and in any batch, on both engines, with the bundled model."""

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from services.predictor.core.calibrating import CalibrationSpeech
from services.predictor.core.openvino_building import OpenVinoBuilder
from services.predictor.core.openvino_runtime import OpenVino
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.verification import BOUNDS, Logits
from tests.deployment import ROOT
from thanosql_audio.decoding import decode
from thanosql_ctc.batch_invariant import batch_logits
from thanosql_ctc.checkpoint import Checkpoint, load_checkpoint
from thanosql_ctc.greedy import greedy_decode
from thanosql_ctc.waveform import Samples, normalise_waveform

BUNDLED = ROOT / "models" / "wav2vec2_en_small"
EXAMPLES = ROOT / "examples"
TABLE = EXAMPLES / "tutorial_data" / "librispeech_data" / "librispeech_test.csv"
FLOAT32 = EngineOptions(dtype="float32", threads=2)
NOISE = 1e-4
"""Part of the logits' own length: sums of floats taken in another order."""

_FAR = 10
"""How much more than the noise of one logit is more than noise: that of all of them is its mean."""

Infer = Callable[[Sequence[Samples]], Sequence[Logits]]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(BUNDLED)


@pytest.fixture(scope="module")
def recordings() -> list[Samples]:
    """64 recordings of mixed length: the table's, every fourth cut short."""
    with TABLE.open(encoding="utf-8") as file:
        paths = [EXAMPLES / row["audio_path"] for row in csv.DictReader(file)]
    sounds = []
    for number, path in enumerate(paths):
        with path.open("rb") as content:
            samples = decode(content).samples
        sounds.append(normalise_waveform(samples[: 400 + 97 * number] if number % 4 == 0 else samples))
    assert len(sounds) == 64
    return sounds


def no_speech(_files: Path, _checkpoint: Checkpoint) -> CalibrationSpeech:
    raise AssertionError("nothing is rounded in float32")


@pytest.fixture(scope="module", params=["torch", "openvino"])
def infer(
    request: pytest.FixtureRequest, checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> Infer:
    if request.param == "torch":
        return lambda sounds: [logits.numpy() for logits in batch_logits(checkpoint.model, sounds)]
    files = tmp_path_factory.mktemp("models") / "bundled"
    shutil.copytree(BUNDLED, files)
    builder = OpenVinoBuilder(
        runtime=OpenVino(), options=FLOAT32, bounds=BOUNDS["float32"], find_speech=no_speech
    )
    return builder.build(files).logits


@pytest.fixture(scope="module")
def alone(infer: Infer, recordings: list[Samples]) -> list[Logits]:
    return [infer([sound])[0] for sound in recordings]


def sizes(which: str, count: int) -> Iterator[int]:
    """How many go together, until all have gone."""
    generator = np.random.default_rng(7)
    while count > 0:
        size = int(generator.integers(1, 17)) if which == "random" else int(which)
        yield min(size, count)
        count -= size


@pytest.mark.parametrize("together", ["2", "8", "32", "random"])
def test_a_recording_gives_the_same_in_any_company(
    together: str, infer: Infer, alone: list[Logits], recordings: list[Samples], checkpoint: Checkpoint
) -> None:
    order = np.random.default_rng(3).permutation(len(recordings))
    begin = texts = 0
    for size in sizes(together, len(recordings)):
        members = order[begin : begin + size]
        begin += size
        answers = infer([recordings[member] for member in members])
        for member, logits in zip(members, answers, strict=True):
            assert logits.shape == alone[member].shape
            difference = float(np.linalg.norm(logits - alone[member]) / np.linalg.norm(alone[member]))
            assert difference < NOISE
            sure = is_sure(alone[member])
            assert (logits.argmax(axis=-1) == alone[member].argmax(axis=-1))[sure].all()
            if sure.all():
                assert text(checkpoint, logits) == text(checkpoint, alone[member])
                texts += 1
    assert begin == len(recordings)
    assert texts > len(recordings) // 2


def is_sure(logits: Logits) -> npt.NDArray[np.bool_]:
    """Of each frame, whether noise leaves its best label the best, on a processor that adds otherwise too."""
    second, best = np.sort(logits, axis=-1)[:, -2:].T
    noise = NOISE * float(np.linalg.norm(logits)) / np.sqrt(logits.size)
    return best - second > _FAR * noise


def text(checkpoint: Checkpoint, logits: Logits) -> str:
    return greedy_decode(logits.argmax(axis=-1).tolist(), checkpoint.vocabulary)
