"""The training run: a process per core with one thread each, or one process and a GPU, for a fixed time.

One process with two threads meets at a barrier inside every operation: beside other busy programs that was
five times slower than two processes that meet once per step (measured).
"""

import time
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2ForCTC

from scripts.base_model import batches, devices, network, phonemes, ranks, scoring, syllabus
from scripts.base_model.augment import Augmenter, Chances
from scripts.base_model.batches import Batch, Loader
from scripts.base_model.cache import Cache
from scripts.base_model.journal import Journal, Progress
from scripts.base_model.learner import Learner
from scripts.base_model.muon import Muon
from scripts.base_model.noise import NoiseBank
from scripts.base_model.pieces import read_cuts
from scripts.base_model.plan import Plan, learning_rate
from scripts.base_model.regularise import OtherVoices, SpecAugment, dropout_for, use_dropout
from thanosql_ctc.batch_invariant import output_frames
from thanosql_ctc.checkpoint import load_checkpoint

_DROPOUT = 0.1
_RECENT_STEPS = 100
# How many recordings of each evaluation a report listens to: enough to see the way, few enough to be quick.
REPORTED = {"librispeech": 40, "an4": 40, "fsdd": 60, "tutorial": 24}


class Run:
    """One process of a training run; rank 0 also reports and saves."""

    def __init__(self, plan: Plan, rank: int) -> None:
        self._plan, self._rank = plan, rank
        self._cache = Cache(plan.work / "cache")
        self._cuts = read_cuts(plan.work / "cuts.json")
        self._sounds = phonemes.read(plan.work / "phonemes.json")
        torch.manual_seed(plan.seed)  # the same weights in every process
        self._model = _model(plan)
        self._learner = Learner(self._model, len(self._sounds.symbols)).to(plan.device)
        network.save_time(self._model)
        self._frames = partial(output_frames, self._model.config)
        drawn = np.random.default_rng([plan.seed, rank])
        self._dropout, self._masks = dropout_for(plan.device, drawn), SpecAugment(self._model, drawn)
        self._voices = OtherVoices(self._model, drawn)
        use_dropout(self._model, self._dropout)
        noises = [self._cache.samples(entry) for entry in self._cache.split("noise")]
        self._bank = NoiseBank(noises, plan.device, drawn)
        self._optimizers = optimizers(self._learner)
        self._elapsed_s = self._audio_s = self._reported_s = 0.0
        self._steps = 0
        self._recent: list[float] = []
        self._journal = Journal(plan.work)
        self._restore()
        self._began_s = self._last_s = time.monotonic()
        self._here_s = 0.0

    def train(self) -> None:
        """Go on until the time is used up or a pause is due, then report."""
        while self._goes_on:
            self._epoch()
        if self._elapsed_s > self._reported_s:
            self._report()

    @property
    def _share(self) -> float:
        return self._elapsed_s / self._plan.budget_s

    @property
    def _goes_on(self) -> bool:
        pause_s = self._plan.pause_s
        return self._share < 1 and (pause_s is None or self._here_s < pause_s)

    @property
    def _stage(self) -> syllabus.Stage:
        share = max(self._share, syllabus.WARM_START if self._plan.start else 0.0)
        return syllabus.stage(self._plan.stages, share)

    def _epoch(self) -> None:
        """Hear what the stage wants once, or until the next stage begins."""
        stage, plan = self._stage, self._plan
        order = np.random.default_rng([plan.seed, self._steps])
        pieces = syllabus.epoch(self._cache, self._cuts, stage, self._frames, order)
        rounds = batches.rounds(pieces, plan.batch_s, plan.ranks, order)
        if not rounds:
            raise RuntimeError(
                f"{len(pieces)} pieces of up to {stage.longest_s:g} s fill no batch of {plan.batch_s:g} s "
                f"for each of {plan.ranks} processes: prepare more speech, or choose a smaller batch"
            )
        loader = self._hardened(stage.hardness)
        variation = np.random.default_rng([plan.seed, self._steps, self._rank])
        for batch in loader.ahead([one[self._rank] for one in rounds], variation):
            self._learn(batch)
            if self._elapsed_s - self._reported_s > plan.report_s:
                self._report()
            if not self._goes_on or self._stage is not stage:
                return

    def _hardened(self, hardness: float) -> Loader:
        self._dropout.set_share(_DROPOUT * hardness)
        self._masks.set_hardness(hardness)
        self._voices.set_hardness(hardness)
        augmenter = Augmenter(self._bank, Chances().scaled(hardness))
        return Loader(cache=self._cache, augmenter=augmenter, device=self._plan.device)

    def _learn(self, batch: Batch) -> None:
        self._model.train()
        rate = learning_rate(self._share, self._plan.peak_learning_rate)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        loss = self._loss(batch)
        torch.autograd.backward(loss)
        gradients = [weight.grad for weight in self._learner.parameters() if weight.grad is not None]
        numbers = torch.stack([loss.detach(), devices.put(torch.tensor(batch.seconds), loss.device)])
        ranks.average([numbers, *gradients])
        norm = nn.utils.clip_grad_norm_(self._learner.parameters(), 1.0)
        # The one place where a step waits for a GPU.
        mean_loss, seconds, size = torch.cat([numbers, norm[None]]).tolist()
        if np.isfinite(size):  # the same in every process, since the gradients are
            for optimizer in self._optimizers:
                optimizer.step()
        self._learner.zero_grad()
        self._count(mean_loss, seconds * self._plan.ranks)

    def _loss(self, batch: Batch) -> Tensor:
        with self._masks.applied(), self._voices.applied(len(batch.lengths)):
            reading = self._learner(batch.samples_bs, batch.lengths)
        sounds = list(map(self._sounds.labels, batch.texts))
        loss: Tensor = self._learner.loss(reading.views(batches.VIEWS), batch.letters, sounds)
        return loss

    def _count(self, loss: float, audio_s: float) -> None:
        self._steps += 1
        self._recent = [*self._recent[1 - _RECENT_STEPS :], loss]
        self._audio_s += audio_s
        # Every rank must agree on the clock, or one would stop while the others wait for it.
        now_s = time.monotonic()
        step_s, self._here_s = ranks.longest([now_s - self._last_s, now_s - self._began_s])
        self._elapsed_s += step_s
        self._last_s = now_s

    def _report(self) -> None:
        """Score and save on rank 0; the others wait."""
        self._reported_s = self._elapsed_s
        if not self._rank:
            scores = {
                name: scoring.score(self._model, self._cache, self._cache.split(name)[:count])
                for name, count in REPORTED.items()
            }
            loss = sum(self._recent) / max(len(self._recent), 1)
            self._journal.note(self._progress, loss, scores)
            self._save()
            self._journal.keep(self._model, self._progress)
        ranks.meet()
        self._last_s = time.monotonic()

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
        torch.manual_seed(self._plan.seed + self._steps)  # what a GPU leaves out is drawn anew


def optimizers(learner: Learner) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices of the transformer, AdamW for everything else."""
    layers = [weight for weight in learner.model.wav2vec2.encoder.layers.parameters() if weight.ndim == 2]
    apart = set(map(id, layers))
    others = [weight for weight in learner.parameters() if id(weight) not in apart]
    adam = torch.optim.AdamW(others, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    return Muon(layers, lr=1e-3), adam


def train(plan: Plan) -> bool:
    """Run every rank to the end, or to a pause; True at the end."""
    ranks.start(partial(_train, plan), ranks.Meeting(place=plan.work / "meeting_point", ranks=plan.ranks))
    kept = Journal(plan.work).load()
    return kept is not None and kept["progress"].elapsed_s >= plan.budget_s


def _model(plan: Plan) -> Wav2Vec2ForCTC:
    if not plan.start:
        return network.create(plan.shape, plan.seed)
    model = load_checkpoint(plan.start).model
    assert isinstance(model, Wav2Vec2ForCTC), "what was begun here is Wav2Vec2"
    return model


def _train(plan: Plan, rank: int) -> None:
    devices.settle(plan.device)
    Run(plan, rank).train()
