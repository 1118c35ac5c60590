"""Write a model as a folder in Hugging Face layout."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2ForCTC

from scripts.base_model.letters import VOCABULARY


def publish(model: Wav2Vec2ForCTC, folder: Path) -> None:
    """Replace a model folder's files; its README.md stays.

    Each file is complete before it takes its name, the weights last. Weights are halved to 16 bits; the
    configuration asks for 32, so that a load without arguments computes in 32 on a CPU.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    half = {
        name: weight.detach().to(torch.float16).contiguous() for name, weight in model.state_dict().items()
    }
    configuration = model.config.to_diff_dict() | {"architectures": ["Wav2Vec2ForCTC"], "dtype": "float32"}
    _write(draft / "config.json", configuration)
    _write(draft / "vocab.json", {letter: number for number, letter in enumerate(VOCABULARY.tokens)})
    _write(draft / "tokenizer_config.json", _TOKENIZER)
    _write(draft / "special_tokens_map.json", {key: _TOKENIZER[key] for key in _SPECIAL})
    _write(draft / "preprocessor_config.json", _PREPROCESSOR)
    save_file(half, draft / "model.safetensors", metadata={"format": "pt"})
    folder.mkdir(exist_ok=True)
    for path in sorted(draft.iterdir(), key=lambda path: path.suffix == ".safetensors"):
        path.chmod(0o644)  # safetensors writes for the owner alone; servers run as another user
        path.replace(folder / path.name)
    draft.rmdir()


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_SPECIAL = ("pad_token", "bos_token", "eos_token", "unk_token")
_TOKENIZER = {
    "tokenizer_class": "Wav2Vec2CTCTokenizer",
    "processor_class": "Wav2Vec2Processor",
    "pad_token": "<pad>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "word_delimiter_token": "|",
    "do_lower_case": False,
    "replace_word_delimiter_char": " ",
}
_PREPROCESSOR = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "processor_class": "Wav2Vec2Processor",
    "feature_size": 1,
    "sampling_rate": 16000,
    "padding_value": 0.0,
    "padding_side": "right",
    "do_normalize": True,
    # As for every model whose first layer is normalised over time: Hugging Face's own forward wants none.
    "return_attention_mask": False,
}
