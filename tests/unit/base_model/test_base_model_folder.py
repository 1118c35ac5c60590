"""The bundled checkpoint loads like any other in Hugging Face layout, and it recognises speech."""

import csv
import json
from pathlib import Path

import jiwer
import pytest
import soundfile as sf
import torch
from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

from scripts.base_model import letters, network, publishing
from thanosql_ctc.batch_invariant import padded_forward

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "models" / "wav2vec2_en_small"


@pytest.fixture(scope="module")
def bundled() -> Wav2Vec2ForCTC:
    model: Wav2Vec2ForCTC = Wav2Vec2ForCTC.from_pretrained(FOLDER, local_files_only=True)
    model.train(False)
    return model


def test_bundled_model_stays_within_its_limits(bundled: Wav2Vec2ForCTC) -> None:
    assert sum(weight.numel() for weight in bundled.parameters()) <= 12_000_000
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 25_000_000
    assert bundled.dtype == torch.float32


def test_bundled_vocabulary_has_the_blank_first_and_every_letter() -> None:
    vocabulary = json.loads((FOLDER / "vocab.json").read_text(encoding="utf-8"))
    assert vocabulary["<pad>"] == 0
    assert vocabulary["|"] == 4
    assert sorted(vocabulary.values()) == list(range(32))
    assert set("ABCDEFGHIJKLMNOPQRSTUVWXYZ'") <= set(vocabulary)


def test_bundled_model_reads_a_recording_of_the_tutorial(bundled: Wav2Vec2ForCTC) -> None:
    processor = Wav2Vec2Processor.from_pretrained(FOLDER, local_files_only=True)
    examples = ROOT / "examples"
    with (examples / "tutorial_data/librispeech_data/librispeech_test.csv").open(encoding="utf-8") as lines:
        rows = [
            row for row in csv.DictReader(lines) if sf.info(examples / row["audio_path"]).samplerate == 16000
        ][:6]
    heard = []
    for row in rows:
        samples, rate_hz = sf.read(examples / row["audio_path"], dtype="float32")
        with torch.inference_mode():
            logits = bundled(**processor(samples, sampling_rate=rate_hz, return_tensors="pt")).logits
        heard.append(letters.decode(logits[0].argmax(-1).tolist()))
    assert jiwer.cer([row["text"] for row in rows], heard) < 0.25


def test_padding_does_not_change_what_the_model_hears(bundled: Wav2Vec2ForCTC) -> None:
    torch.manual_seed(1)
    samples = torch.randn(2, 40_000)
    with torch.inference_mode():
        alone = bundled(samples[:1, :16_000]).logits
        beside, frames = padded_forward(bundled, samples, [16_000, 40_000])
    assert int(frames[0]) == alone.shape[1]
    torch.testing.assert_close(beside[:1, : alone.shape[1]], alone, rtol=1e-3, atol=1e-3)


def test_published_model_is_the_model_that_was_trained(tmp_path: Path) -> None:
    model = network.create(network.Shape(hidden=64, layers=2), seed=3).train(False)
    publishing.publish(model, tmp_path / "model")
    loaded = Wav2Vec2ForCTC.from_pretrained(tmp_path / "model", local_files_only=True).train(False)
    samples = torch.randn(1, 8000)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(samples).logits, model(samples).logits, rtol=0.05, atol=0.05)
    processor = Wav2Vec2Processor.from_pretrained(tmp_path / "model", local_files_only=True)
    assert processor.tokenizer.decode([11, 5, 15, 0, 15, 8, 4, 11, 10]) == "HELLO HI"
    assert loaded.dtype == torch.float32
    assert not list(tmp_path.glob(".*"))


def test_a_published_model_leaves_the_page_beside_it(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "README.md").write_text("its card")
    for seed in (3, 4):
        publishing.publish(network.create(network.Shape(hidden=64, layers=2), seed), tmp_path / "model")
    assert (tmp_path / "model" / "README.md").read_text() == "its card"
    assert not list(tmp_path.glob(".*"))


def test_untrained_network_already_hears_pitch() -> None:
    model = network.create(network.Shape(hidden=64, layers=2), seed=3)
    weight = model.wav2vec2.feature_extractor.get_parameter("conv_layers.0.conv.weight")
    spectrum = torch.fft.rfft(weight[:: network.PHASES, 0]).abs()
    peaks = spectrum.argmax(-1)
    assert (peaks[1:] >= peaks[:-1]).all()
    assert peaks[-1] > 10 * peaks[0] > 0


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([0, 0, 11, 11, 0, 5, 15, 0, 15, 8, 0], "HELLO"),
        ([4, 11, 10, 4, 4, 0, 4, 11, 10, 4], "HI HI"),
        ([0, 0, 0], ""),
        ([2, 7, 3, 1], "A"),
    ],
)
def test_greedy_decoding_keeps_double_letters(labels: list[int], text: str) -> None:
    assert letters.decode(labels) == text
