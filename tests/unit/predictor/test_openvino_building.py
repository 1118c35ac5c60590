"""Conversion to OpenVINO: once, verified, kept by digest; where it cannot serve, torch does and says why."""

import ctypes
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from services.predictor.convert import from_model_version
from services.predictor.core.acoustics import Hearing
from services.predictor.core.artefact_cache import ArtefactCache
from services.predictor.core.calibrating import CalibrationSpeech
from services.predictor.core.conversions import Conversions
from services.predictor.core.engine_building import Built, EngineBuilder, EngineChoice
from services.predictor.core.openvino_building import OpenVinoBuilder
from services.predictor.core.openvino_engine import OpenVinoEngine
from services.predictor.core.openvino_runtime import CompiledModel, OpenVino, OpenVinoUnavailable
from services.predictor.core.openvino_scorer import OpenVinoScorer
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.types import ModelRecord
from services.predictor.core.verification import BOUNDS, Bounds, VerificationError, verify
from tests.deployment import ROOT
from tests.fakes.predictor_checkpoints import (
    ARCHITECTURES,
    write_tiny_checkpoint,
    write_tiny_checkpoint_of,
)
from tests.fakes.predictor_storage import babble, put_model
from thanosql_ctc.batch_invariant import batch_logits
from thanosql_ctc.checkpoint import Checkpoint, load_checkpoint
from thanosql_objects.directory import LocalDirectory
from thanosql_runtime.errors import Reason, ThanosqlError

FLOAT32 = EngineOptions(dtype="float32", threads=2)


class CountingRuntime(OpenVino):
    """OpenVINO that counts conversions."""

    def __init__(self, *, has_bfloat16: bool | None = None) -> None:
        super().__init__()
        self.conversions = 0
        self.compiled: list[str] = []
        if has_bfloat16 is not None:
            self.has_bfloat16 = has_bfloat16

    def convert(self, module: nn.Module, example: Sequence[Tensor], path: Path) -> None:
        self.conversions += 1
        super().convert(module, example, path)


class WrongRuntime(CountingRuntime):
    """OpenVINO that converts another model than it is given."""

    def convert(self, module: nn.Module, example: Sequence[Tensor], path: Path) -> None:
        with torch.no_grad():
            for weight in module.parameters():
                weight.mul_(1.1)
        super().convert(module, example, path)
        with torch.no_grad():
            for weight in module.parameters():
                weight.div_(1.1)


class FailingToCompute:
    """A compiled model whose requests fail, as those of an instruction that the processor lacks do."""

    def request(self) -> "FailingToCompute":
        return self

    def infer(self, *_arguments: object) -> None:
        raise RuntimeError("could not create a primitive")


class Float32Runtime(CountingRuntime):
    """OpenVINO that computes in float32 whatever it is asked for, so on every processor alike."""

    def compile(self, path: Path, dtype: str, streams: int, threads: int) -> CompiledModel:
        self.compiled.append(dtype)
        return super().compile(path, "float32", streams, threads)


class RuntimeThatFailsIn(Float32Runtime):
    """OpenVINO that has bfloat16, and fails when it computes in some precisions."""

    def __init__(self, *dtypes: str) -> None:
        super().__init__(has_bfloat16=True)
        self.failing = dtypes

    def compile(self, path: Path, dtype: str, streams: int, threads: int) -> CompiledModel:
        compiled = super().compile(path, dtype, streams, threads)
        return cast("CompiledModel", FailingToCompute()) if dtype in self.failing else compiled


def find_speech(_files: Path, _checkpoint: Checkpoint) -> CalibrationSpeech:
    generator = np.random.default_rng(5)
    sounds = [generator.standard_normal(samples).astype(np.float32) for samples in (20_000, 9_000, 15_000)]
    return CalibrationSpeech(seen=sounds[:2], unseen=sounds[2:], is_whole=True)


