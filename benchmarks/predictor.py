"""The predictor against its peers, a section at a time; all of them when none is named.

    python -m benchmarks.predictor --json
    python -m benchmarks.predictor throughput --model base --recordings 8 --rounds 2

| section | what is compared |
|---|---|
| throughput | engines alone, the service and PREDICT with Hugging Face's pipeline, one by one |
| padding | PREDICT with the pipeline in batches of 8 |
| ray | PREDICT with Ray Serve's dynamic batching around the same torch model (--ray) |
| callers | how long 1, 8, 32 and 128 callers at once wait; what an engine alone takes for as many |
| start | seconds from nothing to the first answer |
| memory | of the server without a model, with one, and after more and more recordings |

Same checkpoint, same recordings, same machine, in turn: every round runs everyone once, after one that is
not counted. A ratio is the peer's seconds divided by ours. The pipeline and the engines get samples by
length; the service, PREDICT and Ray Serve decode files. On a busy machine, threads of torch wait for each
other in loops, which counts as processor time: compare with --threads 1 there. The peers compute in
float32 and write greedily.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.predictor_callers import waits
from benchmarks.predictor_engines import BEST_ENGINE, engine_runs, pipeline_runs
from benchmarks.predictor_processes import processor_seconds
from benchmarks.predictor_ray import has_ray, ray_runs
from benchmarks.predictor_server import server_runs, serving
from benchmarks.predictor_start import memories, starts
from benchmarks.predictor_work import Work, make_work
from benchmarks.reporting import Contest, parser_of, report

SECTIONS = ("throughput", "padding", "ray", "callers", "start", "memory")
BASELINE = "pipeline batch 1"
SQL, SQL_INT8 = "PREDICT through SQL", "PREDICT through SQL, int8"
# On two cores with bfloat16, at wav2vec2-base's size.
BARS = {(SQL, BASELINE): 3.8, (SQL_INT8, BASELINE): 5.5}
SHARE_OF_ENGINE = 0.9


def main() -> None:
    """Run from the command line."""
    parser = parser_of(__doc__ or "")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all of them when none is named")
    parser.add_argument("--model", choices=("bundled", "base"), default="bundled", help="default bundled")
    parser.add_argument("--recordings", type=int, default=48, help="how many (default 48)")
    parser.add_argument("--threads", type=int, default=0, help="of every engine and peer; 0 for torch's own")
    parser.add_argument("--ray", default=sys.executable, help="a Python that has Ray Serve; default this one")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    contests: list[Contest] = []
    more: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        work = make_work(Path(name), options.model, options.recordings)
        print(
            f"{work.audio_s:.0f} s of audio, {torch.get_num_threads()} threads, model {options.model}",
            flush=True,
        )
        for section in options.sections or SECTIONS:
            ours, other = _section(section, work, Path(name) / section, options)
            contests += ours
            more |= other
    report(contests, more, options.json)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one run took: seconds on the clock, and of processors, here and in the server."""

    clock_s: float
    processor_s: float


def _section(
    section: str, work: Work, folder: Path, options: argparse.Namespace
) -> tuple[list[Contest], dict[str, float]]:
    threads = torch.get_num_threads()
    match section:
        case "throughput":
            return _throughput(work, folder, options)
        case "padding":
            return _against(pipeline_runs(work, (1, 8)), work, options)
        case "ray":
            if not has_ray(options.ray):
                print(f"ray: not measured, {options.ray} has no Ray Serve; name one that has with --ray")
                return [], {}
            with ray_runs(work, options.ray, threads) as peers:
                return _against(peers, work, options)
        case "callers":
            return [], _callers(work, folder, options)
        case "start":
            return [], dict(starts(work, threads))
        case _:
            return [], dict(memories(work, threads, options.rounds))


def _throughput(
    work: Work, folder: Path, options: argparse.Namespace
) -> tuple[list[Contest], dict[str, float]]:
    peers = pipeline_runs(work, (1,))
    with serving(work, torch.get_num_threads()) as served:
        engines = engine_runs(work, folder)
        ours = {**engines, **server_runs(served, work)}
        spent = take_turns({**peers, **ours}, options.rounds)
    _tell_rates(work, spent)
    best = BEST_ENGINE if BEST_ENGINE in engines else next(reversed(engines))
    shares = [(SQL, best), (SQL_INT8, "openvino cpu int8")]
    contests = [_contest(way, BASELINE, spent) for way in ours]
    contests += [_contest(way, engine, spent).asking(least_ratio=SHARE_OF_ENGINE) for way, engine in shares]
    return contests, _processor_ratios([*((way, BASELINE) for way in ours), *shares], spent)


def _against(
    peers: Mapping[str, Callable[[], object]], work: Work, options: argparse.Namespace
) -> tuple[list[Contest], dict[str, float]]:
    """PREDICT through SQL against peers."""
    with serving(work, torch.get_num_threads()) as served:
        ours = {SQL: served.predict, SQL_INT8: lambda: served.predict("int8")}
        spent = take_turns({**peers, **ours}, options.rounds)
    _tell_rates(work, spent)
    return [_contest(way, peer, spent) for way in ours for peer in peers], {}


def _callers(work: Work, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    engines = engine_runs(work, folder)
    run = engines.get(BEST_ENGINE) or next(reversed(engines.values()))
    run()
    begun_s = time.perf_counter()
    run()
    each_s = (time.perf_counter() - begun_s) / len(work.paths)
    with ExitStack() as stack:
        served = stack.enter_context(serving(work, torch.get_num_threads()))
        served.predict(limit=1)
        told = [
            item.told() for item in waits(served, work.paths, lambda count: count * each_s, options.rounds)
        ]
    return {name: value for part in told for name, value in part.items()}


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


def _tell_rates(work: Work, spent: Mapping[str, Sequence[Spent]]) -> None:
    for way, rounds in spent.items():
        clock_s = statistics.median(round_.clock_s for round_ in rounds)
        processor_s = statistics.median(round_.processor_s for round_ in rounds)
        rates = f"{work.audio_s / clock_s:.1f} a second"
        if processor_s > clock_s / 100:  # those of Ray are not our children
            rates += f", {work.audio_s / processor_s:.1f} a processor second"
        print(f"{way}: seconds of audio: {rates}", flush=True)


def _processor_ratios(
    pairs: Sequence[tuple[str, str]], spent: Mapping[str, Sequence[Spent]]
) -> dict[str, float]:
    return {
        f"{way} / {peer}, processor time": statistics.median(
            theirs.processor_s / own.processor_s for own, theirs in zip(spent[way], spent[peer], strict=True)
        )
        for way, peer in pairs
    }


def _contest(way: str, peer: str, spent: Mapping[str, Sequence[Spent]]) -> Contest:
    return Contest(
        name=f"{way} / {peer}",
        ours_s=[round_.clock_s for round_ in spent[way]],
        peer_s=[round_.clock_s for round_ in spent[peer]],
        peer=peer,
        least_ratio=BARS.get((way, peer), 0.0),
    )


if __name__ == "__main__":
    main()
