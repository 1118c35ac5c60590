"""What a run leaves behind while it goes on: a log to read, and a checkpoint to go on from."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from scripts.base_model.scoring import Score


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come."""

    elapsed_s: float = 0.0
    audio_s: float = 0.0
    reported_s: float = 0.0
    steps: int = 0


class Journal:
    """The files of one run.

    Args:
        folder: The run's work folder.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log.csv"
        self._checkpoint = folder / "checkpoint.pt"

    def load(self) -> dict[str, Any] | None:  # Any: the states of a network and its optimisers
        """Return what was saved last; None at the beginning."""
        if not self._checkpoint.exists():
            return None
        state: dict[str, Any] = torch.load(self._checkpoint, weights_only=True)
        state["progress"] = Progress(**state["progress"])
        return state

    def save(self, state: dict[str, Any], progress: Progress) -> None:
        """Keep the state; the file changes whole or not at all."""
        draft = self._checkpoint.with_suffix(".tmp")
        torch.save({**state, "progress": asdict(progress)}, draft)
        draft.replace(self._checkpoint)

    def write(self, progress: Progress, loss: float, scores: dict[str, Score]) -> None:
        """Add a line to the log, and print it with some transcripts."""
        facts = {
            "minutes": f"{progress.elapsed_s / 60:.1f}",
            "step": str(progress.steps),
            "audio_hours": f"{progress.audio_s / 3600:.2f}",
            "loss_per_letter": f"{loss:.4f}",
            **{f"wer_{name}": f"{score.wer:.3f}" for name, score in scores.items()},
            **{f"cer_{name}": f"{score.cer:.3f}" for name, score in scores.items()},
        }
        if not self._log.exists():
            self._log.write_text(",".join(facts) + "\n")
        with self._log.open("a") as log:
            log.write(",".join(facts.values()) + "\n")
        print(facts, flush=True)
        for score in scores.values():
            for reference, hypothesis in score.examples[:2]:
                print(f"   {reference}\n   {hypothesis}", flush=True)
