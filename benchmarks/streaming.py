"""Live dictation by number of streams, in real time, through client, gateway and predictor.

    python -m benchmarks.streaming --streams 1 2 4 8 --seconds 60 --json

Every stream says other sentences, with pauses between them. Printed are the delay of the first interim
words behind the first sound of each utterance (its whole length where none came in time), the delay of
final results behind the endpoint (the end of the silence that ends an utterance), processor time, how
wrong final results and the offline transcript of the same audio are, and what else the machine did.
Where an utterance begins and ends is found with the service's own detector.
"""

import argparse
import asyncio
import csv
import json
import os
import time
import wave
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import jiwer
import numpy as np

from services.predictor.core.live.endpointing import Endpointer, Endpointing, Utterance
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.voice import STEP_SAMPLES, VoiceActivity, voice_weights
from thanosql import AsyncThanoSQL, LiveTranscript, LocalServer
from thanosql_audio.decoding import decode
from thanosql_ctc.waveform import Samples

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
TUTORIAL = ROOT / "examples"
MODEL = "tutorial_audio_recognition"
RATE_HZ = 16_000
CHUNK_S = 0.05
LONGEST_S = 30.0
BARS = {"first_interim_ms": 400.0, "final_ms": 300.0, "words_unlike_offline": 2.0}


@dataclass(frozen=True, kw_only=True, eq=False)
class Talk:
    """What one stream says."""

    name: str
    samples: Samples
    text: str
    utterances: Sequence[Utterance]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one stream got, with the seconds since its start at which it came."""

    finals: Sequence[tuple[float, LiveTranscript]]
    interims: Sequence[tuple[float, LiveTranscript]]


@dataclass(frozen=True, kw_only=True)
class Load:
    """Processor seconds so far: of the server, and of everything on the machine."""

    at_s: float
    server_s: float
    machine_s: float


def sentences() -> Iterator[tuple[Path, str]]:
    """Recordings of one sentence each, with their texts: real speech, or else the tutorial's."""
    table, column = SHARED_DATA / "librispeech_opus.csv", "split"
    if not table.exists():
        table, column = TUTORIAL / "tutorial_data/librispeech_data/librispeech_test.csv", ""
    folder = SHARED_DATA if column else TUTORIAL
    with table.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not column or row[column] == "dev"]
    for number in np.random.default_rng(1).permutation(len(rows)):
        yield folder / rows[number]["audio_path"], rows[number]["text"]


def talks(count: int, seconds: float) -> list[Talk]:
    """What the streams say: sentences with pauses between them, of about so many seconds."""
    source, weights = sentences(), voice_weights()
    made = []
    for number in range(count):
        parts, texts, length = [_pause(number)], list[str](), 0.0
        while length < seconds:
            path, text = next(source, (None, ""))
            if path is None:
                raise SystemExit("there are not enough sentences: ask for fewer --streams or --seconds")
            parts += [decode(path.read_bytes(), sample_rate_hz=RATE_HZ).samples, _pause(number + len(parts))]
            texts.append(text)
            length = sum(map(len, parts)) / RATE_HZ
        samples = np.concatenate(parts)
        found = _utterances(VoiceActivity(weights).take(samples))
        if not found:
            raise SystemExit("the detector finds no utterance in a stream: ask for more --seconds")
        made.append(Talk(name=f"{number}.wav", samples=samples, text=" ".join(texts), utterances=found))
    return made


def _pause(seed: int) -> Samples:
    random = np.random.default_rng(seed)
    length = round(random.uniform(0.9, 1.6) * RATE_HZ)
    return (1e-4 * random.standard_normal(length)).astype(np.float32)


def _utterances(probabilities: Sequence[float]) -> list[Utterance]:
    """Where the service should find speech, with nothing before the first sound."""
    silence = round(LiveLimits().endpoint_silence_s * RATE_HZ)
    longest = round(LONGEST_S * RATE_HZ)
    endpointer = Endpointer(
        Endpointing(
            step_samples=STEP_SAMPLES,
            silence_samples=silence,
            longest_samples=longest,
            before_samples=0,
            after_samples=silence,
        )
    )
    ended = [endpointer.step(probability) for probability in probabilities]
    return [utterance for utterance in ended if utterance is not None and utterance.is_speech]


