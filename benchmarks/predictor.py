"""The predictor against Hugging Face's pipeline: engines alone, the service over gRPC, PREDICT through SQL.

    python -m benchmarks.predictor --model bundled --json
    python -m benchmarks.predictor --model base --recordings 12 --rounds 3

Same checkpoint, same recordings, same machine, in turn: every round runs everyone once, after one that is
not counted. A ratio is the peer's seconds divided by ours. The pipeline and the engines get samples, the
service and PREDICT decode files. On a busy machine, threads of torch wait for each other in loops, which
counts as processor time: compare with --threads 1 there. The pipeline runs in float32, greedily.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.predictor_engines import engine_runs, pipeline_runs
from benchmarks.predictor_server import server_runs
from benchmarks.predictor_work import make_work
from benchmarks.reporting import Contest, parser_of, report

PARTS = ("engines", "service")


def main() -> None:
    """Run from the command line."""
    parser = parser_of(__doc__ or "")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them when none is named")
    parser.add_argument("--model", choices=("bundled", "base"), default="bundled", help="default bundled")
    parser.add_argument("--recordings", type=int, default=48, help="how many (default 48)")
    parser.add_argument("--threads", type=int, default=0, help="of every engine and peer; 0 for torch's own")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    parts = options.parts or PARTS
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        work = make_work(folder, options.model, options.recordings)
        peers = pipeline_runs(work)
        ours: dict[str, Callable[[], object]] = {}
        if "engines" in parts:
            ours |= engine_runs(work, folder)
        if "service" in parts:
            ours |= stack.enter_context(server_runs(work, torch.get_num_threads()))
        spent = take_turns({**peers, **ours}, options.rounds)
    print(f"{work.audio_s:.0f} s of audio, {torch.get_num_threads()} threads, model {options.model}")
    for way, rounds in spent.items():
        clock_s = statistics.median(round_.clock_s for round_ in rounds)
        processor_s = statistics.median(round_.processor_s for round_ in rounds)
        rates = f"{work.audio_s / clock_s:.1f} a second, {work.audio_s / processor_s:.1f} a processor second"
        print(f"{way}: seconds of audio: {rates}")
    pairs = [(way, peer) for way in ours for peer in peers]
    contests = [_contest(way, peer, spent) for way, peer in pairs]
    more = {
        f"{way} / {peer}, processor time": statistics.median(
            theirs.processor_s / own.processor_s for own, theirs in zip(spent[way], spent[peer], strict=True)
        )
        for way, peer in pairs
    }
    report(contests, more, options.json)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one run took: seconds on the clock, and of processors, here and in the server."""

    clock_s: float
    processor_s: float


def take_turns(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Spent]]:
    """What everyone took in every counted round."""
    spent: dict[str, list[Spent]] = {way: [] for way in runs}
    for number in range(rounds + 1):
        for way, run in runs.items():
            begun_s, begun_processor_s = time.perf_counter(), processor_seconds()
            run()
            if number:
                clock_s = time.perf_counter() - begun_s
                spent[way].append(Spent(clock_s=clock_s, processor_s=processor_seconds() - begun_processor_s))
    return spent


def processor_seconds() -> float:
    """Seconds of processors that this process and its children have used; Linux tells them in /proc."""
    ticks = 0
    children = Path("/proc/self/task").glob("*/children")
    for process in ["self", *(child for path in children for child in path.read_text().split())]:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _contest(way: str, peer: str, spent: Mapping[str, list[Spent]]) -> Contest:
    return Contest(
        name=f"{way} / {peer}",
        ours_s=[round_.clock_s for round_ in spent[way]],
        peer_s=[round_.clock_s for round_ in spent[peer]],
        peer=peer,
    )


if __name__ == "__main__":
    main()
