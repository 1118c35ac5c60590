"""The training run: as many processes as cores, one thread each, for a fixed time.

One process with two threads meets at a barrier inside every operation: beside other busy programs that was
five times slower than two processes that meet once per step (measured).
"""

import time
from datetime import timedelta
from functools import partial

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import FileStore
from torch.multiprocessing.spawn import spawn
from transformers import Wav2Vec2ForCTC

from scripts.base_model import batches, network, phonemes, scoring, syllabus
from scripts.base_model.augment import Augmenter, Chances, read_noises
from scripts.base_model.batches import Batch
from scripts.base_model.cache import Cache
from scripts.base_model.journal import Journal, Progress
from scripts.base_model.learner import Learner
from scripts.base_model.muon import Muon
from scripts.base_model.pieces import read_cuts
from scripts.base_model.plan import Plan, learning_rate
from scripts.base_model.regularise import OtherVoices, PooledDropout, SpecAugment, use_dropout
from thanosql_ctc.batch_invariant import output_frames
from thanosql_ctc.checkpoint import load_checkpoint

_DROPOUT = 0.1
_RECENT_STEPS = 100
# How many recordings of each evaluation a report listens to: enough to see the way, few enough to be quick.
REPORTED = (("librispeech", 40), ("an4", 40), ("fsdd", 60), ("tutorial", 24))


class Run:
    """One process of a training run; rank 0 also reports and saves."""

    def __init__(self, plan: Plan, rank: int) -> None:
        self._plan, self._rank = plan, rank
        self._cache = Cache(plan.work / "cache")
        self._cuts = read_cuts(plan.work / "cuts.json")
        self._sounds = phonemes.read(plan.work / "phonemes.json")
        self._noises = read_noises(plan.noises)
        torch.manual_seed(plan.seed)  # the same weights in every process
        self._model = _model(plan)
        network.save_time(self._model)
        self._learner = Learner(self._model, len(self._sounds.symbols))
        hidden = np.random.default_rng([plan.seed, rank])
        self._dropout, self._masks = PooledDropout(hidden), SpecAugment(self._model, hidden)
        self._voices = OtherVoices(self._model, hidden)
        use_dropout(self._model, self._dropout)
        self._optimizers = optimizers(self._learner)
        self._elapsed_s = self._audio_s = self._reported_s = 0.0
        self._steps = 0
        self._recent: list[float] = []
        self._frames = partial(output_frames, self._model.config)
        self._journal = Journal(plan.work)
        self._restore()

    def train(self) -> None:
        """Go on until the time is used up, then report."""
        while self._share < 1:
            self._epoch()
        if self._elapsed_s > self._reported_s:
            self._report()

    @property
    def _share(self) -> float:
        return self._elapsed_s / self._plan.budget_s

    @property
    def _stage(self) -> syllabus.Stage:
        return syllabus.stage(
            self._plan.stages, max(self._share, syllabus.WARM_START if self._plan.start else 0.0)
        )

    def _epoch(self) -> None:
        """Hear what the stage wants once, or until the next stage begins."""
        stage, plan = self._stage, self._plan
        order = np.random.default_rng([plan.seed, self._steps])
        pieces = syllabus.epoch(self._cache, self._cuts, stage, self._frames, order)
        rounds = batches.rounds(pieces, plan.batch_s, plan.ranks, order)
        mine = [ranks[self._rank] for ranks in rounds]
        augmenter = self._hardened(stage.hardness)
        variation = np.random.default_rng([plan.seed, self._steps, self._rank])
        for batch in batches.ahead(self._cache, mine, augmenter, variation):
            self._learn(batch)
            if self._elapsed_s - self._reported_s > plan.report_s:
                self._report()
            if self._share >= 1 or self._stage is not stage:
                return

    def _hardened(self, hardness: float) -> Augmenter:
        self._dropout.set_share(_DROPOUT * hardness)
        self._masks.set_hardness(hardness)
        self._voices.set_hardness(hardness)
        return Augmenter(self._noises, Chances().scaled(hardness))

    def _learn(self, batch: Batch) -> None:
        started = time.monotonic()
        self._model.train()
        rate = learning_rate(self._share, self._plan.peak_learning_rate)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        readings = []
        for samples_bs in batch.views:
            with self._masks.applied(), self._voices.applied():
                readings.append(self._learner(samples_bs, batch.lengths))
        sounds = list(map(self._sounds.labels, batch.texts))
        loss = self._learner.loss(readings, batch.letters, sounds)
        torch.autograd.backward(loss)
        spent = self._average(torch.tensor([loss.item(), batch.seconds]))
        norm = nn.utils.clip_grad_norm_(self._learner.parameters(), 1.0)
        if torch.isfinite(norm):  # the same in every process, since the gradients are
            for optimizer in self._optimizers:
                optimizer.step()
        self._learner.zero_grad()
        self._steps += 1
        self._recent = [*self._recent[1 - _RECENT_STEPS :], spent[0].item()]
        self._audio_s += spent[1].item() * self._plan.ranks
        # Every rank must agree on the clock, or one would stop while the others wait for it.
        self._elapsed_s += _longest(time.monotonic() - started)

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

    def _report(self) -> None:
        """Score and save on rank 0; the others wait."""
        self._reported_s = self._elapsed_s
        if not self._rank:
            scores = {
                name: scoring.score(self._model, self._cache, self._cache.split(name)[:count])
                for name, count in REPORTED
            }
            loss = sum(self._recent) / max(len(self._recent), 1)
            self._journal.note(self._progress, loss, scores)
            self._save()
            self._journal.keep(self._model, self._progress)
        dist.barrier()

    @property
    def _progress(self) -> Progress:
        return Progress(
            elapsed_s=self._elapsed_s,
            audio_s=self._audio_s,
            reported_s=self._reported_s,
            steps=self._steps,
        )

    def _save(self) -> None:
        state = {
            "learner": self._learner.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }
        self._journal.save(state, self._progress)

    def _restore(self) -> None:
        state = self._journal.load()
        if state is None:
            return
        self._learner.load_state_dict(state["learner"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        progress: Progress = state["progress"]
        self._elapsed_s, self._audio_s = progress.elapsed_s, progress.audio_s
        self._reported_s, self._steps = progress.reported_s, progress.steps


def optimizers(learner: Learner) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices of the transformer, AdamW for everything else."""
    layers = [weight for weight in learner.model.wav2vec2.encoder.layers.parameters() if weight.ndim == 2]
    apart = set(map(id, layers))
    others = [weight for weight in learner.parameters() if id(weight) not in apart]
    adam = torch.optim.AdamW(others, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    return Muon(layers, lr=1e-3), adam


def _model(plan: Plan) -> Wav2Vec2ForCTC:
    if not plan.start:
        return network.create(plan.shape, plan.seed)
    model = load_checkpoint(plan.start).model
    assert isinstance(model, Wav2Vec2ForCTC), "what was begun here is Wav2Vec2"
    return model


def _longest(seconds: float) -> float:
    longest = torch.tensor([seconds])
    dist.all_reduce(longest, dist.ReduceOp.MAX)
    return float(longest)


def _be_one_process(rank: int, plan: Plan) -> None:
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
    spawn(_be_one_process, args=(plan,), nprocs=plan.ranks)  # type: ignore[no-untyped-call]
