"""Recordings into vectors: alone and in company, short, long, silent, broken."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
import torch

from services.predictor.core.acoustics import Acoustics, Hearing
from services.predictor.core.clock import SystemClock
from services.predictor.core.loaded_model import Engines, LoadedModel, Vector
from services.predictor.core.on_demand_embedder import OnDemandEmbedder
from services.predictor.core.statistics import Counters
from services.predictor.core.torch_embedder import TorchEmbedder, embedding_layer
from services.predictor.core.torch_engine import TorchEngine
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.torch_scorer import TorchScorer
from services.predictor.core.types import ModelRecord
from tests.fakes.predictor_checkpoints import tiny_model, tiny_vocabulary
from tests.fakes.predictor_storage import babble
from thanosql_ctc.batch_invariant import lower_encoder, padded_hidden
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_ctc.waveform import Samples, normalise_waveform
from thanosql_runtime.errors import Reason, ThanosqlError


def sound(seconds: float) -> Samples:
    return np.ascontiguousarray(babble(seconds)[:, 0])


def loaded(
    norm: str = "group",
    batch: int = 1,
    hearing: Hearing | None = None,
    frames: OnDemandEmbedder | None = None,
    read_frames: Callable[[], None] | None = None,
) -> LoadedModel:
    checkpoint = Checkpoint(
        model=tiny_model(norm), vocabulary=tiny_vocabulary(), sample_rate_hz=16_000, do_normalize=True
    )
    heard = hearing or Hearing()
    options = EngineOptions(max_batch_size=batch, max_queue_delay_s=30.0 if batch > 1 else None)
    engine = TorchEngine(checkpoint.model, options)
    return LoadedModel(
        record=ModelRecord(name="tiny", version=1, artefacts=()),
        engines=Engines(
            labels=engine,
            scores=TorchScorer(engine),
            frames=frames or TorchEmbedder(engine),
            read_frames=read_frames,
        ),
        acoustics=Acoustics.of(checkpoint, heard),
        hearing=heard,
        clock=SystemClock(),
        counters=Counters(),
    )


@pytest.fixture
async def model() -> AsyncIterator[LoadedModel]:
    made = loaded()
    yield made
    await made.close()


async def test_a_vector_is_the_mean_of_the_layer_scaled_to_length_one(model: LoadedModel) -> None:
    samples = sound(1.5)
    vector = await model.embed(samples)
    network = tiny_model()
    heard = np.ascontiguousarray(normalise_waveform(samples))[None]
    with torch.inference_mode():
        inputs_bt = torch.from_numpy(heard)
        encoder = lower_encoder(network, embedding_layer(2))
        hidden_bfh, _frames = padded_hidden(network, encoder, inputs_bt, [len(samples)])
    mean = hidden_bfh[0].double().mean(dim=0).numpy()
    assert vector.dtype == np.float32
    assert vector.shape == (model.dimension,) == (32,)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize("norm", ["group", "layer"])
async def test_a_recording_in_a_batch_has_the_vector_that_it_has_alone(norm: str) -> None:
    lengths = [0.5, 1.9, 0.8, 1.4]
    alone, batched = loaded(norm), loaded(norm, batch=4)
    together = await asyncio.gather(*(batched.embed(sound(length)) for length in lengths))
    assert batched.counters.batches == 1
    for vector, length in zip(together, lengths, strict=True):
        np.testing.assert_allclose(vector, await alone.embed(sound(length)), atol=2e-6)
    await alone.close()
    await batched.close()


async def test_the_lower_encoder_leaves_the_model_as_it_was() -> None:
    network = tiny_model("layer")
    before = list(network.state_dict())
    lower = lower_encoder(network, 1)
    assert list(network.state_dict()) == before
    assert len(network.wav2vec2.encoder.layers) == 2
    assert len(lower.layers) == 1


async def test_a_long_recording_is_near_to_itself_in_one_window() -> None:
    short_windows = loaded(hearing=Hearing(window_s=2.0, overlap_s=0.5))
    whole = loaded()
    samples = sound(7.3)
    parts = await short_windows.embed(samples)
    assert short_windows.counters.batches > 3
    assert _cosine(parts, await whole.embed(samples)) > 0.98
    await short_windows.close()
    await whole.close()


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(16_000, dtype=np.float32), Reason.AUDIO_EMPTY),
        (np.full(16_000, 0.25, dtype=np.float32), Reason.AUDIO_EMPTY),
        (sound(0.019), Reason.AUDIO_TOO_SHORT),
        (np.zeros(0, dtype=np.float32), Reason.AUDIO_TOO_SHORT),
    ],
)
async def test_what_holds_no_sound_has_a_reason_and_no_vector(
    model: LoadedModel, samples: Samples, reason: Reason
) -> None:
    with pytest.raises(ThanosqlError) as caught:
        await model.embed(samples)
    assert caught.value.reason is reason
    assert model.counters.batches == 0


async def test_a_clip_shorter_than_a_frame_of_the_model_has_a_vector(model: LoadedModel) -> None:
    vector = await model.embed(sound(0.021))
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-6)


async def test_silence_between_sounds_does_not_count() -> None:
    model = loaded(hearing=Hearing(window_s=1.0, overlap_s=0.1))
    samples = np.concatenate([sound(1.0), np.zeros(160_000, dtype=np.float32)])
    await model.embed(samples)
    assert model.counters.batches < 4
    await model.close()


async def test_transcripts_go_on_while_the_weights_for_embeddings_are_read() -> None:
    begun, may_end, options = threading.Event(), threading.Event(), EngineOptions()

    def load() -> TorchEmbedder:
        begun.set()
        assert may_end.wait(30)
        return TorchEmbedder(TorchEngine(tiny_model(), options))

    frames = OnDemandEmbedder(load, options)
    model = loaded(frames=frames, read_frames=frames.read)
    first, second = (asyncio.ensure_future(model.embed(sound(0.5))) for _ in range(2))
    assert await asyncio.to_thread(begun.wait, 30)
    await asyncio.wait_for(model.transcribe(sound(0.5)), 30)
    assert not first.done()
    may_end.set()
    np.testing.assert_array_equal(await first, await second)
    await model.close()


async def test_weights_that_cannot_be_read_fail_the_embedding_and_are_tried_again() -> None:
    options = EngineOptions()
    tries = iter([OSError("the disk is gone"), TorchEmbedder(TorchEngine(tiny_model(), options))])

    def load() -> TorchEmbedder:
        if isinstance(found := next(tries), OSError):
            raise found
        return found

    frames = OnDemandEmbedder(load, options)
    model = loaded(frames=frames, read_frames=frames.read)
    with pytest.raises(OSError, match="the disk is gone"):
        await model.embed(sound(0.5))
    assert len(await model.embed(sound(0.5))) == model.dimension
    await model.close()


async def test_a_model_without_numbers_fails_the_recording_alone() -> None:
    network = tiny_model()
    network.wav2vec2.encoder.layers[0].final_layer_norm.weight.data.fill_(float("nan"))
    embedder = TorchEmbedder(TorchEngine(network, EngineOptions()))
    (failure,) = embedder.finish(embedder.run(embedder.prepare([sound(0.5)])))
    assert isinstance(failure, ThanosqlError)
    assert failure.reason is Reason.INVALID_CHECKPOINT


@pytest.mark.parametrize(("layers", "layer"), [(1, 1), (2, 2), (8, 6), (12, 9), (24, 18)])
def test_the_layer_lies_three_quarters_up(layers: int, layer: int) -> None:
    assert embedding_layer(layers) == layer


def _cosine(left: Vector, right: Vector) -> float:
    return float(left.astype(np.float64) @ right.astype(np.float64))