def pcm(samples: Samples) -> bytes:
    """Samples as they travel."""
    return np.round(np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()


async def dictate(client: AsyncThanoSQL, talk: Talk, delay_s: float) -> Heard:
    """Say it in real time, and note when what is heard comes."""
    await asyncio.sleep(delay_s)
    begun_s = time.monotonic()
    size = round(CHUNK_S * RATE_HZ) * 2
    audio = pcm(talk.samples)

    async def speaking() -> AsyncIterator[bytes]:
        for number, begin in enumerate(range(0, len(audio), size), start=1):
            await asyncio.sleep(max(0.0, begun_s + number * CHUNK_S - time.monotonic()))
            yield audio[begin : begin + size]

    finals, interims = list[tuple[float, LiveTranscript]](), list[tuple[float, LiveTranscript]]()
    async for transcript in client.dictate(speaking(), model=MODEL):
        (finals if transcript.is_final else interims).append((time.monotonic() - begun_s, transcript))
    return Heard(finals=finals, interims=interims)


def final_delays_s(talk: Talk, heard: Heard) -> list[float]:
    """How long after the end of each utterance its final result came; not of one cut for its length."""
    delays = []
    for came_s, final in heard.finals:
        ends = [item.end / RATE_HZ for item in talk.utterances if item.end / RATE_HZ >= final.end_s]
        if final.text and ends and came_s - ends[0] > -CHUNK_S:
            delays.append(came_s - ends[0])
    return delays


def interim_delays_s(talk: Talk, heard: Heard) -> list[float]:
    """How long after the first sound of each utterance its first interim words came.

    Of one for which none came in time it is as long as the utterance, at least; so words that come late or
    never make the figure worse.
    """
    delays = []
    for utterance in talk.utterances:
        begin_s, end_s = utterance.begin / RATE_HZ, utterance.end / RATE_HZ
        came = [came_s for came_s, _ in heard.interims if begin_s < came_s <= end_s]
        delays.append((came[0] if came else end_s) - begin_s)
    return delays


def utterances_without_final(talk: Talk, heard: Heard) -> int:
    """How many utterances no final words were for, which have no delay."""
    spoken = [(item.begin / RATE_HZ, item.end / RATE_HZ) for item in talk.utterances]
    finals = [final for _, final in heard.finals if final.text]
    return sum(
        not any(final.start_s < end_s and final.end_s > begin_s for final in finals)
        for begin_s, end_s in spoken
    )


def kept_shares(heard: Heard) -> tuple[float, float]:
    """The share of settled interim words, and of the others, that their final result has too, in order."""
    kept = {True: [0, 0], False: [0, 0]}
    begun_s = 0.0
    for came_s, final in heard.finals:
        for interim in [item for at_s, item in heard.interims if begun_s < at_s < came_s and final.text]:
            settled = len(interim.stable_text.split())
            matching = _matching(interim.text, final.text)
            for place in range(len(interim.text.split())):
                kept[place < settled][0] += place in matching
                kept[place < settled][1] += 1
        begun_s = came_s
    return kept[True][0] / max(1, kept[True][1]), kept[False][0] / max(1, kept[False][1])


def _matching(text: str, final: str) -> set[int]:
    """Places of the words of a text that stand in the final one too, aligned."""
    if not text:
        return set()
    (chunks,) = jiwer.process_words(text, final).alignments
    equal = [chunk for chunk in chunks if chunk.type == "equal"]
    return {place for chunk in equal for place in range(chunk.ref_start_idx, chunk.ref_end_idx)}


def load_now() -> Load:
    """Read the processor times from /proc."""
    ticks = os.sysconf("SC_CLK_TCK")
    machine = [int(value) for value in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    busy = sum(machine) - machine[3] - machine[4]
    server = sum(_ticks(child) for child in _descendants(os.getpid()))
    return Load(at_s=time.monotonic(), server_s=server / ticks, machine_s=busy / ticks)


def _descendants(process: int) -> list[int]:
    folders = Path(f"/proc/{process}/task").iterdir()
    children = [int(child) for folder in folders for child in (folder / "children").read_text().split()]
    return [found for child in children for found in (child, *_descendants(child))]


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def offline(server: LocalServer, spoken: Sequence[Talk]) -> list[str]:
    """The transcripts of the same audio as recordings."""
    texts = []
    with TemporaryDirectory() as folder, server.client() as client:
        for talk in spoken:
            path = Path(folder) / talk.name
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
                file.writeframes(pcm(talk.samples))
            client.upload(path, f"uploads/{talk.name}")
            query = f"SELECT * FROM (VALUES ('uploads/{talk.name}')) AS t(audio_path)"
            texts.append(client.execute(f"PREDICT USING {MODEL} AS {query}").rows[0]["predicted"] or "")
    return texts


async def measure(server: LocalServer, spoken: Sequence[Talk]) -> tuple[list[Heard], dict[str, float]]:
    """All of them at once, begun one after the other within a second."""
    before, cores = load_now(), os.cpu_count() or 1
    async with AsyncThanoSQL(server.address, server.token) as client:
        streams = [dictate(client, talk, number / len(spoken)) for number, talk in enumerate(spoken)]
        heard = await asyncio.gather(*streams)
    after = load_now()
    wall_s = after.at_s - before.at_s
    server_s = after.server_s - before.server_s
    audio_s = sum(len(talk.samples) for talk in spoken) / RATE_HZ
    figures = {
        "cores_of_the_server": server_s / wall_s,
        "processor_ms_per_audio_s": 1000 * server_s / audio_s,
        "cores_of_others": (after.machine_s - before.machine_s - server_s) / wall_s,
        "cores": float(cores),
    }
    return heard, figures


def figures_of(
    spoken: Sequence[Talk], heard: Sequence[Heard], transcripts: Sequence[str]
) -> dict[str, float]:
    """What the bars are about."""
    pairs = list(zip(spoken, heard, strict=True))
    finals = [1000 * s for pair in pairs for s in final_delays_s(*pair)]
    interims = [1000 * s for pair in pairs for s in interim_delays_s(*pair)]
    if not finals:
        raise SystemExit("no utterance had a final result in time: ask for more --seconds or fewer --streams")
    texts = [" ".join(final.text for _, final in one.finals) for one in heard]
    references = [talk.text for talk in spoken]
    live, whole = 100 * jiwer.wer(references, texts), 100 * jiwer.wer(references, list(transcripts))
    shares = [kept_shares(one) for one in heard]
    return {
        "utterances": float(sum(len(talk.utterances) for talk in spoken)),
        "without_final": float(sum(utterances_without_final(*pair) for pair in pairs)),
        "first_interim_ms": median(interims),
        "first_interim_p95_ms": float(np.percentile(interims, 95)),
        "final_ms": median(finals),
        "final_p95_ms": float(np.percentile(finals, 95)),
        "wer_live": live,
        "wer_offline": whole,
        "wer_above_offline": live - whole,
        "words_unlike_offline": 100 * jiwer.wer(list(transcripts), texts),
        "settled_words_kept": 100 * float(np.mean([settled for settled, _ in shares])),
        "other_words_kept": 100 * float(np.mean([other for _, other in shares])),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of streams")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each stream (default 60)")
    parser.add_argument("--dtype", default="auto", help="precision of the predictor (default auto)")
    parser.add_argument("--json", action="store_true", help="print one object with all figures last")
    chosen = parser.parse_args()
    spoken = talks(max(chosen.streams), chosen.seconds)
    environment = {"THANOSQL_PREDICTOR__PRECISION": chosen.dtype}
    every: dict[str, dict[str, float]] = {}
    with LocalServer(workspace=ROOT / "examples", environment=environment) as server:
        transcripts = offline(server, spoken)
        for count in chosen.streams:
            heard, machine = asyncio.run(measure(server, spoken[:count]))
            figures = figures_of(spoken[:count], heard, transcripts[:count]) | machine
            every[str(count)] = {name: round(value, 2) for name, value in figures.items()}
            print(f"{count} streams")
            for name, value in every[str(count)].items():
                bar = f"  (bar {BARS[name]:g}, {_met(value <= BARS[name])})" if name in BARS else ""
                print(f"  {name:<26} {value:>8.2f}{bar}")
    if chosen.json:
        print(json.dumps(every))


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    main()
