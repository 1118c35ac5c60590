"""Texts into windows of tokens, none of which is longer than the model takes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import BertWordPieceTokenizer, Encoding, Tokenizer

from thanosql_ctc.folders import invalid_checkpoint, read_json

Tokens = npt.NDArray[np.int64]

_TOKENISER_FILE = "tokenizer.json"
_WORDS_FILE = "vocab.txt"
_SETTINGS_FILE = "tokenizer_config.json"
_LIMITS_FILE = "sentence_bert_config.json"
# Families whose tokeniser a list of words alone describes.
_OF_WORDS = frozenset({"bert", "distilbert", "electra"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """A part of a text.

    Attributes:
        tokens: With those that the model wants at the start and the end.
        weight: How many of them are of the text.
    """

    tokens: Tokens
    weight: int


class Tokeniser:
    """Cuts texts; safe in several threads.

    Args:
        tokenizer: What cuts.
        longest: Tokens that the model takes at once.
        lower_case: Whether texts are put in lower case before.
    """

    def __init__(self, tokenizer: Tokenizer, longest: int, *, lower_case: bool = False) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._room = longest - tokenizer.num_special_tokens_to_add(is_pair=False)
        self._lower_case = lower_case
        if self._room < 1:
            raise ValueError(f"{longest} tokens at once leave no room for those of a text")

    @property
    def vocabulary_size(self) -> int:
        """One more than the highest number of a token, those at the start and the end of windows included."""
        listed = self._tokenizer.get_vocab(with_added_tokens=True).values()
        # Their numbers stand apart from the list, and may be others.
        around = self._tokenizer.post_process(self._tokenizer.encode("", add_special_tokens=False)).ids
        return 1 + max([*listed, *around], default=-1)

    @property
    def room(self) -> int:
        """Tokens of a text that go into one window."""
        return self._room

    def windows(self, text: str) -> list[Window]:
        """The text in parts of nearly equal length, as few as there can be; none where it has no token."""
        encoded = self._tokenizer.encode(text.lower() if self._lower_case else text, add_special_tokens=False)
        count = len(encoded.ids)
        if not count:
            return []
        parts = -(-count // self._room)
        encoded.truncate(-(-count // parts))
        return [self._window(part) for part in (encoded, *encoded.overflowing)]

    def _window(self, part: Encoding) -> Window:
        whole = self._tokenizer.post_process(part)
        return Window(tokens=np.array(whole.ids, dtype=np.int64), weight=len(part.ids))


def load_tokeniser(folder: Path, family: str, longest: int) -> Tokeniser:
    """Read the tokeniser of a checkpoint.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT.
    """
    lower_case = _flag(folder, _LIMITS_FILE, default=False)
    try:
        return Tokeniser(_read(folder, family), longest, lower_case=lower_case)
    except ValueError as failure:
        raise invalid_checkpoint(folder, str(failure)) from failure


def _read(folder: Path, family: str) -> Tokenizer:
    if (folder / _TOKENISER_FILE).is_file():
        try:
            return Tokenizer.from_file(str(folder / _TOKENISER_FILE))
        # The library raises Exception itself for a file that it cannot read.
        except Exception as failure:
            raise invalid_checkpoint(folder, f"{_TOKENISER_FILE} is damaged ({failure})") from failure
    if not (folder / _WORDS_FILE).is_file() or family not in _OF_WORDS:
        needed = f"{_TOKENISER_FILE} or {_WORDS_FILE}" if family in _OF_WORDS else _TOKENISER_FILE
        raise invalid_checkpoint(folder, f"it lacks {needed}")
    words = str(folder / _WORDS_FILE)
    try:
        read = BertWordPieceTokenizer(words, lowercase=_flag(folder, _SETTINGS_FILE, default=True))
        return Tokenizer.from_str(read.to_str())
    except Exception as failure:  # as above
        raise invalid_checkpoint(folder, f"{_WORDS_FILE} is no list of words ({failure})") from failure


def _flag(folder: Path, name: str, *, default: bool) -> bool:
    content = read_json(folder, name) if (folder / name).is_file() else {}
    return content.get("do_lower_case", default) is True
