"""What every benchmark prints: lines for a person, then, with --json, one object of named ratios."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Seconds of two ways to do the same work, measured in turn in one run.

    Attributes:
        name: What is done, in a word or two.
        ours_s: Seconds of ours, one a round.
        peer_s: Seconds of the peer, one a round.
        peer: Who that is.
        least_ratio: The ratio that is asked for; 0 asks for none.
        most_s: The seconds that ours may take; 0 for any.
    """

    name: str
    ours_s: Sequence[float]
    peer_s: Sequence[float]
    peer: str
    least_ratio: float = 0.0
    most_s: float = 0.0

    @property
    def ratio(self) -> float:
        """How many times faster than the peer: the median of the rounds' own ratios."""
        pairs = zip(self.peer_s, self.ours_s, strict=True)
        return statistics.median(peer / ours for peer, ours in pairs)

    def asking(self, *, least_ratio: float = 0.0, most_s: float = 0.0) -> "Contest":
        """The same contest with bars, which the report holds it against."""
        return replace(self, least_ratio=least_ratio, most_s=most_s)

    @property
    def bar(self) -> str:
        """What is asked for, and whether this is it; empty where nothing is."""
        bars = []
        if self.least_ratio:
            bars.append(f"{self.least_ratio:.2f} {_met(self.ratio >= self.least_ratio)}")
        if self.most_s:
            bars.append(f"{_time(self.most_s)} {_met(statistics.median(self.ours_s) <= self.most_s)}")
        return f" (bar: {', '.join(bars)})" if bars else ""


def in_turn(
    name: str,
    peer: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    rounds: int,
) -> Contest:
    """Run both, in turn, after one round that is not counted.

    Args:
        name: What is done.
        peer: Who the other is.
        ours: Does it our way; answers its seconds.
        theirs: Does it the peer's way; answers its seconds.
        rounds: How often.
    """
    ours()
    theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return Contest(name=name, peer=peer, ours_s=[a for a, _ in pairs], peer_s=[b for _, b in pairs])


def arguments(description: str) -> argparse.Namespace:
    """The options that every benchmark takes, as they were given."""
    return parser_of(description).parse_args()


def parser_of(description: str) -> argparse.ArgumentParser:
    """A parser of the options that every benchmark takes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one object of named ratios last")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    return parser


def timed(run: Callable[[], object]) -> Callable[[], float]:
    """The same work, answering its seconds."""

    def measured() -> float:
        begun_s = time.perf_counter()
        run()
        return time.perf_counter() - begun_s

    return measured


def report(contests: Sequence[Contest], more: Mapping[str, float], as_json: bool) -> None:
    """Print the contests and other ratios."""
    for contest in contests:
        ours, peer = statistics.median(contest.ours_s), statistics.median(contest.peer_s)
        times = f"{_time(ours)}, {contest.peer} {_time(peer)} (medians)"
        print(f"{contest.name}: {times}, ratio {contest.ratio:.2f}{contest.bar}")
    for name, value in more.items():
        print(f"{name}: {value:.3f}")
    if as_json:
        ratios = {contest.name: round(contest.ratio, 3) for contest in contests}
        print(json.dumps({**ratios, **{name: round(value, 4) for name, value in more.items()}}))


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"
