"""What a benchmark reports: ratios of rounds, and bars that are met or missed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reporting import Contest, in_turn, report

ROOT = Path(__file__).parents[3]


def contest(ours_s: list[float], peer_s: list[float]) -> Contest:
    return Contest(name="read", ours_s=ours_s, peer_s=peer_s, peer="a peer")


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The machine was busy in the second round, for both.
    assert contest([1.0, 10.0, 1.0], [2.0, 20.0, 4.0]).ratio == 2.0


@pytest.mark.parametrize(
    ("least_ratio", "most_s", "bar"),
    [
        (0.0, 0.0, ""),
        (0.77, 0.0, " (bar: 0.77 met)"),
        (2.5, 0.0, " (bar: 2.50 missed)"),
        (0.0, 0.02, " (bar: 20.0 ms met)"),
        (0.5, 0.005, " (bar: 0.50 met, 5.0 ms missed)"),
    ],
)
def test_a_bar_is_met_or_missed(least_ratio: float, most_s: float, bar: str) -> None:
    asked = contest([0.01, 0.01], [0.02, 0.02]).asking(least_ratio=least_ratio, most_s=most_s)
    assert asked.bar == bar


def test_both_ways_run_in_turn_and_the_first_round_does_not_count() -> None:
    ran: list[str] = []

    def way(name: str) -> float:
        ran.append(name)
        return float(len(ran))

    taken = in_turn("read", "a peer", lambda: way("ours"), lambda: way("theirs"), 2)
    assert ran == ["ours", "theirs"] * 3
    assert (list(taken.ours_s), list(taken.peer_s)) == ([3.0, 5.0], [4.0, 6.0])


def test_a_report_ends_with_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    report([contest([0.5], [1.0])], {"rows_per_s": 1000.0}, as_json=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "read: 500.0 ms, a peer 1.00 s (medians), ratio 2.00"
    assert json.loads(lines[-1]) == {"read": 2.0, "rows_per_s": 1000.0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--help"], "benchmarks.storage queries"), (["querys"], "there is no part 'querys'")],
)
def test_the_command_says_how_it_is_used(arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "benchmarks.storage", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert words in done.stdout + done.stderr
