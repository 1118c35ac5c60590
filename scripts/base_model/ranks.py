"""Processes that train together, or one that trains alone: what they tell each other."""

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import FileStore
from torch.multiprocessing.spawn import spawn

_PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """How processes find each other.

    Attributes:
        place: A file that all of them can reach.
        ranks: How many there are.
    """

    place: Path
    ranks: int


def start(work: Callable[[int], None], meeting: Meeting) -> None:
    """Do the work in every rank, each in a process of its own with one thread, and wait for all."""
    meeting.place.unlink(missing_ok=True)
    spawn(_be_one, args=(work, meeting), nprocs=meeting.ranks)  # type: ignore[no-untyped-call]


def average(tensors: list[Tensor]) -> None:
    """Replace each tensor by its mean over the ranks."""
    if not _together():
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for tensor, mean in zip(tensors, torch.split(flat, [one.numel() for one in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def longest(seconds: list[float]) -> list[float]:
    """Return the longest time of any rank for each: all must agree on the clock."""
    if not _together():
        return seconds
    longest_s = torch.tensor(seconds, dtype=torch.float64)
    dist.all_reduce(longest_s, dist.ReduceOp.MAX)
    return [float(one) for one in longest_s]


def meet() -> None:
    """Wait for all."""
    if _together():
        dist.barrier()


def _together() -> bool:
    return dist.is_initialized() and dist.get_world_size() > 1


def _be_one(rank: int, work: Callable[[int], None], meeting: Meeting) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    if meeting.ranks == 1:  # nobody to meet, and no name of this machine to look up
        work(rank)
        return
    store = FileStore(str(meeting.place), meeting.ranks)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=meeting.ranks, timeout=_PATIENCE)
    work(rank)
    dist.destroy_process_group()


def _end_with_parent() -> None:
    """End at once when the call that started this rank was killed: the next call works in the same folder.

    Torch asks the system for an interrupt then, which processes started in the background ignore.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
