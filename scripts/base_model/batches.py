"""Batches of about equal length in random order, made ahead of the network by a thread.

Legend of shapes: b recordings, all views of the first behind all first views; s samples.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.base_model.augment import Augmenter, Heard
from scripts.base_model.cache import Cache
from scripts.base_model.devices import put
from scripts.base_model.letters import encode
from scripts.base_model.noise import RATE_HZ
from scripts.base_model.pieces import Piece

VIEWS = 2
_AHEAD = 3
_FULL_SCALE = 32768


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What the network is given.

    Attributes:
        samples_bs: The same speech, equally fast, heard in several places, normalised; on the device.
        lengths: Samples of each recording.
        letters: Labels of each text, of one view.
        texts: What is said, in one view.
        seconds: Of all views.
    """

    samples_bs: Tensor
    lengths: list[int]
    letters: list[list[int]]
    texts: list[str]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Makes batches.

    Attributes:
        cache: Holds the speech.
        augmenter: Varies it, on the device.
        device: Where the batches are wanted.
    """

    cache: Cache
    augmenter: Augmenter
    device: torch.device

    def ahead(self, groups: Sequence[list[Piece]], random: np.random.Generator) -> Iterator[Batch]:
        """Yield varied batches, the next ones made in a thread while the network works."""
        waiting: list[Future[Batch]] = []
        # One thread for each operation: those of the network are counted per core.
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for group in groups:
                waiting.append(pool.submit(self.batch, group, random))
                if len(waiting) > _AHEAD:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()

    def batch(self, group: list[Piece], random: np.random.Generator) -> Batch:
        """Load a batch and vary the speech."""
        speech = self._load(group)
        heard = self.augmenter.vary(speech, [piece.entry is None for piece in group], VIEWS, random)
        return Batch(
            samples_bs=heard.samples_bs,
            lengths=heard.lengths,
            letters=[encode(piece.text) for piece in group],
            texts=[piece.text for piece in group],
            seconds=sum(heard.lengths) / RATE_HZ,
        )

    def _load(self, group: list[Piece]) -> Heard:
        """Copy what was recorded to the device, 16 bits a sample."""
        lengths = [piece.before + piece.count + piece.after for piece in group]
        pinned = self.device.type == "cuda"  # so that the copy need not be waited for
        packed_bs = torch.zeros(len(group), max(lengths), dtype=torch.int16, pin_memory=pinned)
        for row, piece in zip(packed_bs.numpy(), group, strict=True):
            if piece.entry is not None:
                row[piece.before : piece.before + piece.count] = self.cache.packed(piece.first, piece.count)
        samples_bs = put(packed_bs, self.device).float() / _FULL_SCALE
        return Heard(samples_bs=samples_bs, lengths=lengths)


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
