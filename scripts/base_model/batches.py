"""Batches of equal-length speech in random order, varied a little each time they are heard."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from scripts.base_model.cache import RATE_HZ, Cache, Entry
from scripts.base_model.network import VOCABULARY

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What the network is given; shapes as in network.py."""

    samples_bs: Tensor
    mask_bs: Tensor
    targets: list[list[int]]
    texts: list[str]
    seconds: float


def encode(text: str) -> list[int]:
    """Return the numbers of a text's letters."""
    numbers = {letter: number for number, letter in enumerate(VOCABULARY)}
    return [numbers["|" if letter == " " else letter] for letter in text]


def rounds(
    entries: list[Entry], batch_s: float, ranks: int, random: np.random.Generator
) -> list[list[list[Entry]]]:
    """Group entries of about equal length into batches of about `batch_s` seconds.

    Returns:
        One round per training step, in random order; a round holds a batch for each rank, so that none waits
        long for the others. What does not fill a last round is left for another epoch.
    """
    jitter = random.uniform(0.93, 1.07, size=len(entries))
    order = sorted(range(len(entries)), key=lambda place: entries[place].seconds * jitter[place])
    groups: list[list[Entry]] = [[]]
    for place in order:
        longest = max([entries[place].seconds, *(entry.seconds for entry in groups[-1])])
        if groups[-1] and longest * (len(groups[-1]) + 1) > batch_s:
            groups.append([])
        groups[-1].append(entries[place])
    whole = [groups[first : first + ranks] for first in range(0, len(groups) - ranks + 1, ranks)]
    return [whole[place] for place in random.permutation(len(whole))]


def collate(cache: Cache, group: list[Entry], random: np.random.Generator | None) -> Batch:
    """Load a batch; with a generator, vary the speech."""
    heard = [cache.samples(entry) for entry in group]
    if random is not None:
        heard = [vary(samples, random) for samples in heard]
    heard = [(samples - samples.mean()) / np.sqrt(samples.var() + 1e-7) for samples in heard]
    longest = max(len(samples) for samples in heard)
    padded = np.stack([np.pad(samples, (0, longest - len(samples))) for samples in heard])
    mask = np.stack([np.arange(longest) < len(samples) for samples in heard])
    return Batch(
        samples_bs=torch.from_numpy(padded.astype(np.float32)),
        mask_bs=torch.from_numpy(mask).long(),
        targets=[encode(entry.text) for entry in group],
        texts=[entry.text for entry in group],
        seconds=sum(entry.seconds for entry in group),
    )


def vary(samples: Samples, random: np.random.Generator) -> Samples:
    """Change speed and pitch by up to a tenth, and now and then add noise or a telephone's narrow band."""
    if random.random() < 0.6:
        count = int(len(samples) / random.uniform(0.9, 1.1))
        places = np.linspace(0, len(samples) - 1, count)
        samples = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    if random.random() < 0.1:
        samples = soxr.resample(soxr.resample(samples, RATE_HZ, 8000), 8000, RATE_HZ)
    if random.random() < 0.4:
        noise = random.standard_normal(len(samples))
        if random.random() < 0.5:
            noise = np.convolve(noise, np.exp(-np.arange(24) / 6), mode="same")
        level = np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** (-random.uniform(12, 40) / 20)
        samples = samples + noise * level
    return samples.astype(np.float32)


def ahead(cache: Cache, groups: list[list[Entry]], random: np.random.Generator) -> Iterator[Batch]:
    """Yield varied batches, the next ones made in a thread while the network works."""
    waiting: list[Future[Batch]] = []
    with ThreadPoolExecutor(1) as pool:
        for group in groups:
            waiting.append(pool.submit(collate, cache, group, random))
            if len(waiting) > 3:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
