"""Tiny text encoders with random weights, tokeniser included, in the layouts that users have."""

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ("a", "and", "bell", "door", "good", "library", "morning", "open", "opens", "rings", "the", "where")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LONGEST = 16


def write_tiny_encoder(
    folder: Path, family: str = "bert", *, seed: int = 0, pooling: str | None = "mean_tokens"
) -> Path:
    """A folder as sentence-transformers writes it; without a pooling, as Hugging Face does."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = [
        *SPECIAL,
        *WORDS,
        *LETTERS,
        *(f"##{c}" for c in LETTERS),
    ]
    tokens = list(dict.fromkeys(tokens))
    config = AutoConfig.for_model(
        family,
        vocab_size=len(tokens),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=LONGEST + 2,
        pad_token_id=0,
        **({"embedding_size": 16} if family in ("albert", "electra") else {}),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModel.from_config(config)
        with torch.no_grad():  # the default scale makes all texts alike
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(folder)
    tokenizer(tokens).save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": LONGEST}))
    if pooling is not None:
        write_pooling(folder, {f"pooling_mode_{pooling}": True})
    return folder


def write_pooling(folder: Path, content: dict[str, object]) -> None:
    """What sentence-transformers has beside the model."""
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(content))
    places = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [{"path": place, "type": f"sentence_transformers.models.{kind}"} for kind, place in places]
    (folder / "modules.json").write_text(json.dumps(modules))


def flattened(folder: Path) -> Path:
    """The folder as the catalog has it: files side by side."""
    pooling = folder / "1_Pooling"
    if pooling.is_dir():
        shutil.copy(pooling / "config.json", folder / "pooling.json")
        shutil.rmtree(pooling)
    return folder


def tokenizer(tokens: list[str]) -> Tokenizer:
    """As BERT's: lower case, words in pieces, one token at the start and one at the end."""
    numbers = {token: number for number, token in enumerate(tokens)}
    made = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, numbers[name]) for name in ("[CLS]", "[SEP]")]
    )
    # As published ones have it; texts must not be cut by it.
    made.enable_truncation(8)
    made.enable_padding(length=8)
    return made
