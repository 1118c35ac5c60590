"""Error rates of a model in the making, on the rows that it does not learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.trainer.core.audio import AudioReader
from services.trainer.core.batching import plan_passes
from services.trainer.core.dataset import Example
from services.trainer.core.scoring import ScoreCounter, Scores
from thanosql_ctc.batch_invariant import batch_logits
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_ctc.greedy import greedy_decode


@dataclass(frozen=True, kw_only=True)
class HeldOutScores:
    """The scores, and whether no text came out at all."""

    scores: Scores
    silent: bool


def score_held_out(
    checkpoint: Checkpoint, examples: Sequence[Example], audio: AudioReader, max_pass_audio_s: float
) -> HeldOutScores:
    """Transcribe and count."""
    counter = ScoreCounter()
    silent = True
    checkpoint.model.train(mode=False)
    for rows in plan_passes(examples, max_pass_audio_s):
        logits = batch_logits(checkpoint.model, [audio.read(example.path) for example in rows])
        for example, logits_fv in zip(rows, logits, strict=True):
            hypothesis = greedy_decode(logits_fv.argmax(dim=-1).tolist(), checkpoint.vocabulary)
            silent = silent and not hypothesis
            counter.add(example.text, hypothesis, example.duration_s)
    return HeldOutScores(scores=counter.scores(), silent=silent)