class SpeechOnOffer:
    """Speech that counts how often it is asked for, and of which some may be away."""

    def __init__(self, *, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.asked = 0

    def __call__(self, files: Path, checkpoint: Checkpoint) -> CalibrationSpeech:
        self.asked += 1
        return replace(find_speech(files, checkpoint), is_whole=self.is_whole)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_tiny_checkpoint(tmp_path / "model")


def build(runtime: OpenVino, files: Path) -> OpenVinoEngine:
    return OpenVinoBuilder(
        runtime=runtime,
        options=FLOAT32,
        bounds=BOUNDS["float32"],
        find_speech=find_speech,
    ).build(files)


def test_a_model_is_converted_once(files: Path) -> None:
    runtime = CountingRuntime()
    for _ in range(2):
        engine = build(runtime, files)
        (labels,) = engine.finish(engine.run(engine.prepare([np.ones(8_000, dtype=np.float32)])))
        assert isinstance(labels, list)
        assert engine.description == "openvino cpu float32"
    assert runtime.conversions == 1
    assert sorted(path.name for path in files.parent.iterdir()) == ["model", "model.openvino"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_converted_and_gives_what_torch_gives(
    architecture: str, tmp_path: Path
) -> None:
    files = write_tiny_checkpoint_of(tmp_path / "model", architecture)
    engine = build(CountingRuntime(), files)  # raises where it is not what torch gives
    generator = np.random.default_rng(0)
    sounds = [generator.standard_normal(length).astype(np.float32) for length in (30_000, 400, 12_345)]
    expected = batch_logits(load_checkpoint(files).model, sounds)
    for actual, logits in zip(engine.logits(sounds), expected, strict=True):
        np.testing.assert_allclose(actual, logits, rtol=1e-3, atol=1e-3 * float(logits.abs().max()))


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "manifest.json"])
def test_a_damaged_conversion_is_made_again(files: Path, name: str) -> None:
    runtime = CountingRuntime()
    build(runtime, files)
    damaged = files.with_name("model.openvino") / name
    damaged.write_bytes(damaged.read_bytes()[:-2] + b"x")
    build(runtime, files)
    assert runtime.conversions == 2


def test_a_conversion_of_another_version_is_made_again(files: Path) -> None:
    runtime = CountingRuntime()
    build(runtime, files)
    assert Conversions("2020.1").find(files) is None
    build(runtime, files)
    assert runtime.conversions == 2


def test_what_was_verified_elsewhere_is_verified_here(files: Path) -> None:
    runtime = CountingRuntime()
    build(runtime, files)
    manifest = files.with_name("model.openvino") / "manifest.json"
    content = json.loads(manifest.read_text())
    assert content["verified"] == [f"float32 on {runtime.processor}"]
    runtime.processor = "another one"
    build(runtime, files)
    assert len(json.loads(manifest.read_text())["verified"]) == 2
    assert runtime.conversions == 1


def test_scores_and_labels_agree(files: Path) -> None:
    engine = build(OpenVino(), files)
    windows = [babble(seconds)[:, 0] for seconds in (0.7, 1.2)]
    labels = engine.finish(engine.run(engine.prepare(windows)))
    scorer = OpenVinoScorer(engine)
    scores = scorer.finish(scorer.run(scorer.prepare(windows)))
    for row, expected in zip(scores, labels, strict=True):
        assert isinstance(row, np.ndarray)
        assert np.exp(row).sum(axis=-1) == pytest.approx(np.ones(len(row)), abs=1e-4)
        assert row.argmax(axis=-1).tolist() == expected


def test_a_conversion_that_fails_leaves_nothing(files: Path) -> None:
    class Failing(CountingRuntime):
        def convert(self, module: nn.Module, example: Sequence[Tensor], path: Path) -> None:
            path.write_text("half")
            raise RuntimeError("no such operation")

    with pytest.raises(RuntimeError, match="no such operation"):
        build(Failing(), files)
    assert [path.name for path in files.parent.iterdir()] == ["model"]


def test_logits_that_differ_are_refused(files: Path) -> None:
    with pytest.raises(VerificationError, match="logits differ from torch's by"):
        build(WrongRuntime(), files)


