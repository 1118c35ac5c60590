"""Looks at a checkpoint, as a process: `python -m services.trainer.core.uploading.checking <folder>`.

The files lie in `model/` of the folder. They are read, converted to safetensors where they have to be, and
the model is run; with `--texts` only what stands beside the weights is read. It tells its parent what the
model is, or why it cannot be used.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from services.trainer.core.child_process import beat, claim_stdout, end_with_parent, log_to_stderr, teller
from services.trainer.core.memory import is_out_of_memory
from services.trainer.core.messages import Failed, Finished
from services.trainer.core.spec import MODEL_FOLDER
from services.trainer.core.uploading.pickled import convert_pickled
from thanosql_ctc.batch_invariant import batch_logits
from thanosql_ctc.checkpoint import Checkpoint, CheckpointFacts, load_checkpoint, load_facts
from thanosql_ctc.folders import invalid_checkpoint
from thanosql_ctc.waveform import normalise_waveform
from thanosql_runtime.errors import Reason, ThanosqlError

_HEARTBEAT_S = 5.0
_NICE = 5
_SECONDS = (2.0, 0.7)
_SEED = 0
_TEXTS_ONLY = "--texts"


def describe(files: Path) -> Mapping[str, str]:
    """Read what stands beside the weights.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT.
    """
    return _properties(load_facts(files))


def check(files: Path) -> Mapping[str, str]:
    """Load the checkpoint, run it, and say what it is; pickled weights become safetensors.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT, with the reason.
    """
    properties = describe(files)
    convert_pickled(files)
    checkpoint = load_checkpoint(files)
    _require_running(files, checkpoint)
    count = sum(weight.numel() for weight in checkpoint.model.parameters())
    return {**properties, "parameters": str(count)}


def _require_running(files: Path, checkpoint: Checkpoint) -> None:
    generator = np.random.default_rng(_SEED)
    lengths = [round(seconds * checkpoint.sample_rate_hz) for seconds in _SECONDS]
    noises = [generator.standard_normal(length).astype(np.float32) for length in lengths]
    sounds = [normalise_waveform(noise) for noise in noises] if checkpoint.do_normalize else noises
    for logits in batch_logits(checkpoint.model, sounds):
        if not bool(torch.isfinite(logits).all()):
            raise invalid_checkpoint(
                files, "it gives no numbers for noise: its weights are damaged, or too large"
            )


def _properties(facts: CheckpointFacts) -> Mapping[str, str]:
    return {
        "architecture": str(facts.config.model_type),
        "sample_rate_hz": str(facts.sample_rate_hz),
        "labels": str(len(facts.vocabulary)),
    }


def main(folder: Path, *, texts_only: bool) -> int:
    """Look at the checkpoint; the answer is the exit status."""
    messages = claim_stdout()
    end_with_parent()
    log_to_stderr()
    tell = teller(messages)
    beat(tell, _HEARTBEAT_S)
    os.nice(_NICE)
    try:
        files = folder / MODEL_FOLDER
        properties = describe(files) if texts_only else check(files)
    except ThanosqlError as failure:
        tell(Failed(reason=failure.reason.value, message=failure.message))
        return 1
    except (MemoryError, RuntimeError) as failure:
        why = "memory ran out" if is_out_of_memory(failure) else str(failure).split("\n", 1)[0][:300]
        tell(Failed(reason=Reason.INVALID_CHECKPOINT.value, message=f"the checkpoint cannot be run: {why}"))
        return 1
    tell(Finished(metrics={}, properties=properties))
    return 0


if __name__ == "__main__":
    status = main(Path(sys.argv[-1]), texts_only=_TEXTS_ONLY in sys.argv[1:-1])
    sys.stderr.flush()
    os._exit(status)  # at once: threads and libraries have nothing left to do
