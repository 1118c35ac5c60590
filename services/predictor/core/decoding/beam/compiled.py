"""Language models as arrays in a folder: made once of a file and a vocabulary, mapped by every process."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from services.predictor.core.decoding.beam.fusion import LanguageModel
from services.predictor.core.decoding.beam.lexicon import Lexicon
from services.predictor.core.decoding.beam.ngrams import NGrams
from thanosql_runtime.errors import Reason, error

_FACTS_FILE = "facts.json"
_NGRAM_ARRAYS = ("keys", "log_probs", "backoffs", "suffixes", "nexts")
_LEXICON_ARRAYS = ("hashes", "words", "begins", "best")
_NGRAM_FACTS = ("order", "size", "begin", "end_word", "unknown_word")


def save(folder: Path, model: LanguageModel) -> None:
    """Write a model into an empty folder, with the digests of its arrays."""
    arrays = {name: getattr(model.ngrams, name) for name in _NGRAM_ARRAYS}
    arrays |= {name: getattr(model.lexicon, name) for name in _LEXICON_ARRAYS}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    facts = {name: getattr(model.ngrams, name) for name in _NGRAM_FACTS}
    digests = {name: _digest(folder / f"{name}.npy") for name in arrays}
    (folder / _FACTS_FILE).write_text(json.dumps({"facts": facts, "digests": digests}), encoding="utf-8")


def is_intact(folder: Path) -> bool:
    """Whether a folder holds all that `save` wrote, and no other bytes."""
    try:
        _verified(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def load(folder: Path) -> LanguageModel:
    """Map a model whose arrays are those that were written.

    Raises:
        ThanosqlError: CHECKSUM_MISMATCH where they are not, or are missing.
    """
    try:
        content = _verified(folder)
        return LanguageModel(
            ngrams=NGrams(**_mapped(folder, _NGRAM_ARRAYS), **_facts(content["facts"])),
            lexicon=Lexicon(**_mapped(folder, _LEXICON_ARRAYS)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        message = f"the language model in the cache is damaged ({failure}); run the statement again"
        raise error(Reason.CHECKSUM_MISMATCH, message) from failure


def _verified(folder: Path) -> dict[str, Any]:  # Any: json
    content: dict[str, Any] = json.loads((folder / _FACTS_FILE).read_text(encoding="utf-8"))
    for name in (*_NGRAM_ARRAYS, *_LEXICON_ARRAYS):
        if _digest(folder / f"{name}.npy") != content["digests"][name]:
            raise ValueError(f"{name} has other bytes than were written")
    return content


def _mapped(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    # Any: arrays whose types are as `save` found them; their bytes are verified.
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names}


def _facts(content: Mapping[str, object]) -> dict[str, Any]:
    # Any: whole numbers, passed on to typed fields.
    return {name: int(str(content[name])) for name in _NGRAM_FACTS}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
