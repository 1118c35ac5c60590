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
from transformers import Wav2Vec2ForCTC

from scripts.base_model import batches, network, phonemes, publishing, scoring, syllabus
from scripts.base_model.augment import Augmenter, Chances, read_noises
from scripts.base_model.batches import Batch
from scripts.base_model.cache import Cache
from scripts.base_model.muon import Muon
from scripts.base_model.pieces import read_cuts
from scripts.base_model.regularise import SpecAugment, use_dropout
from thanosql_ctc.checkpoint import load_checkpoint

_WARM = 0.03
_FINALLY = 0.01
_DROPOUT = 0.1
_HIDDEN_TIME = 0.08
_HIDDEN_BANDS = 7
# How many recordings of each evaluation a report listens to: enough to see the way, few enough to be quick.
_REPORTED = (("librispeech", 40), ("an4", 40), ("fsdd", 60), ("tutorial", 24))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run depends on.

    Attributes:
        work: The folder of the cache, the checkpoint and the log.
        model_folder: Where the model is published, with every report.
        budget_s: Seconds of training; what the learning rate and the curriculum go by.
        ranks: Processes, one for each core.
        noises: Recordings without speech, mixed into the others.
        start: A model folder to begin with; none begins with random weights.
        batch_s: Seconds of speech in a step of one process.
        peak_learning_rate: The highest.
        hardness: How much is varied, hidden and left out, from 0 to 1: a model that cannot read its own
            training speech yet learns faster from speech as it is.
        report_s: Seconds of training from report to report.
        seed: Of everything that is drawn.
        shape: Of a model that begins with random weights.
        mix: How often each source is heard.
    """

    work: Path
    model_folder: Path
    budget_s: float
    ranks: int = 2
    noises: tuple[Path, ...] = ()
    start: Path | None = None
    batch_s: float = 34.0
    peak_learning_rate: float = 7e-4
    hardness: float = 1.0
    report_s: float = 400.0
    seed: int = 2
    shape: network.Shape = field(default_factory=network.Shape)
    mix: syllabus.Mix = field(default_factory=syllabus.Mix)


def learning_rate(share: float, peak: float) -> float:
    """Rise for the first part of the time, then fall along a cosine to a hundredth."""
    if share < _WARM:
        return peak * max(share / _WARM, 0.01)
    fallen = min(1.0, (share - _WARM) / (1 - _WARM))
    return peak * (_FINALLY + (1 - _FINALLY) * 0.5 * (1 + math.cos(math.pi * fallen)))


class Run:
    """One process of a training run; rank 0 also reports, saves and publishes."""

    def __init__(self, plan: Plan, rank: int) -> None:
        self._plan, self._rank = plan, rank
        self._cache = Cache(plan.work / "cache")
        torch.manual_seed(plan.seed)  # the same weights in every process
        self._model = _model(plan)
        network.save_time(self._model)
        self._sounds = phonemes.read(plan.work / "phonemes.json")
        self._learner = network.Learner(self._model, len(self._sounds.symbols))
        self._masks_random = np.random.default_rng([plan.seed, rank])
        use_dropout(self._model, _DROPOUT * plan.hardness, self._masks_random)
        self._masks = SpecAugment(
            self._model,
            self._masks_random,
            time_share=_HIDDEN_TIME * plan.hardness,
            bands=round(_HIDDEN_BANDS * plan.hardness),
        )
        self._augmenter = Augmenter(read_noises(plan.noises), Chances().scaled(plan.hardness))
        self._cuts = read_cuts(plan.work / "cuts.json")
        self._optimizers = optimizers(self._learner)
        self._elapsed_s = self._audio_s = self._reported_s = 0.0
        self._step = 0
        self._recent: list[float] = []
        torch.manual_seed(plan.seed + rank)
        self._restore()

    def train(self) -> None:
        """Go on until the time is used up, then report and publish."""
        while self._share < 1:
            self._epoch()
        self._report()

    @property
    def _share(self) -> float:
        return self._elapsed_s / self._plan.budget_s

    @property
    def _longest_s(self) -> float:
        """A model that recognises speech already needs no short utterances first."""
        return syllabus.longest_s(1.0 if self._plan.start else self._share)

    def _epoch(self) -> None:
        """Hear every utterance that is short enough by now once, or until longer ones join."""
        limit_s = self._longest_s
        order = np.random.default_rng([self._plan.seed, self._step])
        pieces = syllabus.epoch(self._cache, self._cuts, self._plan.mix, limit_s, order)
        rounds = batches.rounds(pieces, self._plan.batch_s, self._plan.ranks, order)
        mine = [ranks[self._rank] for ranks in rounds]
        variation = np.random.default_rng([self._plan.seed, self._step, self._rank])
        for batch in batches.ahead(self._cache, mine, self._augmenter, variation):
            self._learn(batch)
            if self._elapsed_s - self._reported_s > self._plan.report_s:
                self._report()
            if self._share >= 1 or self._longest_s != limit_s:
                return

    def _learn(self, batch: Batch) -> None:
        started = time.monotonic()
        self._model.train()
        rate = learning_rate(self._share, self._plan.peak_learning_rate)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        with self._masks.applied():
            loss = self._learner(
                batch.samples_bs, batch.lengths, batch.letters, list(map(self._sounds.labels, batch.texts))
            )
        loss.backward()
        # Every rank must agree on the clock, or one would stop while the others wait for it.
        spent = self._average(torch.tensor([loss.item(), batch.seconds, time.monotonic() - started]))
        norm = nn.utils.clip_grad_norm_(self._learner.parameters(), 1.0)
        if torch.isfinite(norm):  # the same in every process, since the gradients are
            for optimizer in self._optimizers:
                optimizer.step()
        self._learner.zero_grad()
        self._step += 1
        self._recent = [*self._recent[-99:], spent[0].item()]
        self._audio_s += spent[1].item() * self._plan.ranks
        self._elapsed_s += float(self._longest(time.monotonic() - started))

    def _average(self, numbers: torch.Tensor) -> torch.Tensor:
        """Average the gradients over the ranks in place, and the numbers with them."""
        gradients = [weight.grad for weight in self._learner.parameters() if weight.grad is not None]
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
        """Score, log, save and publish on rank 0; the others wait."""
        self._reported_s = self._elapsed_s
        if self._rank:
            dist.barrier()
            return
        scores = {
            name: scoring.score(self._model, self._cache, self._cache.split(name)[:count])
            for name, count in _REPORTED
        }
        self._save()
        self._log(scores)
        if scores["librispeech"].cer < 0.6:
            publishing.publish(self._model, self._plan.model_folder)
        dist.barrier()

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
            "learner": self._learner.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "clock": (self._elapsed_s, self._audio_s, self._reported_s, self._step),
        }
        torch.save(state, self._plan.work / "checkpoint.tmp")
        (self._plan.work / "checkpoint.tmp").replace(self._plan.work / "checkpoint.pt")

    def _restore(self) -> None:
        path = self._plan.work / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self._learner.load_state_dict(state["learner"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self._elapsed_s, self._audio_s, self._reported_s, self._step = state["clock"]


def optimizers(learner: network.Learner) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices of the transformer, AdamW for everything else."""
    layers = [weight for weight in learner.model.wav2vec2.encoder.layers.parameters() if weight.ndim == 2]
    apart = set(map(id, layers))
    others = [weight for weight in learner.parameters() if id(weight) not in apart]
    adam = torch.optim.AdamW(others, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    return Muon(layers, lr=1e-3), adam


def _model(plan: Plan) -> Wav2Vec2ForCTC:
    return load_checkpoint(plan.start).model if plan.start else network.create(plan.shape, plan.seed)


def work(rank: int, plan: Plan) -> None:
    """Be one process of the run."""
    torch.set_num_threads(1)
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
