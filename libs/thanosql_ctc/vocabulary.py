"""The characters that a CTC model writes, as vocab.json and tokenizer_config.json keep them."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from thanosql_ctc.folders import invalid_checkpoint, read_json
from thanosql_runtime.errors import Reason, error

VOCABULARY_FILE = "vocab.json"
TOKENIZER_FILE = "tokenizer_config.json"
_SPECIAL_ROLES = ("pad_token", "unk_token", "bos_token", "eos_token")
_WHITESPACE = re.compile(r"\s+")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Tokens by their number.

    Attributes:
        tokens: Position is the label of the model.
        blank_id: The label that CTC puts between characters; Hugging Face calls it the pad token.
        word_delimiter: The token that stands for the space.
        special_ids: Labels that never become text: blank, unknown, begin, end.
        lower_case_output: Text is written in lower case although the tokens are upper case.
    """

    tokens: tuple[str, ...]
    blank_id: int
    word_delimiter: str = "|"
    special_ids: frozenset[int] = frozenset()
    lower_case_output: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.blank_id < len(self.tokens):
            raise ValueError(f"blank_id {self.blank_id} is no label of {len(self.tokens)} tokens")
        if len(set(self.tokens)) != len(self.tokens):
            raise ValueError("a token stands twice in the vocabulary")

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def delimiter_ids(self) -> frozenset[int]:
        """The label that stands for the space, or those that are white space; empty where there is none."""
        named = frozenset(at for at, token in enumerate(self.tokens) if token == self.word_delimiter)
        return named or frozenset(at for at, token in enumerate(self.tokens) if token.isspace())

    @classmethod
    def of_characters(cls, characters: str) -> Self:
        """Build the usual layout: the four special tokens, the delimiter, then the characters."""
        tokens = ("<pad>", "<s>", "</s>", "<unk>", "|", *characters)
        return cls(tokens=tokens, blank_id=0, special_ids=frozenset(range(4)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read vocab.json, and tokenizer_config.json where there is one.

        Raises:
            ThanosqlError: INVALID_CHECKPOINT, with the file and what is wrong in it.
        """
        settings = _tokenizer_settings(folder)
        labels = _labels(folder, settings)
        tokens = tuple(sorted(labels, key=labels.__getitem__))
        blank = _token(settings, "pad_token", "<pad>")
        if blank not in labels:
            raise invalid_checkpoint(folder, f"{VOCABULARY_FILE} lacks the pad token {blank!r}, CTC's blank")
        delimiter = _token(settings, "word_delimiter_token", "|")
        defaults = ("<pad>", "<unk>", "<s>", "</s>")
        roles = zip(_SPECIAL_ROLES, defaults, strict=True)
        special = {_token(settings, role, default) for role, default in roles} - {delimiter}
        return cls(
            tokens=tokens,
            blank_id=labels[blank],
            word_delimiter=delimiter,
            special_ids=frozenset(labels[token] for token in special if token in labels),
            lower_case_output=bool(settings.get("do_lower_case", False)),
        )

    def save(self, folder: Path) -> None:
        """Write vocab.json and tokenizer_config.json so that `load` and Hugging Face read them."""
        labels = {token: label for label, token in enumerate(self.tokens)}
        settings: dict[str, object] = {
            "tokenizer_class": "Wav2Vec2CTCTokenizer",
            "pad_token": self.tokens[self.blank_id],
            "word_delimiter_token": self.word_delimiter,
            "do_lower_case": self.lower_case_output,
            "replace_word_delimiter_char": " ",
        }
        for role, token in (("unk_token", "<unk>"), ("bos_token", "<s>"), ("eos_token", "</s>")):
            settings[role] = token if labels.get(token) in self.special_ids else None
        (folder / VOCABULARY_FILE).write_text(json.dumps(labels, ensure_ascii=False, indent=1), "utf-8")
        (folder / TOKENIZER_FILE).write_text(json.dumps(settings, ensure_ascii=False, indent=1), "utf-8")

    def normalise(self, text: str) -> str:
        """Write text as the vocabulary writes it: its case, single spaces, its apostrophe."""
        composed = unicodedata.normalize("NFC", text)
        if "'" in self._labels and "’" not in self._labels:
            composed = composed.replace("’", "'")
        if self._cases == {"upper"}:
            composed = composed.upper()
        elif self._cases == {"lower"}:
            composed = composed.lower()
        return _WHITESPACE.sub(" ", composed).strip()

    def unknown_characters(self, text: str) -> str:
        """Name the characters of the normalised text that no label writes, each once, in order."""
        characters = dict.fromkeys(self.normalise(text))
        return "".join(character for character in characters if self._label(character) is None)

    def encode(self, text: str) -> list[int]:
        """Turn text, normalised first, into labels.

        Raises:
            ThanosqlError: TEXT_OUTSIDE_VOCABULARY, naming the characters that cannot be written.
        """
        normalised = self.normalise(text)
        unknown = self.unknown_characters(normalised)
        if unknown:
            listed = " ".join(repr(character) for character in unknown[:20])
            raise error(
                Reason.TEXT_OUTSIDE_VOCABULARY,
                f"the text holds characters that the model's vocabulary lacks: {listed}",
                characters=unknown[:100],
            )
        return [label for label in map(self._label, normalised) if label is not None]

    def decode(self, ids: Sequence[int]) -> str:
        """Turn labels into text; special labels are left out, repeats are kept."""
        written = (self.tokens[label] for label in ids if label not in self._silent_ids)
        text = "".join(" " if token == self.word_delimiter else token for token in written)
        text = _WHITESPACE.sub(" ", text).strip()
        return text.lower() if self.lower_case_output else text

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {token: label for label, token in enumerate(self.tokens) if label not in self._silent_ids}

    @cached_property
    def _silent_ids(self) -> frozenset[int]:
        return self.special_ids | {self.blank_id}

    @cached_property
    def _cases(self) -> set[str]:
        letters = [token for token in self._labels if len(token) == 1 and token.upper() != token.lower()]
        return {"upper" if letter == letter.upper() else "lower" for letter in letters}

    def _label(self, character: str) -> int | None:
        if character == " ":
            return self._labels.get(self.word_delimiter)
        if character == self.word_delimiter:
            return None  # a literal '|' in a text is no space
        return self._labels.get(character)


def _tokenizer_settings(folder: Path) -> dict[str, Any]:
    # Any: json. Older checkpoints keep the special tokens in a file of their own.
    settings: dict[str, Any] = {}
    for name in ("special_tokens_map.json", TOKENIZER_FILE):
        if (folder / name).exists():
            settings |= {key: value for key, value in read_json(folder, name).items() if value is not None}
    return settings


def _token(settings: dict[str, Any], role: str, default: str) -> str:
    value = settings.get(role, default)
    if isinstance(value, dict):
        value = value.get("content", default)
    return str(value)


def _labels(folder: Path, settings: dict[str, Any]) -> dict[str, int]:
    labels = read_json(folder, VOCABULARY_FILE)
    if not labels or not all(isinstance(label, int) for label in labels.values()):
        problem = f"{VOCABULARY_FILE} must map every token to its number"
        raise invalid_checkpoint(folder, f"{problem}; vocabularies nested by language are not supported")
    if (folder / "added_tokens.json").exists():
        labels |= read_json(folder, "added_tokens.json")
    for label, added in settings.get("added_tokens_decoder", {}).items():
        labels.setdefault(str(added["content"]), int(label))
    if sorted(labels.values()) != list(range(len(labels))):
        raise invalid_checkpoint(
            folder, f"{VOCABULARY_FILE} must number its tokens from 0 without gaps or repeats"
        )
    return labels
