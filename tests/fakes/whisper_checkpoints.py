"""Tiny Whisper models with random weights and a tokenizer: every part of the real thing, three languages."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import WhisperConfig, WhisperForConditionalGeneration

LANGUAGES = ("en", "ko", "de")
_ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
_SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{language}|>" for language in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
    *(f"<|{place / 50:.2f}|>" for place in range(1501)),
)
NUMBERS = {token: len(_ALPHABET) + place for place, token in enumerate(_SPECIAL)}
VOCAB_SIZE = len(_ALPHABET) + len(_SPECIAL)


def tiny_whisper(seed: int = 0) -> WhisperForConditionalGeneration:
    """Real windows of half a minute, narrow everywhere else; answers of at most 60 tokens."""
    config = WhisperConfig(
        vocab_size=VOCAB_SIZE,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_mel_bins=80,
        max_target_positions=64,
        decoder_start_token_id=NUMBERS["<|startoftranscript|>"],
        eos_token_id=NUMBERS["<|endoftext|>"],
        bos_token_id=NUMBERS["<|endoftext|>"],
        pad_token_id=NUMBERS["<|endoftext|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: WhisperForConditionalGeneration = WhisperForConditionalGeneration(config)
        model.train(mode=False)
        with torch.no_grad():  # the default scale makes all answers alike; real models are not
            for weight in model.parameters():
                weight.mul_(4.0)
    return model


def write_tiny_whisper(folder: Path, *, is_multilingual: bool = True, seed: int = 0) -> Path:
    """A checkpoint folder as a user would have it."""
    tiny_whisper(seed).save_pretrained(folder)
    tokeniser = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(_ALPHABET)}, merges=[]))
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    tokeniser.add_special_tokens(list(_SPECIAL))
    tokeniser.save(str(folder / "tokenizer.json"))
    generation = {"is_multilingual": is_multilingual, "suppress_tokens": [5], "begin_suppress_tokens": [7]}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    preprocessor = {"sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80, **preprocessor}))
    return folder
