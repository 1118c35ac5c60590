"""What an option may be set to: the literals of the language and the types that they are held against."""

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from services.parser.core.faults import fault, nearest, shorten
from services.parser.core.plan_options import Hotword
from services.parser.core.plan_parts import Name
from thanosql_runtime.errors import Reason, Span, ThanosqlError

_LONGEST_NUMBER = 40

Scalar: TypeAlias = "str | int | float | bool | tuple[Literal, ...] | None"


@dataclass(frozen=True, kw_only=True)
class Literal:
    """A value as written in OPTIONS: text, number, truth value, None, or a list of them."""

    value: Scalar
    span: Span

    def __str__(self) -> str:
        if isinstance(self.value, tuple):
            return "a list" if self.value else "an empty list"
        if isinstance(self.value, str):
            return f"the string '{shorten(self.value)}'" if self.value.strip() else "an empty string"
        return str(self.value)


@dataclass(frozen=True, kw_only=True)
class GivenOption:
    """One `name = value` of a statement; the name is in lower case."""

    name: Name
    value: Literal


class OptionType(Protocol):
    """Turns a literal into the value of an option, or refuses it with the reason."""

    def read(self, option: GivenOption) -> str | int | float | bool | tuple[Hotword, ...] | tuple[str, ...]:
        """The value, checked."""


@dataclass(frozen=True, kw_only=True)
class TextType:
    """Any text but the empty one, such as the name of a column."""

    meaning: str

    def read(self, option: GivenOption) -> str:
        """The text."""
        value = option.value.value
        if not isinstance(value, str) or not value.strip():
            raise refusal(option, self.meaning)
        return value


@dataclass(frozen=True, kw_only=True)
class BooleanType:
    """True or False."""

    def read(self, option: GivenOption) -> bool:
        """The truth value."""
        if not isinstance(option.value.value, bool):
            raise refusal(option, "True or False")
        return option.value.value


@dataclass(frozen=True, kw_only=True)
class IntegerType:
    """A whole number within bounds, both included."""

    least: int
    most: int

    def read(self, option: GivenOption) -> int:
        """The number."""
        value = option.value.value
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise refusal(option, f"a whole number from {self.least} to {self.most}")
        return value


@dataclass(frozen=True, kw_only=True)
class FractionType:
    """A number above 0 and at most 1."""

    def read(self, option: GivenOption) -> float:
        """The number."""
        value = option.value.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise refusal(option, "a number above 0 and at most 1")
        return float(value)


@dataclass(frozen=True, kw_only=True)
class NumberType:
    """A number within bounds, both included."""

    least: float
    most: float

    def read(self, option: GivenOption) -> float:
        """The number."""
        value = option.value.value
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.least <= value <= self.most
        ):
            raise refusal(option, f"a number from {self.least:g} to {self.most:g}")
        return float(value)


@dataclass(frozen=True, kw_only=True)
class ColumnsType:
    """The name of a column, or a list of them.

    Attributes:
        most: Columns at most.
    """

    most: int

    def read(self, option: GivenOption) -> tuple[str, ...]:
        """The names."""
        value = option.value.value
        items = value if isinstance(value, tuple) else (option.value,)
        names = [item.value for item in items if isinstance(item.value, str) and item.value.strip()]
        if not 1 <= len(items) <= self.most or len(names) < len(items):
            raise refusal(option, f"a quoted column name, or a list of 1 to {self.most}")
        folded = [name.casefold() for name in names]
        for item, name in zip(items, folded, strict=True):
            if folded.count(name) > 1:
                raise refusal(GivenOption(name=option.name, value=item), "every column once")
        return tuple(names)


@dataclass(frozen=True, kw_only=True)
class HotwordsType:
    """A list of phrases, each alone or in a list with its own weight.

    Attributes:
        most: Phrases at most.
        longest: Characters of a phrase at most.
        largest_weight: Above and below 0.
    """

    most: int
    longest: int
    largest_weight: float

    def read(self, option: GivenOption) -> tuple[Hotword, ...]:
        """The phrases."""
        items = option.value.value
        if not isinstance(items, tuple) or not 1 <= len(items) <= self.most:
            raise refusal(option, f"a list of 1 to {self.most} phrases, such as ['refund', 'charge back']")
        return tuple(self._hotword(option, item) for item in items)

    def _hotword(self, option: GivenOption, item: Literal) -> Hotword:
        parts = item.value if isinstance(item.value, tuple) else (item,)
        phrase = parts[0].value if parts else None
        weight = parts[1].value if len(parts) == 2 else None
        if not isinstance(phrase, str) or not 1 <= len(phrase.strip()) <= self.longest or len(parts) > 2:
            expected = f"a phrase of 1 to {self.longest} characters, or ['refund', 12] with its weight"
            raise refusal(GivenOption(name=option.name, value=item), expected)
        if len(parts) == 1:
            return Hotword(phrase=phrase)
        if (
            isinstance(weight, bool)
            or not isinstance(weight, int | float)
            or abs(weight) > self.largest_weight
        ):
            place = GivenOption(name=option.name, value=parts[1])
            raise refusal(place, f"a weight from -{self.largest_weight:g} to {self.largest_weight:g}")
        return Hotword(phrase=phrase, weight=float(weight))


@dataclass(frozen=True, kw_only=True)
class ChoiceType:
    """One of a few words, in any case."""

    choices: tuple[str, ...]

    def read(self, option: GivenOption) -> str:
        """The word, in lower case."""
        value = option.value.value
        if not isinstance(value, str):
            raise refusal(option, " or ".join(f"'{choice}'" for choice in self.choices))
        if value.lower() not in self.choices:
            raise fault(
                f"'{shorten(value)}' is not a value of option '{option.name.text}'",
                option.value.span,
                reason=Reason.INVALID_OPTION_VALUE,
                suggestion=nearest(value, self.choices),
                known=self.choices,
            )
        return value.lower()


def read_number(written: str, span: Span) -> Literal:
    """The number that a text writes.

    Raises:
        ThanosqlError: It is absurdly long or not finite.
    """
    if len(written) > _LONGEST_NUMBER:
        raise fault("the number is too long", span, reason=Reason.INVALID_OPTION_VALUE)
    value: int | float = int(written) if written.lstrip("+-").isdecimal() else float(written)
    if math.isinf(value):
        raise fault("the number is too large", span, reason=Reason.INVALID_OPTION_VALUE)
    return Literal(value=value, span=span)


def refusal(option: GivenOption, expected: str) -> ThanosqlError:
    """The error for a value that an option does not take."""
    return fault(
        f"option '{option.name.text}': expected {expected}, got {option.value}",
        option.value.span,
        reason=Reason.INVALID_OPTION_VALUE,
        expected=[expected],
    )
