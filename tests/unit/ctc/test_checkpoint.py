"""Checkpoint folders: written, read, read by Hugging Face, and refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2ForCTC, Wav2Vec2ForPreTraining, Wav2Vec2Processor

from tests.fakes.predictor_checkpoints import tiny_model, tiny_vocabulary, write_tiny_checkpoint
from thanosql_ctc.checkpoint import load_checkpoint, save_checkpoint
from thanosql_runtime.errors import Reason, ThanosqlError


def logits(model: Wav2Vec2ForCTC) -> torch.Tensor:
    with torch.inference_mode():
        answer: torch.Tensor = model(torch.sin(torch.arange(8_000) / 50.0)[None]).logits
    return answer


def edit_json(folder: Path, name: str, **changes: object) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | changes))


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_saved_model_loads_as_it_was(tmp_path: Path, norm: str) -> None:
    model = tiny_model(norm)
    save_checkpoint(tmp_path / "model", model, tiny_vocabulary(), do_normalize=False, sample_rate_hz=8_000)
    loaded = load_checkpoint(tmp_path / "model")
    assert torch.equal(logits(loaded.model), logits(model))
    assert loaded.vocabulary == tiny_vocabulary()
    assert (loaded.sample_rate_hz, loaded.do_normalize) == (8_000, False)
    assert not loaded.model.training


def test_half_the_size_is_nearly_the_same_model_in_float32(tmp_path: Path) -> None:
    model = tiny_model()
    save_checkpoint(tmp_path / "whole", model, tiny_vocabulary())
    save_checkpoint(tmp_path / "half", model, tiny_vocabulary(), half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.7 * sizes[1]
    loaded = load_checkpoint(tmp_path / "half").model
    assert loaded.lm_head.weight.dtype == torch.float32
    assert torch.allclose(logits(loaded), logits(model), atol=0.05)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_hugging_face_loads_what_is_saved(tmp_path: Path, norm: str) -> None:
    model = tiny_model(norm)
    save_checkpoint(tmp_path / "model", model, tiny_vocabulary())
    theirs = Wav2Vec2ForCTC.from_pretrained(tmp_path / "model", local_files_only=True)
    assert torch.allclose(logits(theirs.train(mode=False)), logits(model), atol=1e-5)
    processor = Wav2Vec2Processor.from_pretrained(tmp_path / "model")
    assert processor.feature_extractor.do_normalize


def test_what_hugging_face_saves_is_loaded(tmp_path: Path) -> None:
    model = tiny_model()
    save_checkpoint(tmp_path / "ours", model, tiny_vocabulary())
    processor = Wav2Vec2Processor.from_pretrained(tmp_path / "ours")
    model.save_pretrained(tmp_path / "theirs", max_shard_size="50KB")
    processor.save_pretrained(tmp_path / "theirs")
    assert (tmp_path / "theirs" / "model.safetensors.index.json").exists()
    loaded = load_checkpoint(tmp_path / "theirs")
    assert torch.equal(logits(loaded.model), logits(model))
    assert loaded.vocabulary.blank_id == 0


def test_the_layout_of_facebook_wav2vec2_base_960h_is_loaded(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "base")
    model = load_checkpoint(folder).model

    def age(weights: dict[str, torch.Tensor]) -> None:
        prefix = "wav2vec2.encoder.pos_conv_embed.conv."
        weights[prefix + "weight_g"] = weights.pop(prefix + "parametrizations.weight.original0")
        weights[prefix + "weight_v"] = weights.pop(prefix + "parametrizations.weight.original1")
        del weights["wav2vec2.masked_spec_embed"]

    edit_weights(folder, age)
    (folder / "special_tokens_map.json").write_text(
        json.dumps({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})
    )
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": False, "return_attention_mask": False, "do_normalize": True})
    )
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    assert torch.equal(logits(load_checkpoint(folder).model), logits(model))


def test_saving_replaces_a_folder_whole(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "model", seed=1)
    (folder / "stale.txt").write_text("from before")
    save_checkpoint(folder, tiny_model(seed=2), tiny_vocabulary())
    assert not (folder / "stale.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert torch.equal(logits(load_checkpoint(folder).model), logits(tiny_model(seed=2)))


def test_a_loaded_model_outlives_its_files(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "model")
    model = load_checkpoint(folder).model
    before = logits(model)
    (folder / "model.safetensors").write_bytes(b"")
    assert torch.equal(logits(model), before)


def test_a_vocabulary_that_does_not_fit_the_head_is_a_bug_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 tokens for a head of 40"):
        save_checkpoint(tmp_path / "model", tiny_model(vocab_size=40), tiny_vocabulary())


def only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def set_nan(weights: dict[str, torch.Tensor]) -> None:
    weights["lm_head.bias"][3] = float("nan")


def outside_index(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(
        '{"weight_map": {"lm_head.bias": "../../etc/passwd"}}'
    )


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (only_pickle, "pickle.*convert it with"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"lacks model\.safetensors"),
        (lambda folder: (folder / "config.json").unlink(), r"lacks config\.json"),
        (lambda folder: (folder / "vocab.json").unlink(), r"lacks vocab\.json"),
        (lambda folder: (folder / "config.json").write_text("[]"), "JSON object"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"junk"), "is damaged"),
        (outside_index, "not in the folder"),
        (lambda folder: edit_json(folder, "config.json", model_type="whisper"), "whisper"),
        (
            lambda folder: edit_json(folder, "config.json", architectures=[Wav2Vec2ForPreTraining.__name__]),
            "Wav2Vec2ForPreTraining.*CTC head",
        ),
        (lambda folder: edit_json(folder, "config.json", add_adapter=True), "adapter"),
        (lambda folder: edit_json(folder, "config.json", hidden_size=64), r"has shape .* asks for"),
        (lambda folder: edit_json(folder, "config.json", hidden_size="many"), "inconsistent"),
        (lambda folder: edit_json(folder, "config.json", conv_dim=[16]), "inconsistent"),
        (lambda folder: edit_json(folder, "config.json", num_hidden_layers=10**9), "10{9} .* layers"),
        (lambda folder: edit_json(folder, "config.json", num_hidden_layers=3), "weights lack"),
        (lambda folder: edit_json(folder, "config.json", num_hidden_layers=1), "the model lacks"),
        (lambda folder: edit_json(folder, "config.json", feat_extract_norm="batch"), "feat_extract_norm"),
        (lambda folder: edit_json(folder, "config.json", hidden_act="os.system"), "inconsistent"),
        (lambda folder: edit_json(folder, "config.json", pad_token_id=5), "blank"),
        (lambda folder: edit_json(folder, "config.json", vocab_size=31), r"vocab\.json has 32 tokens.*31"),
        (lambda folder: edit_json(folder, "preprocessor_config.json", sampling_rate="x"), "sampling_rate"),
        (lambda folder: edit_weights(folder, set_nan), r"lm_head\.bias holds values that are no numbers"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_says_why(
    tmp_path: Path, damage: Callable[[Path], object], problem: str
) -> None:
    folder = write_tiny_checkpoint(tmp_path / "model")
    damage(folder)
    with pytest.raises(ThanosqlError, match=problem) as caught:
        load_checkpoint(folder)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT
    assert "checkpoint 'model'" in caught.value.message


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ThanosqlError, match="no folder"):
        load_checkpoint(tmp_path / "nowhere")


def test_settings_about_code_in_a_config_are_ignored(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "model")
    foreign = {"auto_map": {"AutoModel": "evil.py"}, "_attn_implementation": "flash_attention_2"}
    edit_json(folder, "config.json", torch_dtype="bfloat16", quantization_config={"bits": 4}, **foreign)
    assert load_checkpoint(folder).model.lm_head.weight.dtype == torch.float32


@pytest.mark.parametrize(("weight", "half"), [(float("nan"), False), (float("inf"), False), (1e30, True)])
def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path, weight: float, half: bool) -> None:
    model = tiny_model()
    model.lm_head.weight.data[0, 0] = weight
    with pytest.raises(ThanosqlError, match=r"'model' .* lm_head\.weight holds values that are no"):
        save_checkpoint(tmp_path / "model", model, tiny_vocabulary(), half=half)
    assert list(tmp_path.iterdir()) == []
