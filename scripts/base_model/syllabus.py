"""What one epoch hears: which recordings, how often, cut where, and how long the longest may be."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from scripts.base_model.augment import Chances
from scripts.base_model.cache import Cache, Entry
from scripts.base_model.noise import RATE_HZ
from scripts.base_model.pieces import Cut, Piece, divide, whole
from thanosql_ctc.greedy import frames_needed
from thanosql_ctc.waveform import MARGIN_S, SHORT_S

_LONGEST_SILENCE_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Mix:
    """How many times an epoch hears each source; a part of 1 hears a part of it.

    Attributes:
        noise: Pieces without speech for each piece with it.
        silence: Chance of up to half a second of silence on both sides; what is shorter than a second has a
            fifth of a second there always, as when it is transcribed (thanosql_ctc.waveform).
        cut: Chance that an utterance with known pauses is cut at some.
        longest_cut_s: Longest aim of a cut piece.
    """

    librispeech: float = 2.0
    speechocean: float = 1.5
    an4: float = 2.0
    fsdd: float = 8.0
    synthetic: float = 0.7
    noise: float = 0.02
    silence: float = 0.25
    cut: float = 0.85
    longest_cut_s: float = 7.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a run.

    Attributes:
        start: The share of the run's time that has passed when it begins.
        longest_s: Of the pieces that are heard.
        hardness: How much is varied, hidden and left out, from 0 to 1.
        mix: What is heard.
    """

    start: float
    longest_s: float
    hardness: float
    mix: Mix = field(default_factory=Mix)


Stages = tuple[Stage, ...]

# Short pieces first break the plateau on which a CTC model says nothing but blanks. A model that cannot read
# its own training speech yet learns faster from speech as it is; once it can, hardness and many voices keep
# it from learning 26 readers by heart. At the end, speech as it will be heard.
READERS = Mix(librispeech=4.0, speechocean=0.5, an4=4.0, synthetic=0.35)
BETWEEN = Mix(librispeech=3.0, speechocean=1.0, an4=3.0, synthetic=0.6)
STAGES: Stages = (
    Stage(start=0.0, longest_s=3.0, hardness=0.1, mix=READERS),
    Stage(start=0.03, longest_s=6.0, hardness=0.1, mix=READERS),
    Stage(start=0.08, longest_s=17.0, hardness=0.2, mix=READERS),
    Stage(start=0.2, longest_s=17.0, hardness=0.35, mix=BETWEEN),
    Stage(start=0.3, longest_s=17.0, hardness=0.6, mix=BETWEEN),
    Stage(start=0.6, longest_s=17.0, hardness=0.6),
    Stage(start=0.88, longest_s=17.0, hardness=0.3),
)
# Where a run begins that starts with a model which recognises speech.
WARM_START = 0.3


def stage(stages: Stages, share: float) -> Stage:
    """Return the stage at this share of the time."""
    return max((one for one in stages if share >= one.start), key=lambda one: one.start)


def epoch(
    cache: Cache,
    cuts: dict[int, list[Cut]],
    stage: Stage,
    frames: Callable[[int], int],
    random: np.random.Generator,
) -> list[Piece]:
    """Choose what to hear, in the order of the sources.

    Args:
        cache: Holds the speech.
        cuts: Pauses by the place of an utterance in the cache.
        stage: Says how often each source is heard, and how long a piece may be.
        frames: Counts the network's frames in a number of samples.
        random: Draws.
    """
    mix, limit_s = stage.mix, stage.longest_s
    pieces: list[Piece] = []
    for entry in cache.split("train"):
        for _ in range(_times(getattr(mix, entry.source), random)):
            found = cuts.get(entry.first, [])
            pieces += [_with_silence(piece, mix, random) for piece in _said(entry, found, mix, random)]
    pieces = [piece for piece in pieces if piece.seconds <= limit_s and fits(piece, frames)]
    return pieces + [_noise(limit_s, random) for _ in range(int(mix.noise * len(pieces)))]


def fits(piece: Piece, frames: Callable[[int], int]) -> bool:
    """CTC needs a frame for each letter, when the piece is played at its fastest too."""
    heard = int(piece.seconds * RATE_HZ / Chances().fastest)
    return bool(piece.text) and frames(heard) >= frames_needed(piece.text)


def _times(often: float, random: np.random.Generator) -> int:
    return int(often) + int(random.random() < often - int(often))


def _said(entry: Entry, cuts: list[Cut], mix: Mix, random: np.random.Generator) -> list[Piece]:
    if cuts and random.random() < mix.cut:
        return divide(entry, cuts, mix.longest_cut_s, random)
    return [whole(entry)]


def _with_silence(piece: Piece, mix: Mix, random: np.random.Generator) -> Piece:
    before_s = after_s = MARGIN_S if piece.count < SHORT_S * RATE_HZ else 0.0
    if random.random() < mix.silence:
        before_s, after_s = random.uniform(before_s, _LONGEST_SILENCE_S, size=2)
    return replace(piece, before=int(before_s * RATE_HZ), after=int(after_s * RATE_HZ))


def _noise(limit_s: float, random: np.random.Generator) -> Piece:
    seconds = random.uniform(0.3, min(limit_s, 10.0))
    return Piece(entry=None, first=0, count=int(seconds * RATE_HZ), text="")
