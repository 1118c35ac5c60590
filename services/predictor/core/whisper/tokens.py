"""The tokens of Whisper: which are words, times, languages and orders, by their names in tokenizer.json."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from tokenizers import Tokenizer
from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from services.predictor.core.whisper.types import AUTO, SpeechTask, Wish
from thanosql_ctc.folders import invalid_checkpoint
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.nearest import nearest

_FILE = "tokenizer.json"
_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_MOST_NAMED = 12
# No name of a language is longer.
_LONGEST_NAME = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeechTokens:
    """What the numbers of tokens mean.

    Attributes:
        tokeniser: Makes text of words.
        start: Begins every answer.
        end: Ends it; words have smaller numbers.
        no_timestamps: Would ask for words without times.
        languages: By code; empty where the model knows English alone.
        tasks: The orders; empty likewise.
    """

    tokeniser: Tokenizer
    start: int
    end: int
    no_timestamps: int
    languages: Mapping[str, int]
    tasks: Mapping[SpeechTask, int]

    @classmethod
    def load(cls, folder: Path, vocab_size: int, *, is_multilingual: bool) -> Self:
        """Read them.

        Args:
            folder: The checkpoint.
            vocab_size: Of the model.
            is_multilingual: Those that know English alone have tokens of other languages too.

        Raises:
            ThanosqlError: INVALID_CHECKPOINT.
        """
        if not (folder / _FILE).is_file():
            raise invalid_checkpoint(folder, f"it lacks {_FILE}")
        try:
            tokeniser = Tokenizer.from_file(str(folder / _FILE))
        except Exception as failure:  # the library raises nothing more exact
            raise invalid_checkpoint(folder, f"{_FILE} cannot be read ({failure})") from failure
        try:
            return cls._of(tokeniser, vocab_size, is_multilingual=is_multilingual)
        except KeyError as failure:
            raise invalid_checkpoint(folder, f"{_FILE} lacks the token {failure}") from failure
        except ValueError as failure:
            raise invalid_checkpoint(folder, f"{_FILE} {failure}") from failure

    @classmethod
    def _of(cls, tokeniser: Tokenizer, vocab_size: int, *, is_multilingual: bool) -> Self:
        numbers = tokeniser.get_vocab(with_added_tokens=True)
        if tokeniser.get_vocab_size(with_added_tokens=True) > vocab_size:
            raise ValueError(f"has {len(numbers)} tokens, the model {vocab_size}")
        named = {
            match[1]: number for token, number in numbers.items() if (match := _LANGUAGE.fullmatch(token))
        }
        tasks = {task: numbers[f"<|{task.value}|>"] for task in SpeechTask}
        first, last = numbers["<|startoftranscript|>"], min(tasks.values())
        languages = {code: number for code, number in named.items() if first < number < last}
        no_timestamps = numbers["<|notimestamps|>"]
        if vocab_size <= no_timestamps + 1:
            raise ValueError("has no tokens for times")
        return cls(
            tokeniser=tokeniser,
            start=first,
            end=numbers["<|endoftext|>"],
            no_timestamps=no_timestamps,
            languages=MappingProxyType(languages if is_multilingual else {}),
            tasks=MappingProxyType(tasks if is_multilingual else {}),
        )

    @property
    def first_timestamp(self) -> int:
        """The token of the time 0; the others follow, each a fiftieth of a second later."""
        return self.no_timestamps + 1

    def prompt(self, language_id: int | None, task: SpeechTask) -> list[int]:
        """What an answer begins with; a model that knows English alone is told nothing but to begin."""
        if not self.languages:
            return [self.start]
        assert language_id is not None, "the language is found first"
        return [self.start, language_id, self.tasks[task]]

    def language_id(self, wish: Wish, model: str) -> int | None:
        """The token of the language that is wished; None for `auto`, and where there is but one.

        Raises:
            ThanosqlError: INVALID_OPTION_VALUE for a language or a task that the model does not know.
        """
        code = _code(wish.language)
        if not self.languages:
            if code not in (AUTO, "en") or wish.task is SpeechTask.TRANSLATE:
                text = f"model {model} knows English alone; leave language and task out"
                raise error(Reason.INVALID_OPTION_VALUE, text, option="language", value=wish.language)
            return None
        if code == AUTO:
            return None
        if code not in self.languages:
            raise self._unknown(wish.language, model)
        return self.languages[code]

    def text(self, tokens: Sequence[int]) -> str:
        """The words among tokens."""
        return str(self.tokeniser.decode([token for token in tokens if token < self.end])).strip()

    def _unknown(self, language: str, model: str) -> ThanosqlError:
        if len(language) > _LONGEST_NAME:
            language = f"{language[:_LONGEST_NAME]}..."
        suggestion = nearest(language.lower(), [*TO_LANGUAGE_CODE, *self.languages])
        some = ", ".join(sorted(self.languages)[:_MOST_NAMED])
        hint = f"did you mean {suggestion!r}?" if suggestion else f"it knows {some} and others, or 'auto'"
        facts = {"option": "language", "value": language} | ({"suggestion": suggestion} if suggestion else {})
        text = f"model {model} knows no language {language!r}; {hint}"
        return error(Reason.INVALID_OPTION_VALUE, text, **facts)


def _code(language: str) -> str:
    name = language.strip().lower()
    return str(TO_LANGUAGE_CODE.get(name, name)) or AUTO
