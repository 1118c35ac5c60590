"""Make examples/tutorial_data again: synthetic speech that stands in for LibriSpeech in the tutorial.

Needs Debian's `espeak-ng`, `flite`, `festival` and `festvox-kdlpc16k` packages. The same packages give the
same files: every choice is drawn from a seed that depends on the split and the number of the clip.

    python -m scripts.make_tutorial_data
"""

import argparse
import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from scripts.tutorial_data import corpus
from scripts.tutorial_data.engines import Samples, Voice, synthesize

FOLDER = "tutorial_data/librispeech_data"
SHORTEST_S, LONGEST_S = 1.0, 10.0
# Of a recording's loudest sample: what lies below is silence.
QUIET = 0.003


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One recording to make."""

    split: str
    number: int
    sentence: str
    voice: Voice

    @property
    def rate_hz(self) -> int:
        """Mostly 16 kHz; every 13th clip is telephone speech and every 17th has espeak-ng's own rate."""
        if self.number % 13 == 0:
            return 8000
        return 22050 if self.number % 17 == 0 else 16000

    @property
    def audio_path(self) -> str:
        """Where the recording lies, as the csv says it: relative to the examples folder."""
        suffix = "wav" if self.number % 11 == 0 else "flac"
        return f"{FOLDER}/audio/{self.split}_{self.number:03d}.{suffix}"


def clips(split: str) -> list[Clip]:
    """List the recordings of a split; voices take turns, so each says its share of every subject."""
    speakers = corpus.voices(split)
    return [
        Clip(split=split, number=number, sentence=sentence, voice=speakers[number % len(speakers)])
        for number, sentence in enumerate(corpus.sentences(split), start=1)
    ]


def record(clip: Clip) -> Samples:
    """Speak a clip and vary it a little: silence around it, loudness, and noise 35 to 50 dB below."""
    random = np.random.default_rng([sum(clip.split.encode()), clip.number])
    spoken, rate_hz = synthesize(clip.sentence, clip.voice)
    speech = soxr.resample(_trimmed(spoken), rate_hz, clip.rate_hz, quality="VHQ")
    speech = speech * (10 ** (random.uniform(-22, -8) / 20) / float(np.abs(speech).max()))
    before, after = (int(seconds * clip.rate_hz) for seconds in random.uniform(0.05, 0.25, size=2))
    after += max(0, int(SHORTEST_S * clip.rate_hz) + 1 - before - len(speech) - after)
    padded = np.pad(speech, (before, after))
    loudness = float(np.sqrt(np.mean(speech**2)))
    noise = random.standard_normal(len(padded)) * loudness * 10 ** (-random.uniform(35, 50) / 20)
    return np.clip(padded + noise, -1, 1).astype(np.float32)


def _trimmed(spoken: Samples) -> Samples:
    """Cut the silence that an engine puts around its speech, a third of a second on average."""
    loud = np.flatnonzero(np.abs(spoken) > QUIET * np.abs(spoken).max())
    return spoken[loud[0] : loud[-1] + 1]


def write_split(examples: Path, split: str) -> tuple[int, float]:
    """Write the recordings and the csv of a split.

    Returns:
        The number of clips and their seconds in all.

    Raises:
        ValueError: A clip is longer or shorter than the tutorial wants; shorten its sentence.
    """
    rows, seconds = [], 0.0
    for clip in clips(split):
        samples = record(clip)
        length_s = len(samples) / clip.rate_hz
        if not SHORTEST_S <= length_s <= LONGEST_S:
            raise ValueError(f"{clip.sentence!r} lasts {length_s:.1f} s, not {SHORTEST_S} to {LONGEST_S} s")
        sf.write(examples / clip.audio_path, samples, clip.rate_hz, subtype="PCM_16")
        rows.append({"audio_path": clip.audio_path, "text": corpus.transcript(clip.sentence)})
        seconds += length_s
    with (examples / FOLDER / f"librispeech_{split}.csv").open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, ["audio_path", "text"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows), seconds


def main() -> None:
    """Replace the tutorial's recordings and tables."""
    parser = argparse.ArgumentParser(description="Make the synthetic speech of the tutorial.")
    default = Path(__file__).parents[1] / "examples"
    parser.add_argument(
        "--examples", type=Path, default=default, help="the examples folder (default: %(default)s)"
    )
    examples: Path = parser.parse_args().examples
    audio = examples / FOLDER / "audio"
    shutil.rmtree(audio, ignore_errors=True)
    audio.mkdir(parents=True)
    for split in ("train", "test"):
        count, seconds = write_split(examples, split)
        print(f"{split}: {count} clips, {seconds:.0f} s")
    size_bytes = sum(path.stat().st_size for path in audio.iterdir())
    print(f"{size_bytes / 1e6:.1f} MB in {audio}")


if __name__ == "__main__":
    main()
