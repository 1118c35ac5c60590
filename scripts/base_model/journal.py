"""What a run leaves behind while it goes on: a log to read, a checkpoint to go on from, and snapshots."""

import csv
import io
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Wav2Vec2ForCTC

from scripts.base_model.publishing import publish
from scripts.base_model.scoring import Score
from thanosql_runtime.whole_files import write_whole

_KEPT_SNAPSHOTS = 5


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come."""

    elapsed_s: float = 0.0
    audio_s: float = 0.0
    reported_s: float = 0.0
    steps: int = 0


class Journal:
    """The files of one run.

    The log's lines are in the checkpoint too: a run that was killed goes on with the log of what it goes on
    from.

    Args:
        folder: The run's work folder.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log.csv"
        self._checkpoint = folder / "checkpoint.pt"
        self._snapshots = folder / "snapshots"
        self._lines: list[dict[str, str]] = []

    def load(self) -> dict[str, Any] | None:  # Any: the states of a network and its optimisers
        """Return what was saved last; None at the beginning."""
        if not self._checkpoint.exists():
            return None
        state: dict[str, Any] = torch.load(self._checkpoint, weights_only=True, map_location="cpu")
        state["progress"] = Progress(**state["progress"])
        self._lines = state.pop("log", [])
        return state

    def save(self, state: dict[str, Any], progress: Progress) -> None:
        """Keep the state and the log; each file changes whole or not at all."""
        draft = self._checkpoint.with_suffix(".tmp")
        torch.save({**state, "progress": asdict(progress), "log": self._lines}, draft)
        draft.replace(self._checkpoint)
        self._write_log()

    def note(self, progress: Progress, loss: float, scores: dict[str, Score]) -> None:
        """Print a line for the log with some transcripts, and keep it for the next save."""
        facts = {
            "minutes": f"{progress.elapsed_s / 60:.1f}",
            "step": str(progress.steps),
            "audio_hours": f"{progress.audio_s / 3600:.2f}",
            "loss_per_letter": f"{loss:.4f}",
            **{f"wer_{name}": f"{score.wer:.3f}" for name, score in scores.items()},
            **{f"cer_{name}": f"{score.cer:.3f}" for name, score in scores.items()},
        }
        self._lines.append(facts)
        print(facts, flush=True)
        for score in scores.values():
            for reference, hypothesis in score.examples[:2]:
                print(f"   {reference}\n   {hypothesis}", flush=True)

    def keep(self, model: Wav2Vec2ForCTC, progress: Progress) -> None:
        """Keep the model as it is now beside the last few, for `averaging`."""
        publish(model, self._snapshots / f"{progress.steps:08d}")
        for old in snapshots(self._snapshots.parent)[:-_KEPT_SNAPSHOTS]:
            shutil.rmtree(old)

    def _write_log(self) -> None:
        text = io.StringIO()
        lines = csv.DictWriter(text, fieldnames=list(self._lines[0]), lineterminator="\n")
        lines.writeheader()
        lines.writerows(self._lines)
        write_whole(self._log, text.getvalue().encode())


def snapshots(folder: Path) -> list[Path]:
    """Return the model folders that a run has kept in its work folder, oldest first."""
    return sorted(path.parent for path in folder.glob("snapshots/[0-9]*/model.safetensors"))
