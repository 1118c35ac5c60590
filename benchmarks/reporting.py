"""What every benchmark prints: lines for a person, then, with --json, one object of named ratios."""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Seconds of two ways to do the same work, measured in turn in one run.

    Attributes:
        name: What is done, in a word or two.
        ours_s: Seconds of ours, one a round.
        peer_s: Seconds of the peer, one a round.
        peer: Who that is.
    """

    name: str
    ours_s: Sequence[float]
    peer_s: Sequence[float]
    peer: str

    @property
    def ratio(self) -> float:
        """How many times faster than the peer: the median of the rounds' own ratios."""
        pairs = zip(self.peer_s, self.ours_s, strict=True)
        return statistics.median(peer / ours for peer, ours in pairs)


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
    """The options that every benchmark takes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one object of named ratios last")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    return parser.parse_args()


def report(contests: Sequence[Contest], more: Mapping[str, float], as_json: bool) -> None:
    """Print the contests and other ratios."""
    for contest in contests:
        ours, peer = statistics.median(contest.ours_s), statistics.median(contest.peer_s)
        print(
            f"{contest.name}: {ours:.3f} s, {contest.peer} {peer:.3f} s (medians), ratio {contest.ratio:.2f}"
        )
    for name, value in more.items():
        print(f"{name}: {value:.3f}")
    if as_json:
        ratios = {contest.name: round(contest.ratio, 3) for contest in contests}
        print(json.dumps({**ratios, **{name: round(value, 4) for name, value in more.items()}}))
