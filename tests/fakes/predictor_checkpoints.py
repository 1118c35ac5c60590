"""Tiny CTC models with random weights: every part of the real thing, in a few thousand numbers."""

from pathlib import Path
from typing import Any

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from thanosql_ctc.checkpoint import save_checkpoint
from thanosql_ctc.families import ARCHITECTURES as KINDS
from thanosql_ctc.families import CtcConfig, CtcModel
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


ARCHITECTURES = ("wav2vec2", "hubert", "hubert-batch-norm", "wavlm", "wavlm-layer", "data2vec-audio")
"""One small model of each: the norms, positional convolutions and biases that they differ in."""


def tiny_model_of(architecture: str, *, seed: int = 0) -> CtcModel:
    """Real strides and kernels, narrow everywhere else, random weights; some of a norm's statistics too."""
    kind = architecture.removesuffix("-batch-norm").removesuffix("-layer")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = KINDS[kind].model(_tiny_config(kind, architecture))  # type: ignore[arg-type]  # its own
        model.train(mode=False)
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(2.0)
            for name, statistics in model.named_buffers():
                if "running" in name:
                    statistics.uniform_(0.5, 2.0)
    return model


def write_tiny_checkpoint_of(folder: Path, architecture: str) -> Path:
    """A checkpoint folder of that architecture as a user would have it."""
    save_checkpoint(folder, tiny_model_of(architecture), tiny_vocabulary())
    return folder


def _tiny_config(kind: str, variant: str) -> CtcConfig:
    sizes: dict[str, Any] = {  # Any: values of many types
        "vocab_size": 32,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "conv_dim": (16,) * 7,
        "num_conv_pos_embedding_groups": 4,
        "pad_token_id": 0,
        "mask_time_length": 2,
        "layerdrop": 0.0,
    }
    match kind:
        case "data2vec-audio":
            sizes |= {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 7}
        case "wavlm":
            sizes |= {"num_conv_pos_embeddings": 16, "num_buckets": 32, "max_bucket_distance": 80}
        case _:
            sizes |= {"num_conv_pos_embeddings": 16}
    if variant == "hubert-batch-norm":
        sizes |= {"conv_pos_batch_norm": True, "feat_proj_layer_norm": False}
    if variant == "wavlm-layer":
        sizes |= {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
    return KINDS[kind].config(**sizes)
