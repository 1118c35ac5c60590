"""Tiny Wav2Vec2 CTC models with random weights: every part of the real thing, in a few thousand numbers."""

from pathlib import Path

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from thanosql_ctc.checkpoint import save_checkpoint
from thanosql_ctc.vocabulary import Vocabulary

LETTERS = "'ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def tiny_model(norm: str = "group", *, seed: int = 0, vocab_size: int = 32) -> Wav2Vec2ForCTC:
    """Real strides and kernels (receptive field 400, step 320), narrow everywhere else."""
    config = Wav2Vec2Config(
        vocab_size=vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        feat_extract_norm=norm,
        conv_bias=norm == "layer",
        do_stable_layer_norm=norm == "layer",
        pad_token_id=0,
        mask_time_length=2,
        layerdrop=0.0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Wav2Vec2ForCTC = Wav2Vec2ForCTC(config)
        model.train(mode=False)
        with torch.no_grad():  # the default scale makes all frames alike; real models are not
            for weight in model.parameters():
                weight.mul_(2.0)
    return model


def tiny_vocabulary() -> Vocabulary:
    """32 labels, as facebook/wav2vec2-base-960h has."""
    return Vocabulary.of_characters(LETTERS)


def write_tiny_checkpoint(folder: Path, norm: str = "group", *, seed: int = 0) -> Path:
    """A checkpoint folder as a user would have it."""
    save_checkpoint(folder, tiny_model(norm, seed=seed), tiny_vocabulary())
    return folder