def test_numbers_that_are_none_are_refused(files: Path) -> None:
    checkpoint = load_checkpoint(files)
    with pytest.raises(VerificationError):
        verify(
            checkpoint,
            lambda sounds: [
                np.full_like(logits.numpy(), np.nan) for logits in batch_logits(checkpoint.model, sounds)
            ],
            BOUNDS["bfloat16"],
        )


def test_other_text_is_refused_in_float32(files: Path) -> None:
    checkpoint = load_checkpoint(files)

    def nearly(sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
        answers = [logits.numpy() for logits in batch_logits(checkpoint.model, sounds)]
        for logits in answers:
            best = logits[0].argmax()
            logits[0, (best + 1) % logits.shape[1]] = logits[0, best] + 1e-6
        return answers

    bounds = BOUNDS["float32"]
    loose = type(bounds)(error=10.0, same_labels=1.0)
    with pytest.raises(VerificationError, match="another text"):
        verify(checkpoint, nearly, loose)


def put_record(store: LocalDirectory, folder: Path, name: str) -> ModelRecord:
    return from_model_version(put_model(store, folder, name))


def builder(tmp_path: Path, runtime: object, precision: str = "float32") -> tuple[EngineBuilder, ModelRecord]:
    store = LocalDirectory(tmp_path / "objects")
    record = put_record(store, write_tiny_checkpoint(tmp_path / "given"), "small")
    cache = ArtefactCache(tmp_path / "cache", store, 1 << 30)
    choice = EngineChoice(engine="openvino", precision=precision, options=FLOAT32, int8_agreement=0.5)

    def opened() -> OpenVino:
        if isinstance(runtime, Exception):
            raise runtime
        assert isinstance(runtime, OpenVino)
        return runtime

    return EngineBuilder(cache, choice, Hearing(), find_speech, opened), record


def described(built: Built) -> str:
    return built.engines.labels.description


def test_torch_serves_where_openvino_is_missing(tmp_path: Path) -> None:
    building, record = builder(tmp_path, OpenVinoUnavailable("the package openvino cannot be imported"))
    built = building.build(record)
    assert described(built) == "torch cpu float32"
    assert "torch serves in place of OpenVINO: the package openvino cannot" in built.engines.notice


def test_torch_serves_where_verification_fails(tmp_path: Path) -> None:
    building, record = builder(tmp_path, WrongRuntime())
    built = building.build(record)
    assert described(built) == "torch cpu float32"
    assert "its logits differ from torch's" in built.engines.notice


def test_a_broken_checkpoint_is_not_blamed_on_the_engine(tmp_path: Path) -> None:
    building, record = builder(tmp_path, CountingRuntime())
    store = LocalDirectory(tmp_path / "objects")
    folder = write_tiny_checkpoint(tmp_path / "broken")
    (folder / "vocab.json").write_text("[]")
    record = put_record(store, folder, "broken")
    with pytest.raises(ThanosqlError) as caught:
        building.build(record)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT


def test_float32_serves_where_the_processor_has_no_bfloat16(tmp_path: Path) -> None:
    building, record = builder(tmp_path, CountingRuntime(has_bfloat16=False), "bfloat16")
    built = building.build(record)
    assert described(built) == "openvino cpu float32"
    assert "float32 serves in place of bfloat16" in built.engines.notice


@pytest.mark.parametrize(("has_bfloat16", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_auto_takes_the_precision_that_the_processor_has(
    tmp_path: Path, has_bfloat16: bool, dtype: str
) -> None:
    building, record = builder(tmp_path, Float32Runtime(has_bfloat16=has_bfloat16), "auto")
    built = building.build(record)
    assert described(built) == f"openvino cpu {dtype}"
    assert built.engines.notice == ""


def test_float32_serves_where_bfloat16_fails_verification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BOUNDS, "bfloat16", Bounds(error=-1.0, same_labels=0.9))
    runtime = Float32Runtime(has_bfloat16=True)
    building, record = builder(tmp_path, runtime, "auto")
    built = building.build(record)
    assert described(built) == "openvino cpu float32"
    assert "float32 serves in place of bfloat16: its logits differ" in built.engines.notice
    assert runtime.conversions == 1


@pytest.mark.parametrize(
    ("failing", "serves"),
    [(("bfloat16",), "openvino cpu float32"), (("bfloat16", "float32"), "torch cpu float32")],
)
def test_a_warm_up_that_fails_refuses_no_model(tmp_path: Path, failing: tuple[str, ...], serves: str) -> None:
    building, record = builder(tmp_path, RuntimeThatFailsIn(), "auto")
    building.build(record)
    # Both precisions are verified by now, so that nothing but the warm-up computes.
    float32, _ = builder(tmp_path, RuntimeThatFailsIn(), "float32")
    float32.build(record)
    building, _ = builder(tmp_path, RuntimeThatFailsIn(*failing), "auto")
    built = building.build(record)
    assert described(built) == serves
    assert "could not create a primitive" in built.engines.notice


def test_one_frame_refuses_no_precision_in_which_labels_may_differ(files: Path) -> None:
    checkpoint = load_checkpoint(files)

    def nearly(sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
        answers = [logits.numpy().copy() for logits in batch_logits(checkpoint.model, sounds)]
        for shortest in [logits for logits in answers if len(logits) == 1]:
            best = shortest[0].argmax()
            shortest[0, (best + 1) % shortest.shape[1]] = shortest[0, best] + 1e-6
        return answers

    verify(checkpoint, nearly, Bounds(error=10.0, same_labels=0.9))


def test_weights_for_embeddings_are_read_when_the_first_is_asked_for(tmp_path: Path) -> None:
    building, record = builder(tmp_path, CountingRuntime())
    engines = building.build(record).engines
    frames = engines.frames
    assert frames.size_bytes == 0
    assert engines.read_frames is not None
    engines.read_frames()
    (rows,) = frames.finish(frames.run(frames.prepare([np.ones(8_000, dtype=np.float32)])))
    assert isinstance(rows, np.ndarray)
    assert frames.size_bytes > 0


def test_conversions_leave_with_the_oldest_models(tmp_path: Path) -> None:
    building, record = builder(tmp_path, CountingRuntime())
    building.build(record)
    store = LocalDirectory(tmp_path / "objects")
    other = put_record(store, write_tiny_checkpoint(tmp_path / "other", seed=1), "other")
    with ArtefactCache(tmp_path / "cache", store, 1).opened(other):
        pass
    kept = [path.name for path in (tmp_path / "cache").iterdir() if path.name != ".locks"]
    assert kept == [other.fingerprint]


def test_nothing_is_reported_to_the_vendor() -> None:
    # In a process of its own: this one may have imported the package already.
    code = (
        "import sys\n"
        "from services.predictor.core.openvino_runtime import OpenVino\n"
        "OpenVino()\n"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class SignalStack(ctypes.Structure):
    """What `sigaltstack` says."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size_bytes", ctypes.c_size_t))

    @classmethod
    def of_this_thread(cls) -> tuple[int | None, int]:
        found = cls()
        assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found)) == 0
        return found.address, found.size_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="the plugin changes that on Linux alone")
def test_who_asks_for_the_runtime_keeps_its_stack_for_signals() -> None:
    # OpenVINO frees the memory of another one in any thread, and the next Ctrl-C would be the end.
    before = SignalStack.of_this_thread()
    runtime = OpenVino()
    assert runtime.processor
    assert SignalStack.of_this_thread() == before


def test_int8_is_rounded_once_and_verified_by_speech_that_it_did_not_see(tmp_path: Path) -> None:
    for _ in range(2):
        runtime = CountingRuntime()
        building, record = builder(tmp_path, runtime, "int8")
        built = building.build(record)
        assert (described(built), built.engines.notice) == ("openvino cpu int8", "")
    assert runtime.conversions == 0
    folder = tmp_path / "cache" / f"{record.fingerprint}.openvino-int8"
    assert json.loads((folder / "manifest.json").read_text())["verified"] == [
        f"int8 on {runtime.processor} in 0.5 of the frames"
    ]


def int8_build(
    runtime: OpenVino, files: Path, speech: SpeechOnOffer, error: float, same_labels: float = 0.0
) -> None:
    OpenVinoBuilder(
        runtime=runtime,
        options=replace(FLOAT32, dtype="int8"),
        bounds=Bounds(error=error, same_labels=same_labels),
        find_speech=speech,
    ).build(files)


def test_int8_that_was_refused_is_not_judged_again(files: Path) -> None:
    runtime, speech = CountingRuntime(has_bfloat16=False), SpeechOnOffer(is_whole=True)
    for _load in range(3):
        with pytest.raises(VerificationError, match="its logits differ"):
            int8_build(runtime, files, speech, error=-1.0)
    assert (runtime.conversions, speech.asked) == (1, 1)


def test_int8_is_rounded_anew_where_recordings_were_away(files: Path) -> None:
    runtime, speech = CountingRuntime(has_bfloat16=False), SpeechOnOffer(is_whole=False)
    for _load in range(2):
        with pytest.raises(VerificationError):
            int8_build(runtime, files, speech, error=-1.0)
    assert (runtime.conversions, speech.asked) == (2, 2)


def test_int8_is_judged_again_by_another_bound(files: Path) -> None:
    runtime, speech = CountingRuntime(has_bfloat16=False), SpeechOnOffer(is_whole=True)
    int8_build(runtime, files, speech, error=10.0)
    int8_build(runtime, files, speech, error=10.0)
    assert speech.asked == 1
    int8_build(runtime, files, speech, error=10.0, same_labels=0.5)
    assert (runtime.conversions, speech.asked) == (1, 2)


def test_int8_hears_nearly_what_torch_hears(tmp_path: Path) -> None:
    building, record = builder(tmp_path, CountingRuntime(has_bfloat16=False), "int8")
    engine = building.build(record).engines.labels
    assert isinstance(engine, OpenVinoEngine)
    sound = np.random.default_rng(1).standard_normal(12_000).astype(np.float32)
    (ours,) = engine.logits([sound])
    (torchs,) = batch_logits(load_checkpoint(tmp_path / "given").model, [sound])
    error = np.linalg.norm(ours - torchs.numpy()) / np.linalg.norm(torchs.numpy())
    assert 1e-5 < error < 0.15, "rounded, and not far off"


@pytest.mark.parametrize(("has_bfloat16", "serves"), [(True, "bfloat16"), (False, "float32")])
def test_the_next_precision_serves_where_int8_hears_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, serves: str
) -> None:
    runtime = Float32Runtime(has_bfloat16=has_bfloat16)
    monkeypatch.setitem(BOUNDS, "int8", Bounds(error=-1.0, same_labels=0.9))
    building, record = builder(tmp_path, runtime, "int8")
    built = building.build(record)
    assert described(built) == f"openvino cpu {serves}"
    assert built.engines.notice.startswith(f"{serves} serves in place of int8: its logits differ")


def test_a_record_says_in_which_precision_its_model_computes(tmp_path: Path) -> None:
    building, record = builder(tmp_path, Float32Runtime(has_bfloat16=True), "float32")
    assert described(building.build(replace(record, precision="bfloat16"))) == "openvino cpu bfloat16"


@pytest.mark.parametrize(("asked", "settled"), [("", "bfloat16"), ("auto", "bfloat16"), ("int8", "int8")])
def test_what_suits_and_what_is_asked_for_are_one_precision(tmp_path: Path, asked: str, settled: str) -> None:
    building, _ = builder(tmp_path, CountingRuntime(has_bfloat16=True), "auto")
    assert building.settle(asked) == settled


def test_torch_says_that_int8_needs_openvino(tmp_path: Path) -> None:
    building, record = builder(tmp_path, CountingRuntime(), "float32")
    choice = EngineChoice(engine="torch", precision="auto", options=FLOAT32)
    store = LocalDirectory(tmp_path / "objects")
    building = EngineBuilder(
        ArtefactCache(tmp_path / "cache", store, 1 << 30), choice, Hearing(), find_speech
    )
    built = building.build(replace(record, precision="int8"))
    assert described(built) == "torch cpu float32"
    assert built.engines.notice == "float32 serves in place of int8, for which OpenVINO is needed"
