"""Text encoders: one vector a text, the same in any company, or a reason why there is none."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from services.predictor.core.clock import SystemClock
from services.predictor.core.statistics import Counters
from services.predictor.core.texts.checkpoint import FAMILIES, load_encoder
from services.predictor.core.texts.embedding import embed_texts
from services.predictor.core.texts.encoder import LoadedEncoder
from services.predictor.core.texts.engine import TextEngine
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.types import Embedding, ModelRecord, TextRow
from tests.fakes.text_encoders import LONGEST, flattened, write_pooling, write_tiny_encoder
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.long_texts import MOST_TEXT_BYTES

TEXTS = [
    "good morning",
    "the library opens at ten",
    "where the bell rings and the door opens in the morning",
    "three",
    "a door",
    *(f"bell {number} rings" for number in range(20)),
]
LONG = " ".join(["the bell rings where the library opens"] * 9)


@pytest.fixture
async def encoder(tmp_path: Path) -> AsyncIterator[LoadedEncoder]:
    loaded = loaded_encoder(flattened(write_tiny_encoder(tmp_path / "encoder")))
    yield loaded
    await loaded.close()


def loaded_encoder(folder: Path) -> LoadedEncoder:
    checkpoint = load_encoder(folder)
    return LoadedEncoder(
        record=ModelRecord(name="TextEncoder", version=1, artefacts=()),
        engine=TextEngine(checkpoint, EngineOptions()),
        tokeniser=checkpoint.tokeniser,
        dimension=checkpoint.dimension,
        clock=SystemClock(),
        counters=Counters(),
        max_queue_size=64,
    )


async def together(encoder: LoadedEncoder, texts: list[str]) -> list[np.ndarray]:
    return list(await asyncio.gather(*(encoder.embed(text) for text in texts)))


async def failure(encoder: LoadedEncoder, text: str) -> ThanosqlError:
    with pytest.raises(ThanosqlError) as raised:
        await encoder.embed(text)
    return raised.value


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
async def test_a_text_has_the_same_embedding_alone_and_in_any_company(
    tmp_path: Path, family: str, pooling: str
) -> None:
    encoder = loaded_encoder(flattened(write_tiny_encoder(tmp_path, family, pooling=pooling)))
    alone = [await encoder.embed(text) for text in [*TEXTS, LONG]]
    for one, other in zip(alone, await together(encoder, [*TEXTS, LONG]), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)
    assert np.linalg.norm(alone, axis=1) == pytest.approx(1.0, abs=1e-6)
    assert abs(float(alone[0] @ alone[1])) < 0.999
    assert encoder.counters.batches < 2 * len(alone)
    await encoder.close()


async def test_the_embedding_is_the_mean_of_what_the_model_gives(tmp_path: Path) -> None:
    folder = flattened(write_tiny_encoder(tmp_path, pooling=None))
    encoder = loaded_encoder(folder)
    tokens = load_encoder(folder).tokeniser.windows("good morning")[0].tokens
    model = AutoModel.from_pretrained(folder, local_files_only=True)
    with torch.inference_mode():
        mean = model(input_ids=torch.from_numpy(tokens)[None]).last_hidden_state[0].mean(dim=0).numpy()
    np.testing.assert_allclose(await encoder.embed("good morning"), mean / np.linalg.norm(mean), atol=1e-6)
    await encoder.close()


async def test_a_long_text_is_the_mean_of_its_windows(encoder: LoadedEncoder, tmp_path: Path) -> None:
    checkpoint = load_encoder(tmp_path / "encoder")
    windows = checkpoint.tokeniser.windows(LONG)
    assert len(windows) == 5
    assert max(len(window.tokens) for window in windows) <= LONGEST
    assert {window.weight for window in windows} <= {11, 12, 13}
    assert sum(window.weight for window in windows) == 63
    engine = TextEngine(checkpoint, EngineOptions())
    vectors = engine.finish(engine.run(engine.prepare([window.tokens for window in windows])))
    total = sum(window.weight * vector for window, vector in zip(windows, vectors, strict=True))
    np.testing.assert_allclose(await encoder.embed(LONG), total / np.linalg.norm(total), atol=2e-6)


@pytest.mark.parametrize("text", ["", " \n\t", "\x00", "\u200b"])
async def test_a_text_of_nothing_has_a_reason(encoder: LoadedEncoder, text: str) -> None:
    (answer,) = [answer async for answer in embed_texts(encoder, rows([text]), 4)]
    assert isinstance(answer.outcome, ThanosqlError)
    assert answer.outcome.reason is Reason.TEXT_EMPTY


async def test_a_bad_text_fails_alone(encoder: LoadedEncoder) -> None:
    texts = ["good morning", "", "x" * (MOST_TEXT_BYTES + 1), "a door"]
    answers = {answer.row_key: answer.outcome async for answer in embed_texts(encoder, rows(texts), 4)}
    reasons = [getattr(answers[key], "reason", None) for key in range(4)]
    assert reasons == [None, Reason.TEXT_EMPTY, Reason.INVALID_DATA, None]
    assert isinstance(answers[0], Embedding)
    assert (encoder.counters.rows_succeeded, encoder.counters.rows_failed) == (2, 2)


async def rows(texts: list[str]) -> AsyncIterator[TextRow]:
    for key, text in enumerate(texts):
        yield TextRow(row_key=key, text=text)


def test_a_list_of_words_is_enough_for_a_tokeniser(tmp_path: Path) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    before = load_encoder(folder).tokeniser.windows("Good morning, library!")[0].tokens
    (folder / "tokenizer.json").unlink()
    assert (
        load_encoder(folder).tokeniser.windows("Good morning, library!")[0].tokens.tolist() == before.tolist()
    )


def test_what_belongs_to_a_head_or_an_older_release_is_no_hindrance(tmp_path: Path) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    path = folder / "model.safetensors"
    weights = load_file(path)
    renamed = {f"bert.{name}": tensor for name, tensor in weights.items() if not name.startswith("pooler.")}
    renamed["bert.embeddings.LayerNorm.gamma"] = renamed.pop("bert.embeddings.LayerNorm.weight")
    renamed["bert.embeddings.LayerNorm.beta"] = renamed.pop("bert.embeddings.LayerNorm.bias")
    renamed["bert.embeddings.position_ids"] = torch.arange(18)[None]
    renamed["cls.predictions.bias"] = torch.zeros(3)
    save_file(renamed, path)
    model = load_encoder(folder).model
    loaded = model.state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in loaded if not name.startswith("pooler."))


def test_a_damaged_or_foreign_checkpoint_is_refused_with_its_fault(tmp_path: Path) -> None:
    def refusal(change: str, **content: object) -> str:
        folder = flattened(write_tiny_encoder(tmp_path / change))
        _spoil(folder, change, content)
        with pytest.raises(ThanosqlError) as raised:
            load_encoder(folder)
        assert raised.value.reason is Reason.INVALID_CHECKPOINT
        return raised.value.message

    assert "it holds gpt2; encoders of texts are: albert, bert" in refusal("config.json", model_type="gpt2")
    assert "weights, more than its files" in refusal("config.json#", hidden_size=24_000, model_type="bert")
    assert "does not know" in refusal("config.json##", num_hidden_layers=1)
    assert "its weights lack encoder.layer.2." in refusal("config.json###", num_hidden_layers=3)
    assert "it is a decoder" in refusal("config.json####", is_decoder=True)
    assert "its pooling is pooling_mode_max_tokens" in refusal("pooling.json", pooling_mode_max_tokens=True)
    assert "names Pooling, whose configuration is not there" in refusal("pooling.json#")
    assert "is damaged" in refusal("tokenizer.json", version="none")
    assert "leave no room" in refusal("sentence_bert_config.json", max_seq_length=2)
    assert "it lacks model.safetensors" in refusal("model.safetensors")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"pad_token_id": 99_999}, "it pads with token 99999"),
        ({"pad_token_id": -1}, "it pads with token -1"),
        ({"num_attention_heads": 0}, "config.json is inconsistent"),
        ({"nested": "["}, "config.json is not valid JSON"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(
    tmp_path: Path, content: dict[str, object], told: str
) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    if "nested" in content:
        (folder / "config.json").write_text("[" * 100_000)
    else:
        _spoil(folder, "config.json", content)
    with pytest.raises(ThanosqlError, match=told) as raised:
        load_encoder(folder)
    assert raised.value.reason is Reason.INVALID_CHECKPOINT


@pytest.mark.parametrize(("groups", "inner"), [(300, 1), (20, 15), (1, 150)])
def test_layers_in_groups_are_bounded_too(tmp_path: Path, groups: int, inner: int) -> None:
    folder = flattened(write_tiny_encoder(tmp_path, "albert"))
    _spoil(folder, "config.json", {"num_hidden_groups": groups, "inner_group_num": inner})
    with pytest.raises(ThanosqlError, match="it asks for 300 layers; 1 to 256 are possible"):
        load_encoder(folder)


def test_a_number_of_labels_costs_nothing(tmp_path: Path) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    _spoil(folder, "config.json", {"num_labels": 1000, "id2label": "none"})
    config: Any = load_encoder(folder).model.config
    assert len(config.id2label) < 1000


def test_a_token_around_texts_that_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    content = json.loads((folder / "tokenizer.json").read_text())
    content["post_processor"]["special_tokens"]["[CLS]"]["ids"] = [999_999]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ThanosqlError, match="its tokeniser has 1000000 tokens, the model knows") as raised:
        load_encoder(folder)
    assert raised.value.reason is Reason.INVALID_CHECKPOINT


async def test_how_a_configuration_wants_to_be_run_is_not_taken_from_it(tmp_path: Path) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    before = loaded_encoder(folder)
    ways = {"return_dict": False, "chunk_size_feed_forward": 3, "output_hidden_states": True}
    _spoil(folder, "config.json", ways)
    after = loaded_encoder(folder)
    for text in TEXTS:
        np.testing.assert_array_equal(await after.embed(text), await before.embed(text))
    await before.close()
    await after.close()


def test_what_would_be_computed_behind_the_mean_is_refused(tmp_path: Path) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ThanosqlError, match="names Dense; Transformer, Pooling and Normalize are understood"):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("of_encoder", "of_tokeniser", "longest"),
    [(12, 8, 12), (8, 12, 8), (None, 8, 8), (None, 1e30, LONGEST + 2), (1000, 8, LONGEST + 2)],
)
def test_the_limit_of_the_encoder_goes_before_that_of_its_tokeniser(
    tmp_path: Path, of_encoder: int | None, of_tokeniser: float, longest: int
) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    _spoil(folder, "sentence_bert_config.json", {"max_seq_length": of_encoder})
    _spoil(folder, "tokenizer_config.json", {"model_max_length": of_tokeniser})
    assert load_encoder(folder).tokeniser.room == longest - 2


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    folder = flattened(write_tiny_encoder(tmp_path))
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.0.output.dense.bias"][0] = torch.nan
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ThanosqlError, match="holds values that are no numbers"):
        load_encoder(folder)


def test_both_spellings_of_the_pooling_are_read(tmp_path: Path) -> None:
    folder = write_tiny_encoder(tmp_path)
    for content in (
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
        {"pooling_mode": "cls"},
    ):
        write_pooling(folder, dict(content))
        assert load_encoder(flattened(folder)).pooling.value == "cls"


def _spoil(folder: Path, change: str, content: dict[str, object]) -> None:
    path = folder / change.rstrip("#")
    if not content:
        path.unlink()
    elif path.name == "config.json":
        path.write_text(json.dumps(json.loads(path.read_text()) | content))
    else:
        path.write_text(json.dumps(content))
