"""Whisper: the tokens that transformers writes, the language that is spoken, long recordings in windows."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import GenerationConfig, WhisperFeatureExtractor

from services.predictor.core.clock import SystemClock
from services.predictor.core.ports import BatchPolicy
from services.predictor.core.statistics import Counters
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.types import ModelRecord
from services.predictor.core.whisper.checkpoint import WhisperCheckpoint, load_whisper
from services.predictor.core.whisper.engine import WhisperEngine
from services.predictor.core.whisper.loaded import LoadedWhisper
from services.predictor.core.whisper.types import HeardWindow, SpeechTask, SpeechWindow, Wish
from services.predictor.core.whisper.windows import close
from tests.fakes.whisper_checkpoints import LANGUAGES, NUMBERS, tiny_whisper, write_tiny_whisper
from thanosql_runtime.errors import Reason, ThanosqlError

RATE_HZ = 16_000
FIRST = NUMBERS["<|0.00|>"]
KO = NUMBERS["<|ko|>"]


def noise(seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return (0.3 * generator.standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_whisper(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> WhisperCheckpoint:
    return load_whisper(folder)


@pytest.fixture(scope="module")
def engine(folder: Path) -> WhisperEngine:
    return WhisperEngine(load_whisper(folder), EngineOptions())


def hear(engine: WhisperEngine, windows: Sequence[SpeechWindow]) -> list[HeardWindow]:
    answers = engine.finish(engine.run(engine.prepare(windows)))
    heard = [answer for answer in answers if isinstance(answer, HeardWindow)]
    assert len(heard) == len(windows)
    return heard


def features(samples: npt.NDArray[np.float32]) -> torch.Tensor:
    extractor = WhisperFeatureExtractor(feature_size=80)  # type: ignore[no-untyped-call]
    answer: torch.Tensor = extractor(samples, sampling_rate=RATE_HZ, return_tensors="pt").input_features
    return answer


def generation(**more: object) -> GenerationConfig:
    return GenerationConfig(  # type: ignore[no-untyped-call]
        decoder_start_token_id=NUMBERS["<|startoftranscript|>"],
        eos_token_id=NUMBERS["<|endoftext|>"],
        pad_token_id=NUMBERS["<|endoftext|>"],
        bos_token_id=NUMBERS["<|endoftext|>"],
        is_multilingual=True,
        lang_to_id={f"<|{language}|>": NUMBERS[f"<|{language}|>"] for language in LANGUAGES},
        task_to_id={task.value: NUMBERS[f"<|{task.value}|>"] for task in SpeechTask},
        no_timestamps_token_id=NUMBERS["<|notimestamps|>"],
        max_initial_timestamp_index=50,
        max_length=64,
        suppress_tokens=[5],
        begin_suppress_tokens=[7],
        **more,
    )


@pytest.mark.parametrize("task", list(SpeechTask))
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seconds", [3.0, 30.0])
def test_a_window_gives_the_tokens_that_transformers_writes(
    engine: WhisperEngine, language: str, task: SpeechTask, seconds: float
) -> None:
    samples = noise(seconds)
    window = SpeechWindow(samples=samples, language_id=NUMBERS[f"<|{language}|>"], task=task)
    (heard,) = hear(engine, [window])
    with torch.inference_mode():
        theirs = tiny_whisper().generate(
            input_features=features(samples),
            generation_config=generation(return_timestamps=True, language=language, task=task.value),
        )
    # Theirs takes what is closed by a time, and goes on there within the same window.
    counted = list(close(heard.tokens, FIRST, is_last=False).tokens)
    assert len(counted) > 5
    assert theirs[0, : len(counted)].tolist() == counted


def test_the_language_is_the_one_that_transformers_finds(engine: WhisperEngine) -> None:
    found = set()
    for seed in range(4):
        samples = noise(2.0, seed)
        window = SpeechWindow(samples=samples, language_id=None, task=SpeechTask.TRANSCRIBE)
        (heard,) = hear(engine, [window])
        theirs = tiny_whisper().detect_language(
            input_features=features(samples), generation_config=generation()
        )
        assert heard.language_id == int(theirs[0])
        found.add(heard.language_id)
    assert found <= {NUMBERS[f"<|{language}|>"] for language in LANGUAGES}


def test_a_window_gives_the_same_alone_and_beside_others(engine: WhisperEngine) -> None:
    windows = [
        SpeechWindow(samples=noise(1.0 + seed, seed), language_id=KO, task=SpeechTask.TRANSCRIBE)
        for seed in range(3)
    ]
    assert hear(engine, windows) == [hear(engine, [window])[0] for window in windows]


def test_a_model_that_knows_english_alone_is_asked_for_nothing_else(tmp_path: Path) -> None:
    english = load_whisper(write_tiny_whisper(tmp_path / "en", is_multilingual=False))
    tokens = english.tokens
    assert tokens.prompt(None, SpeechTask.TRANSCRIBE) == [NUMBERS["<|startoftranscript|>"]]
    assert tokens.language_id(Wish(language="en"), "m.1") is None
    for wish in (Wish(language="ko"), Wish(task=SpeechTask.TRANSLATE)):
        with pytest.raises(ThanosqlError, match="English alone") as caught:
            tokens.language_id(wish, "m.1")
        assert caught.value.reason is Reason.INVALID_OPTION_VALUE
    window = SpeechWindow(samples=noise(1.0), language_id=None, task=SpeechTask.TRANSCRIBE)
    assert hear(WhisperEngine(english, EngineOptions()), [window])[0].language_id is None


@pytest.mark.parametrize("language", ["ko", "Korean", " KO "])
def test_languages_go_by_code_and_by_name(checkpoint: WhisperCheckpoint, language: str) -> None:
    assert checkpoint.tokens.language_id(Wish(language=language), "m.1") == KO


@pytest.mark.parametrize(("language", "hint"), [("koreann", "did you mean 'korean'"), ("xx", "de, en, ko")])
def test_an_unknown_language_names_what_there_is(
    checkpoint: WhisperCheckpoint, language: str, hint: str
) -> None:
    with pytest.raises(ThanosqlError, match=hint) as caught:
        checkpoint.tokens.language_id(Wish(language=language), "m.1")
    assert caught.value.reason is Reason.INVALID_OPTION_VALUE


def test_a_long_name_of_a_language_is_cut(checkpoint: WhisperCheckpoint) -> None:
    with pytest.raises(ThanosqlError, match="knows no language") as caught:
        checkpoint.tokens.language_id(Wish(language="ab" * 50_000), "m.1")
    assert len(caught.value.message) < 300
    assert len(caught.value.metadata["value"]) < 50


def test_the_head_reads_the_table_of_the_tokens(checkpoint: WhisperCheckpoint) -> None:
    model = checkpoint.model
    assert model.proj_out.weight is model.model.decoder.embed_tokens.weight


def test_a_decoder_that_gives_no_numbers_is_refused(tmp_path: Path) -> None:
    broken = load_whisper(write_tiny_whisper(tmp_path / "broken"))
    with torch.no_grad():
        broken.model.model.decoder.layers[0].fc1.bias.fill_(float("nan"))
    engine = WhisperEngine(broken, EngineOptions())
    window = SpeechWindow(samples=noise(1.0), language_id=KO, task=SpeechTask.TRANSCRIBE)
    (answer,) = engine.finish(engine.run(engine.prepare([window])))
    assert isinstance(answer, ThanosqlError)
    assert answer.reason is Reason.INVALID_CHECKPOINT


def at(seconds: float) -> int:
    return FIRST + round(seconds * 50)


@pytest.mark.parametrize(
    ("tokens", "is_last", "counted", "seconds"),
    [
        ([at(0), 1, 2, at(12), at(12), 3, 4], False, 4, 12.0),
        ([at(0), 1, 2, at(12), at(12), 3, 4], True, 7, 30.0),
        ([at(0), 1, at(5), at(5), 2, at(20), at(20), 3], False, 6, 20.0),
        ([at(0), 1, at(5), at(6), 2, at(30)], False, 6, 30.0),
        ([at(0), 1, at(0.02), at(0.02), 1, at(0.04), at(0.04), 1], False, 8, 30.0),
        ([at(0), 1, at(1), at(1), 2], False, 3, 1.0),
        ([at(0), 1, 2, 3], False, 4, 30.0),
        ([at(0), at(0), 1], False, 3, 30.0),
        ([], False, 0, 30.0),
    ],
)
def test_what_is_closed_by_a_time_counts_and_the_rest_is_heard_again(
    tokens: list[int], is_last: bool, counted: int, seconds: float
) -> None:
    closed = close(tokens, FIRST, is_last=is_last)
    assert (len(closed.tokens), closed.samples / RATE_HZ) == (counted, seconds)


class ScriptedEngine:
    """Answers windows from a script, and keeps what it was asked."""

    description, size_bytes = "script", 0
    policy = BatchPolicy(max_batch_size=1, max_queue_delay_s=0.0, bucket_samples=1, pipeline_depth=1)

    def __init__(self, *script: list[int]) -> None:
        self.script = list(script)
        self.asked: list[SpeechWindow] = []

    def prepare(self, windows: Sequence[SpeechWindow]) -> list[SpeechWindow]:
        return list(windows)

    def run(self, prepared: list[SpeechWindow]) -> list[SpeechWindow]:
        return prepared

    def finish(self, raw: list[SpeechWindow]) -> list[HeardWindow | ThanosqlError]:
        self.asked += raw
        return [HeardWindow(tokens=tuple(self.script.pop(0)), language_id=KO) for _window in raw]


def letters(checkpoint: WhisperCheckpoint, text: str) -> list[int]:
    return list(checkpoint.tokens.tokeniser.encode(text).ids)


async def transcript(checkpoint: WhisperCheckpoint, engine: ScriptedEngine, samples: object) -> str:
    model = LoadedWhisper(
        record=ModelRecord(name="w", version=1, artefacts=()),
        engine=engine,
        tokens=checkpoint.tokens,
        clock=SystemClock(),
        counters=Counters(),
        max_queue_size=4,
        silence_dbfs=-60.0,
    )
    try:
        return await model.hears(Wish()).transcribe(samples)  # type: ignore[arg-type]
    finally:
        await model.close()


async def test_a_long_recording_goes_on_where_the_last_sentence_ended(checkpoint: WhisperCheckpoint) -> None:
    samples = np.concatenate([noise(40.0), np.zeros(65 * RATE_HZ, dtype=np.float32), noise(5.0)])
    engine = ScriptedEngine(
        [at(0), *letters(checkpoint, " one"), at(20), at(20), *letters(checkpoint, " tw")],
        [at(0), *letters(checkpoint, " two"), at(20)],
        [at(0), *letters(checkpoint, " three"), at(9)],
    )
    assert await transcript(checkpoint, engine, samples) == "one two three"
    # The half minute from 50 s on is silent.
    begins = [round(begin * RATE_HZ) for begin in (0, 20, 80)]
    for begin, window in zip(begins, engine.asked, strict=True):
        np.testing.assert_array_equal(window.samples, samples[begin : begin + 30 * RATE_HZ])
    assert [window.language_id for window in engine.asked] == [None, KO, KO]


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(RATE_HZ), np.ones(100)])
async def test_silence_and_what_is_too_short_give_no_text(
    checkpoint: WhisperCheckpoint, samples: npt.NDArray[np.float64]
) -> None:
    engine = ScriptedEngine()
    assert await transcript(checkpoint, engine, samples.astype(np.float32)) == ""
    assert engine.asked == []


def edit_json(folder: Path, name: str, **changes: object) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | changes))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda folder: edit_json(folder, "config.json", model_type="bart"), "holds bart"),
        (lambda folder: edit_json(folder, "config.json", d_model=64), "asks for"),
        (lambda folder: edit_json(folder, "config.json", encoder_layers=10**9), "layers"),
        (lambda folder: edit_json(folder, "config.json", max_source_positions=10), "max_source_positions"),
        (lambda folder: edit_json(folder, "preprocessor_config.json", hop_length=80), "hop_length"),
        (lambda folder: edit_json(folder, "generation_config.json", suppress_tokens=[-1]), "suppress_tokens"),
        (lambda folder: (folder / "tokenizer.json").unlink(), r"lacks tokenizer\.json"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"junk"), "is damaged"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_says_why(
    tmp_path: Path, damage: Callable[[Path], object], problem: str
) -> None:
    folder = write_tiny_whisper(tmp_path / "tiny")
    damage(folder)
    with pytest.raises(ThanosqlError, match=problem) as caught:
        load_whisper(folder)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT
