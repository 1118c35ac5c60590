"""The training run: as many processes as cores, one thread each, for a fixed time.

One process with two threads meets at a barrier inside every operation: beside other busy programs that was
five times slower than two processes that meet once per step (measured).
"""

import math
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import FileStore
from torch.multiprocessing.spawn import spawn

from scripts.base_model import batches, network, publishing, scoring
from scripts.base_model.batches import Batch
from scripts.base_model.cache import Cache, Entry

# (share of the time that must have passed, longest utterance in seconds): short ones first break the plateau
# on which a CTC model says nothing but blanks.
CURRICULUM = ((0.0, 2.6), (0.05, 4.5), (0.16, 6.0), (0.8, 12.0))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run depends on."""

    work: Path
    model_folder: Path
    budget_s: float
    ranks: int = 2
    batch_s: float = 18.0
    peak_learning_rate: float = 7e-4
    report_s: float = 420.0
    seed: int = 2
    shape: network.Shape = field(default_factory=network.Shape)


def learning_rate(share: float, peak: float) -> float:
    """Rise for the first 4 % of the time, then fall along a cosine to a hundredth."""
    warm = 0.04
    if share < warm:
        return peak * max(share / warm, 0.01)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warm) / (1 - warm)))))


def longest_s(share: float) -> float:
    """Return the length of the longest utterance that is trained on at this share of the time."""
    return max(limit for start, limit in CURRICULUM if share >= start)


class Run:
    """One process of a training run; rank 0 also reports, saves and publishes."""

    def __init__(self, plan: Plan, rank: int) -> None:
        self._plan, self._rank = plan, rank
        self._cache = Cache(plan.work / "cache")
        self._model = network.create(plan.shape, plan.seed)
        network.save_time(self._model)
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self._elapsed_s = self._audio_s = self._reported_s = 0.0
        self._step = 0
        self._recent: list[float] = []
        self._restore()

    def train(self) -> None:
        """Go on until the time is used up, then report and publish."""
        while self._share < 1:
            self._epoch()
        self._report()

    @property
    def _share(self) -> float:
        return self._elapsed_s / self._plan.budget_s

    def _epoch(self) -> None:
        """Hear every utterance that is short enough by now once, or until longer ones join."""
        limit_s = longest_s(self._share)
        entries = [entry for entry in self._cache.split("train") if _fits(entry, limit_s)]
        order = np.random.default_rng([self._plan.seed, self._step])
        rounds = batches.rounds(entries, self._plan.batch_s, self._plan.ranks, order)
        mine = [ranks[self._rank] for ranks in rounds]
        variation = np.random.default_rng([self._plan.seed, self._step, self._rank])
        for batch in batches.ahead(self._cache, mine, variation):
            self._learn(batch)
            if self._elapsed_s - self._reported_s > self._plan.report_s:
                self._report()
            if self._share >= 1 or longest_s(self._share) != limit_s:
                return

    def _learn(self, batch: Batch) -> None:
        started = time.monotonic()
        self._model.train()
        rate = learning_rate(self._share, self._plan.peak_learning_rate)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = network.losses(self._model, batch.samples_bs, batch.mask_bs, batch.targets)
        loss.backward()  # type: ignore[no-untyped-call]
        # Every rank must agree on the clock, or one would stop while the others wait for it.
        spent = self._average(torch.tensor([loss.item(), batch.seconds, time.monotonic() - started]))
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._step += 1
        self._recent = [*self._recent[-99:], spent[0].item()]
        self._audio_s += spent[1].item() * self._plan.ranks
        self._elapsed_s += float(self._longest(time.monotonic() - started))

    def _average(self, numbers: torch.Tensor) -> torch.Tensor:
        """Average the gradients over the ranks in place, and the numbers with them."""
        gradients = [weight.grad for weight in self._model.parameters() if weight.grad is not None]
        flat = torch.cat([numbers, *(gradient.flatten() for gradient in gradients)])
        dist.all_reduce(flat)
        flat /= self._plan.ranks
        first = len(numbers)
        for gradient in gradients:
            gradient.copy_(flat[first : first + gradient.numel()].view_as(gradient))
            first += gradient.numel()
        return flat[: len(numbers)]

    def _longest(self, seconds: float) -> torch.Tensor:
        longest = torch.tensor([seconds])
        dist.all_reduce(longest, dist.ReduceOp.MAX)
        return longest[0]

    def _report(self) -> None:
        """Score, log, save and publish on rank 0; the others wait at their next step."""
        self._reported_s = self._elapsed_s
        if self._rank:
            return
        scores = {
            name: scoring.score(self._model, self._cache, self._cache.split(name)[:count])
            for name, count in (("tutorial", 24), ("librispeech", 6), ("an4", 16), ("fsdd", 16))
        }
        self._log(scores)
        self._save()
        if scores["tutorial"].cer < 0.6:
            publishing.publish(self._model, self._plan.model_folder)

    def _log(self, scores: dict[str, scoring.Score]) -> None:
        facts = {
            "minutes": f"{self._elapsed_s / 60:.1f}",
            "step": str(self._step),
            "audio_hours": f"{self._audio_s / 3600:.2f}",
            "loss_per_letter": f"{sum(self._recent) / max(len(self._recent), 1):.4f}",
            **{f"wer_{name}": f"{score.wer:.3f}" for name, score in scores.items()},
            **{f"cer_{name}": f"{score.cer:.3f}" for name, score in scores.items()},
        }
        path = self._plan.work / "log.csv"
        if not path.exists():
            path.write_text(",".join(facts) + "\n")
        with path.open("a") as log:
            log.write(",".join(facts.values()) + "\n")
        print(facts, flush=True)
        for reference, hypothesis in (*scores["tutorial"].examples, *scores["librispeech"].examples[:2]):
            print(f"   {reference}\n   {hypothesis}", flush=True)

    def _save(self) -> None:
        state = {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "clock": (self._elapsed_s, self._audio_s, self._reported_s, self._step),
        }
        torch.save(state, self._plan.work / "checkpoint.tmp")
        (self._plan.work / "checkpoint.tmp").replace(self._plan.work / "checkpoint.pt")

    def _restore(self) -> None:
        path = self._plan.work / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._elapsed_s, self._audio_s, self._reported_s, self._step = state["clock"]


def _fits(entry: Entry, limit_s: float) -> bool:
    """A very short clip of few frames, or one with more letters than frames, cannot be learned from."""
    return entry.seconds <= limit_s and bool(entry.text) and 0.3 + len(entry.text) / 26 < entry.seconds


def work(rank: int, plan: Plan) -> None:
    """Be one process of the run."""
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed + rank)
    np.random.seed(plan.seed + rank)
    store = FileStore(str(plan.work / "meeting_point"), plan.ranks)
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=plan.ranks, timeout=timedelta(minutes=30)
    )
    Run(plan, rank).train()
    dist.destroy_process_group()


def train(plan: Plan) -> None:
    """Run every rank to the end."""
    (plan.work / "meeting_point").unlink(missing_ok=True)
    spawn(work, args=(plan,), nprocs=plan.ranks)  # type: ignore[no-untyped-call]
