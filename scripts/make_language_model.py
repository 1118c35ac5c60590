"""Makes an n-gram language model of texts: one a line on standard input, an ARPA file on standard output.

\b
Modified Kneser-Ney smoothing, interpolated, after Chen and Goodman, "An Empirical
Study of Smoothing Techniques for Language Modeling" (1998). For texts that fit into
memory; for larger ones use KenLM's lmplz, which gives the same format.

    python -m scripts.make_language_model --order 3 < texts.txt > lm/texts.arpa
"""  # noqa: D301 - click takes the backspace for "leave these lines as they are"

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

Words = tuple[str, ...]
_BEGIN, _END, _UNKNOWN = "<s>", "</s>", "<unk>"
_MARKS = frozenset({_BEGIN, _END, _UNKNOWN})
_NEVER = -99.0


class KneserNey:
    """A model of some texts.

    Args:
        texts: The words of each.
        order: Words of the longest n-gram.
    """

    def __init__(self, texts: Iterable[Sequence[str]], order: int) -> None:
        self._order = order
        self._counts = _counts(texts, order)
        self._discounts = [_discounts(counts.values()) for counts in self._counts]
        self._sums = [
            _sums(counts, found) for counts, found in zip(self._counts, self._discounts, strict=True)
        ]
        self._chances: list[dict[Words, float]] = []
        self._uniform = 1.0 / (len(self._counts[0]) + 1)  # every word but the begin, and what is unknown
        for length in range(order):
            self._chances.append(self._interpolated(length))

    def lines(self) -> Iterator[str]:
        """The ARPA file, line by line."""
        yield "\\data\\"
        for length, chances in enumerate(self._chances, 1):
            yield f"ngram {length}={len(chances)}"
        for length, chances in enumerate(self._chances, 1):
            yield f"\n\\{length}-grams:"
            for words, chance in sorted(chances.items()):
                written = f"{_log10(chance):.6f}\t{' '.join(words)}"
                yield written + (f"\t{_log10(self._left(words)):.6f}" if length < self._order else "")
        yield "\n\\end\\"

    def _interpolated(self, length: int) -> dict[Words, float]:
        chances: dict[Words, float] = {}
        discount = self._discounts[length]
        for words, count in self._counts[length].items():
            total, left = self._sums[length][words[:-1]]
            shorter = self._chances[length - 1][words[1:]] if length else self._uniform
            chances[words] = (count - discount[min(count, 3)]) / total + left / total * shorter
        if length == 0:
            total, left = self._sums[0][()]
            chances[(_UNKNOWN,)] = left / total * self._uniform
            chances[(_BEGIN,)] = 0.0
        return chances

    def _left(self, context: Words) -> float:
        """What a context leaves to shorter ones."""
        total, left = self._sums[len(context)].get(context, (1.0, 1.0))
        return left / total


def _counts(texts: Iterable[Sequence[str]], order: int) -> list[dict[Words, int]]:
    """How often the longest n-grams were seen; for shorter ones, behind how many different words."""
    seen: list[Counter[Words]] = [Counter() for _length in range(order)]
    for text in texts:
        words = (_BEGIN, *text, _END)
        for length in range(1, order + 1):
            seen[length - 1].update(words[at : at + length] for at in range(len(words) - length + 1))
    behind: list[dict[Words, int]] = [dict(seen[-1])]
    for length in range(order - 1, 0, -1):
        before: Counter[Words] = Counter(words[1:] for words in seen[length])
        # Before the begin of a text there is nothing, so that those n-grams are counted as they are.
        before.update({words: count for words, count in seen[length - 1].items() if words[0] == _BEGIN})
        behind.insert(0, dict(before))
    behind[0].pop((_BEGIN,), None)
    return behind


def _discounts(counts: Iterable[int]) -> tuple[float, float, float, float]:
    """What to take off n-grams seen once, twice, and more often."""
    times = Counter(min(count, 4) for count in counts)
    if not all(times[count] for count in (1, 2, 3)):
        return (0.0, 0.5, 0.75, 0.75)  # too little text to tell
    share = times[1] / (times[1] + 2 * times[2])
    found = [count - (count + 1) * share * times[count + 1] / times[count] for count in (1, 2, 3)]
    one, two, more = (min(max(discount, 0.1), 0.95 * count) for count, discount in enumerate(found, 1))
    return (0.0, one, two, more)


def _sums(
    counts: Mapping[Words, int], discounts: tuple[float, float, float, float]
) -> dict[Words, tuple[float, float]]:
    """How often each context was seen, and how much of that was taken off."""
    totals: dict[Words, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for words, count in counts.items():
        total = totals[words[:-1]]
        total[0] += count
        total[1] += discounts[min(count, 3)]
    return {context: (total, left) for context, (total, left) in totals.items()}


def _log10(chance: float) -> float:
    return math.log10(chance) if chance > 0 else _NEVER


def _spoken(line: str) -> list[str]:
    """The words of a text, without those that mean something else in an ARPA file."""
    return [word for word in line.split() if word not in _MARKS]


@click.command(help=__doc__)
@click.option(
    "--order", default=3, show_default=True, type=click.IntRange(2, 6), help="Words of the longest n-gram."
)
def main(order: int) -> None:
    """Read texts, write the model."""
    texts = [words for line in sys.stdin if (words := _spoken(line))]
    if not texts:
        raise click.ClickException("there are no texts on standard input")
    for line in KneserNey(texts, order).lines():
        click.echo(line)


if __name__ == "__main__":
    main()
