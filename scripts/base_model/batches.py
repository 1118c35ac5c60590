"""Batches of about equal length in random order, made ahead of the network by a thread."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.base_model.augment import RATE_HZ, Augmenter, Samples
from scripts.base_model.cache import Cache
from scripts.base_model.letters import encode
from scripts.base_model.pieces import Piece
from thanosql_ctc.waveform import normalise_waveform

VIEWS = 2
_AHEAD = 3


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What the network is given; shapes as in network.py.

    Attributes:
        views: The same speech, equally fast, heard in several places: [B, S] each.
        lengths: Samples of each recording.
        letters: Labels of each text.
        texts: What is said.
        seconds: Of all views.
    """

    views: list[Tensor]
    lengths: list[int]
    letters: list[list[int]]
    texts: list[str]
    seconds: float


def rounds(
    pieces: list[Piece], batch_s: float, ranks: int, random: np.random.Generator
) -> list[list[list[Piece]]]:
    """Group pieces of about equal length into batches of about `batch_s` seconds, all views counted.

    Returns:
        One round per training step, in random order; a round holds a batch for each rank, so that none waits
        long for the others. What does not fill a last round is left for another epoch.
    """
    jitter = random.uniform(0.93, 1.07, size=len(pieces))
    order = sorted(range(len(pieces)), key=lambda place: pieces[place].seconds * jitter[place])
    groups: list[list[Piece]] = [[]]
    longest = 0.0
    for place in order:
        longest = max(longest, pieces[place].seconds)
        if groups[-1] and VIEWS * longest * (len(groups[-1]) + 1) > batch_s:
            groups.append([])
            longest = pieces[place].seconds
        groups[-1].append(pieces[place])
    even = [groups[first : first + ranks] for first in range(0, len(groups) - ranks + 1, ranks)]
    return [even[place] for place in random.permutation(len(even))]


def collate(cache: Cache, group: list[Piece], augmenter: Augmenter, random: np.random.Generator) -> Batch:
    """Load a batch and vary the speech."""
    heard = [_heard(cache, piece, augmenter, random) for piece in group]
    lengths = [len(views[0]) for views in heard]
    return Batch(
        views=[_padded(view, max(lengths)) for view in zip(*heard, strict=True)],
        lengths=lengths,
        letters=[encode(piece.text) for piece in group],
        texts=[piece.text for piece in group],
        seconds=VIEWS * sum(lengths) / RATE_HZ,
    )


def ahead(
    cache: Cache, groups: list[list[Piece]], augmenter: Augmenter, random: np.random.Generator
) -> Iterator[Batch]:
    """Yield varied batches, the next ones made in a thread while the network works."""
    waiting: list[Future[Batch]] = []
    with ThreadPoolExecutor(1) as pool:
        for group in groups:
            waiting.append(pool.submit(collate, cache, group, augmenter, random))
            if len(waiting) > _AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _padded(view: Sequence[Samples], longest: int) -> Tensor:
    rows = [np.pad(normalise_waveform(samples), (0, longest - len(samples))) for samples in view]
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def _heard(cache: Cache, piece: Piece, augmenter: Augmenter, random: np.random.Generator) -> list[Samples]:
    if piece.entry is None:
        return [augmenter.noise(piece.count, random) for _ in range(VIEWS)]
    samples = np.pad(cache.part(piece.first, piece.count), (piece.before, piece.after))
    return augmenter.vary(samples, VIEWS, random)
